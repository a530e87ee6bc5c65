"""A withdrawal's destination is looked at before money is held; without a word nothing is held."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from gateway.db import CROSS_TENANT
from gateway.domain import posting
from gateway.ledger.service import post
from gateway.models import NetworkHealth
from tests.conftest import FreshDatabase
from tests.gateway.conftest import TestApi
from tests.watchers.asking import Inspected, answering, answers, asking
from tests.watchers.world import ETH, NETWORK, USDC, World, world
from watchers.clock import now
from watchers.destination import Finding
from watchers.network import NATIVE

pytestmark = pytest.mark.anyio
GOOD, BAD, DARK, SLOW = ("0x" + f"{n:02x}" * 20 for n in (0x71, 0x72, 0x73, 0x74))
TURNED_AWAY = Finding("contract", "cannot_receive", "the contract turns the payment away")


def network(**more: Finding) -> Inspected:
    """Return what the network knows."""
    found = {BAD: TURNED_AWAY} | more
    return Inspected(found, dark=frozenset({DARK}), slow=frozenset({SLOW}))


async def funded(w: World) -> None:
    """Give the merchant ten of each coin, and let its network's watcher show a sign of life."""
    async with w.database.unit_of_work(CROSS_TENANT) as session:
        for currency, units in ((ETH, 10 * 10**18), (USDC, 10 * 10**6)):
            entry = posting.deposit(f"fund:{currency}", "mer_1", currency, units)
            await post(session, entry, now())
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        session.add(
            NetworkHealth(
                network_id=NETWORK, head_height=1, scanned_height=1, final_height=1,
                head_time=None, trouble=None, updated_at=datetime.now(UTC),
            )
        )  # fmt: skip


def payout(to: str, amount: str = "1", method: str = ETH) -> dict[str, Any]:
    """Return the body of a request."""
    return {"payment_method": method, "amount": amount, "destination": to}


async def ask(
    api: TestApi, key: str, to: str, *, once: str | None = None, **fields: Any
) -> httpx.Response:
    """Ask for a withdrawal."""
    headers = {"Idempotency-Key": once or api.clock().id("once")}
    body = payout(to, **fields)
    return await api.call("POST", "/v1/withdrawals", key, json=body, headers=headers)


async def held(api: TestApi) -> list[Any]:
    """Return what is held or asked for."""
    return await api.rows(
        "SELECT locked::text FROM wallet WHERE locked > 0"
        " UNION ALL SELECT id FROM withdrawal UNION ALL SELECT kind FROM journal WHERE kind = 'hold'"
    )


async def test_what_cannot_receive_is_refused_before_funds_are_locked(
    database: FreshDatabase,
) -> None:
    """The field and the reason are the network's; an amount may be what is wrong."""
    small = Finding("new", "below_rent_minimum", "too little", field="amount")
    inspected = network(**{GOOD: small})
    async with world(database) as w, asking(database, w) as api, answering(w, inspected):
        await funded(w)
        key = await api.key("mer_1")
        for to, pointer, code in (
            (BAD, "/destination", "cannot_receive"),
            (GOOD, "/amount", "below_rent_minimum"),
        ):
            answer = await ask(api, key, to)
            assert answer.status_code == 422, answer.text
            [fault] = answer.json()["errors"]
            assert (fault["pointer"], fault["code"]) == (pointer, code)
        assert await held(api) == []
        assert [(each.asset, each.units) for each in inspected.asked] == [
            (NATIVE, 10**18),
            (NATIVE, 10**18),
        ]
        assert {each.source for each in inspected.asked} == {w.hot}


async def test_where_the_network_says_nothing_nothing_is_held_and_the_same_key_asks_again(
    database: FreshDatabase,
) -> None:
    """The node is down, or slow: 503 and when to come back; known later, it is taken."""
    inspected = network()
    async with world(database) as w, asking(database, w) as api, answering(w, inspected):
        await funded(w)
        key = await api.key("mer_1")
        for to in (DARK, SLOW):
            answer = await ask(api, key, to, once=to)
            assert (answer.status_code, answer.json()["code"]) == (503, "network_unavailable")
            assert int(answer.headers["Retry-After"]) > 0
        assert await held(api) == []
        assert (await ask(api, key, "nowhere")).status_code == 422, "our own rows speak first"
        inspected.dark = frozenset()
        await api.rows(
            "UPDATE question SET asked_at = now() - interval '6 seconds' RETURNING 1"
        )
        answer = await ask(api, key, DARK, once=DARK)
        assert answer.status_code == 201, answer.text


async def test_an_operator_may_take_withdrawals_unchecked(database: FreshDatabase) -> None:
    """The node is down, or slow, or asked in tokens: accepted; the payer will simulate it."""
    async with (
        world(database) as w,
        asking(database, w, unchecked=True) as api,
        answering(w, network()),
    ):
        await funded(w)
        key = await api.key("mer_1")
        for to, method in ((DARK, ETH), (SLOW, ETH), (GOOD, USDC)):
            answer = await ask(api, key, to, method=method)
            assert answer.status_code == 201, answer.text
        answer = await ask(api, key, BAD)
        assert (answer.status_code, answer.json()["code"]) == (422, "cannot_receive")


