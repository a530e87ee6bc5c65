"""Many destinations asked about at once: nobody waits for another's answer, and a batch is whole."""

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext

import pytest

from devnet.system.waiting import until
from gateway.domain.actor import Actor
from gateway.domain.errors import Unavailable
from gateway.questions.service import LARGER, PATIENCE_SECONDS, Questions
from gateway.withdrawals import destinations
from gateway.withdrawals.batches import require_heard
from gateway.withdrawals.destinations import MORE_SECONDS, UNHEARD, UNLOOKED, require_receiver
from tests.conftest import FreshDatabase
from tests.gateway.conftest import TestApi
from tests.watchers.asking import Inspected, answering, asking
from tests.watchers.test_destinations import (
    BAD,
    DARK,
    GOOD,
    SLOW,
    ask,
    batch,
    funded,
    held,
    network,
    payout,
)
from tests.watchers.world import ETH, NETWORK, world
from watchers.clock import now
from watchers.desk.destinations import AT_ONCE, MOST_SECONDS, patience
from watchers.destination import Finding, Prospect

pytestmark = pytest.mark.anyio
SILENT_NETWORK = (
    "INSERT INTO network VALUES ('silent', 'ethereum', 'Silent', '99', true, true) RETURNING 1"
)


async def test_an_item_that_nobody_answers_for_keeps_no_other_item_back_and_is_paid_once(
    database: FreshDatabase,
) -> None:
    """It gets its own 503; the same key replays that, and alone under another key it is taken."""
    inspected = network()
    async with world(database) as w, asking(database, w) as api, answering(w, inspected):
        await funded(w)
        key = await api.key("mer_1")
        items = [payout(GOOD), payout(BAD), payout(DARK)]
        answer = await batch(api, key, items)
        assert (answer.status_code, answer.json()["succeeded"]) == (201, 1), answer.text
        taken, bad, dark = answer.json()["data"]
        assert taken["withdrawal"]["status"] == "pending"
        assert bad["problem"]["status"] == 422
        assert (dark["problem"]["status"], dark["problem"]["code"]) == (
            503,
            "network_unavailable",
        )
        assert len(await held(api)) == 3, "the balance, the withdrawal, its hold"
        await heard_again(api, inspected)
        again = await batch(api, key, items)
        assert (again.status_code, again.json()) == (201, answer.json())
        assert len(await held(api)) == 3, "nothing is paid twice"
        rest = await batch(api, key, [payout(DARK)], once="the rest")
        assert (rest.status_code, rest.json()["succeeded"]) == (201, 1), rest.text
        assert len(await held(api)) == 5


async def test_a_batch_that_nobody_answers_for_at_all_is_refused_whole(
    database: FreshDatabase,
) -> None:
    """503, nothing held or kept: the same key asks again."""
    inspected = network()
    async with world(database) as w, asking(database, w) as api, answering(w, inspected):
        await funded(w)
        key = await api.key("mer_1")
        items = [payout(DARK), payout(DARK, amount="2")]
        answer = await batch(api, key, items)
        assert (answer.status_code, answer.json()["code"]) == (503, "network_unavailable")
        assert await held(api) == []
        await heard_again(api, inspected)
        answer = await batch(api, key, items)
        assert (answer.status_code, answer.json()["succeeded"]) == (201, 2), answer.text


async def heard_again(api: TestApi, inspected: Inspected) -> None:
    """Let the node answer, and the same question be another one."""
    inspected.dark = frozenset()
    await api.rows("UPDATE question SET asked_at = now() - interval '6 seconds' RETURNING 1")


class Together(Inspected):
    """A remote node: nobody has an answer before so many are asked about at once."""

    def __init__(self, many: int) -> None:
        super().__init__()
        self.all_here = asyncio.Barrier(many)

    async def inspect(self, prospect: Prospect) -> Finding:
        """Wait for the others."""
        await self.all_here.wait()
        return await super().inspect(prospect)


async def test_withdrawals_of_one_merchant_are_looked_at_side_by_side(
    database: FreshDatabase,
) -> None:
    """Ten at once have ten questions in the watcher at once: none waits for another's answer."""
    async with world(database) as w, asking(database, w) as api, answering(w, Together(10)):
        await funded(w)
        key = await api.key("mer_1")
        wanted = [ask(api, key, "0x" + f"{n:040x}", amount="0.01") for n in range(1, 11)]
        told = await asyncio.gather(*wanted)
        assert {each.status_code for each in told} == {201}, told[0].text


