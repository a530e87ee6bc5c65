"""A payout rule's destination is looked at like everybody's, and the rule says what was found."""

from contextlib import aclosing
from datetime import timedelta

import pytest
from sqlalchemy.exc import ProgrammingError

from gateway.db import Database
from gateway.domain.actor import Actor
from gateway.payout_rules.runs import Rules
from gateway.questions.service import Questions
from tests.conftest import FreshDatabase
from tests.gateway.conftest import TestApi
from tests.watchers.asking import answering, asking
from tests.watchers.test_destinations import BAD, DARK, GOOD, funded, held, network
from tests.watchers.world import ETH, NETWORK, world
from watchers.clock import now

pytestmark = pytest.mark.anyio
LATER = "UPDATE question SET asked_at = now() - interval '6 seconds' RETURNING 1"


async def begin(api: TestApi, key: str, to: str) -> str:
    """Let all but one coin leave for an entry of the book that has cooled down; return the rule."""
    body = {"network": NETWORK, "address": to, "label": "treasury"}
    entry = await api.call("POST", "/v1/address_book", key, json=body)
    api.clock.at += timedelta(hours=24)
    rule = {
        "payment_method": ETH, "threshold": "5", "keep": "1",
        "address_book_entry": entry.json()["id"],
    }  # fmt: skip
    made = await api.call("POST", "/v1/payout_rules", key, json=rule)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def reason(api: TestApi) -> str:
    """Return why the rule waits."""
    [[told]] = await api.rows("SELECT reason FROM payout_rule")
    return str(told)


@pytest.mark.parametrize(
    ("to", "why"), [(BAD, "turns the payment away"), (DARK, "does not say now")]
)
async def test_a_rule_asks_for_nothing_where_its_destination_cannot_receive(
    database: FreshDatabase, to: str, why: str
) -> None:
    """Nothing is held, the rule says why, and it goes on once the network says otherwise."""
    inspected = network()
    worker = Database(database.url("worker"), pool_size=3)
    async with (
        aclosing(worker),
        world(database) as w,
        asking(database, w) as api,
        answering(w, inspected),
    ):
        await funded(w)
        key = await api.key("mer_1")
        await begin(api, key, to)
        rules = Rules(worker, Questions(worker), unchecked=False)
        for _ in range(2):
            await rules.round(api.clock())
            assert why in await reason(api)
            await api.rows(LATER)
        assert await held(api) == []
        assert len(inspected.asked) == 1, "nobody asks about it again and again"
        inspected.found, inspected.dark = {}, frozenset()
        api.clock.at += timedelta(minutes=1)
        await rules.round(api.clock())
        assert "is under way" in await reason(api)
        assert [each.units for each in inspected.asked] == [9 * 10**18] * 2
        assert len(await held(api)) == 3


async def test_an_operator_may_take_rules_unchecked_too(database: FreshDatabase) -> None:
    """The payer looks again before it signs; what is known not to receive is refused all the same."""
    worker = Database(database.url("worker"), pool_size=3)
    async with (
        aclosing(worker),
        world(database) as w,
        asking(database, w, unchecked=True) as api,
        answering(w, network()),
    ):
        await funded(w)
        await begin(api, await api.key("mer_1"), DARK)
        await Rules(worker, Questions(worker), unchecked=True).round(api.clock())
        assert "is under way" in await reason(api)


async def test_the_worker_asks_about_destinations_and_nothing_else(
    database: FreshDatabase,
) -> None:
    """Its role may put no operator's question, and none about whose payment something was."""
    worker = Database(database.url("worker"), pool_size=2)
    async with aclosing(worker), world(database):
        questions = Questions(worker, patience_seconds=0.1)
        for kind, merchant in (("explain", "mer_1"), ("destination", None)):
            actor = Actor("key", merchant, frozenset(), livemode=False)
            with pytest.raises(ProgrammingError, match="row-level security"):
                await questions.ask(actor, kind, NETWORK, {"to": GOOD}, now())