@pytest.mark.parametrize(("unchecked", "status"), [(False, 503), (True, 201)])
async def test_without_a_watcher_nobody_is_asked(
    database: FreshDatabase, status: int, *, unchecked: bool
) -> None:
    """No sign of life, no question; one that has just gone costs two seconds, once."""
    async with world(database) as w, asking(database, w, unchecked=unchecked) as api:
        await funded(w)
        key = await api.key("mer_1")
        assert (await ask(api, key, BAD)).status_code == status
        assert len(await api.rows("SELECT 1 FROM question")) == 1
        await api.rows(
            "UPDATE network_health SET updated_at = now() - interval '1 minute' RETURNING 1"
        )
        assert (await ask(api, key, GOOD)).status_code == status
        assert len(await api.rows("SELECT 1 FROM question")) == 1


async def test_a_replay_is_answered_as_the_first_time(database: FreshDatabase) -> None:
    """Whatever the network says by then: what was accepted stays accepted."""
    inspected = network()
    async with world(database) as w, asking(database, w) as api, answering(w, inspected):
        await funded(w)
        key = await api.key("mer_1")
        first = await ask(api, key, GOOD, once="1")
        inspected.found = {GOOD: TURNED_AWAY}
        await api.rows(
            "UPDATE question SET asked_at = now() - interval '6 seconds' RETURNING 1"
        )
        again = await ask(api, key, GOOD, once="1")
        assert (first.status_code, again.json()) == (201, first.json())
        assert again.headers["Idempotent-Replayed"] == "true"
        assert (await ask(api, key, GOOD, once="2")).json()["code"] == "cannot_receive"


async def batch(
    api: TestApi, key: str, items: Sequence[Mapping[str, Any]], *, once: str = "batch"
) -> httpx.Response:
    """Ask for many, under the same key unless told otherwise."""
    headers = {"Idempotency-Key": once}
    body = {"items": items}
    return await api.call("POST", "/v1/withdrawals/batch", key, json=body, headers=headers)


async def test_a_batch_is_one_question(database: FreshDatabase) -> None:
    """Each item has its own answer; the refused one holds nothing."""
    inspected = network()
    async with world(database) as w, asking(database, w) as api, answering(w, inspected):
        await funded(w)
        items = [payout(GOOD), payout(BAD), payout(GOOD, method=USDC)]
        answer = await batch(api, await api.key("mer_1"), items)
        assert answer.status_code == 201, answer.text
        results = answer.json()["data"]
        codes = [each.get("problem", {}).get("code") for each in results]
        assert codes == [None, "cannot_receive", None]
        assert results[1]["problem"]["errors"][0]["pointer"] == "/items/1/destination"
        assert len(await api.rows("SELECT 1 FROM question")) == 1
        assert len(inspected.asked) == 3


async def test_an_estimate_says_what_the_network_knows(database: FreshDatabase) -> None:
    """Valid, refused, or unknown; 503 only for a caller that wants to know."""
    new = Finding("new", creates="activation", create_units=1_100_000)
    async with (
        world(database) as w,
        asking(database, w) as api,
        answering(w, network(**{GOOD: new})),
    ):
        await funded(w)
        key = await api.key("mer_1")

        async def estimated(to: str, **fields: Any) -> httpx.Response:
            body = {**payout(to), **fields}
            return await api.call("POST", "/v1/withdrawals/estimate", key, json=body)

        told = [(await estimated(to)).json()["destination"] for to in (GOOD, BAD, DARK)]
        assert [each["status"] for each in told] == ["valid", "refused", "unknown"]
        assert (told[0]["creates"], told[0]["creation_cost"]) == (
            "activation",
            "0.000000000001100000",
        )
        assert (told[1]["code"], told[1]["kind"]) == ("cannot_receive", "contract")
        wanted = await estimated(DARK, require_answer=True)
        assert (wanted.status_code, wanted.json()["code"]) == (503, "network_unavailable")
        assert await held(api) == []


async def test_a_question_that_is_none_has_a_fault_for_an_answer(
    database: FreshDatabase,
) -> None:
    """Whatever the row says: another network's method, no number, no list."""
    async with world(database) as w:
        desk = (await answers(w, network())).destinations
        nonsense: list[Any] = [
            None,
            {},
            [{"method": "TRX-TRON", "to": GOOD, "units": "1"}],
            [{"method": ETH, "to": GOOD, "units": "x"}],
            [{"method": ETH, "to": GOOD}],
        ]
        for payments in nonsense:
            assert "fault" in await desk.answer({"payments": payments})
        assert await desk.answer({"payments": []}) == {"findings": []}