async def test_a_silent_network_or_a_slow_destination_holds_up_nobody_else(
    database: FreshDatabase,
) -> None:
    """Ten wait for a network that never answers, one for a node that does not: others go on."""
    async with (
        world(database) as w,
        asking(database, w) as api,
        answering(w, network()) as served,
    ):
        await funded(w)
        served.destinations.patience_seconds = 60
        questions = Questions(api.database, patience_seconds=60)
        await api.rows(SILENT_NETWORK)
        mine = Actor("key", "mer_1", frozenset(), livemode=False)
        slow = {"payments": [{"method": ETH, "to": SLOW, "units": "1"}]}
        asked = [("silent", {"n": n}) for n in range(10)] + [(NETWORK, slow)]
        crowd = [
            asyncio.create_task(questions.ask(mine, "destination", where, body, now()))
            for where, body in asked
        ]
        try:

            async def all_put() -> bool | None:
                return len(await api.rows("SELECT 1 FROM question")) == len(crowd) or None

            await until(all_put, "the questions", seconds_max=10)
            good = {"payments": [{"method": ETH, "to": GOOD, "units": "1"}]}
            answer = await questions.ask(mine, "destination", NETWORK, good, now())
            assert answer["findings"][0]["kind"] == "wallet"
            assert not any(each.done() for each in crowd)
        finally:
            for each in crowd:
                each.cancel()
            await asyncio.gather(*crowd, return_exceptions=True)


@pytest.mark.parametrize(("unchecked", "status"), [(False, 429), (True, 201)])
async def test_who_asks_too_often_is_told_so(
    database: FreshDatabase, status: int, *, unchecked: bool
) -> None:
    """429 and not the network's fault, for one and for many; what was taken is replayed."""
    async with (
        world(database) as w,
        asking(database, w, unchecked=unchecked) as api,
        answering(w, network()),
    ):
        await funded(w)
        key = await api.key("mer_1")
        first = await ask(api, key, GOOD, once="1")
        await api.rows(
            "INSERT INTO question (id, asker, kind, network_id, body, operator, answer,"
            " answered_at) SELECT 'q' || n, 'mer_1', 'destination', 'ethereum', '{}', false,"
            f" '{{}}', now() FROM generate_series(1, {LARGER['destination']}) AS n RETURNING 1"
        )
        await api.rows(
            "UPDATE question SET asked_at = now() - interval '6 seconds' RETURNING 1"
        )
        many = await batch(api, key, [payout(GOOD, amount="2")])
        for answer in (await ask(api, key, GOOD, amount="2"), many):
            assert answer.status_code == status, answer.text
            assert unchecked or answer.headers["Retry-After"] == "60"
        assert (await ask(api, key, GOOD, once="1")).json() == first.json()


@pytest.mark.parametrize("count", [1, 10, 100])
def test_patience_grows_with_the_destinations_and_the_asker_has_more_of_it(count: int) -> None:
    """A hundred of 300 ms each, some at a time, are within the watcher's; it answers in time."""
    assert count / AT_ONCE * 0.3 < patience(count) < PATIENCE_SECONDS + MORE_SECONDS * count
    assert patience(10_000) == MOST_SECONDS


@pytest.mark.parametrize(
    ("findings", "refused"),
    [
        ([UNHEARD, UNLOOKED], True),
        ([UNHEARD, UNHEARD], True),
        ([UNHEARD, None], False),
        ([UNLOOKED, UNLOOKED], False),
    ],
)
def test_a_malformed_item_does_not_keep_a_batch_that_nobody_answers_for(
    findings: Sequence[destinations.Finding | None], refused: bool
) -> None:
    """Its key would be used up though nothing was learned of the other items."""
    with pytest.raises(Unavailable) if refused else nullcontext():
        require_heard(findings)


def test_what_was_not_looked_at_is_not_taken() -> None:
    """A refusal that is gone by the time of the hold is no leave to pay unseen."""
    with pytest.raises(Unavailable):
        require_receiver(UNLOOKED)
