"""Rules as the worker carries them out, as its own role, and what that role may not do."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from gateway.db import CROSS_TENANT, Database
from tests.conftest import FreshDatabase
from tests.gateway.payout_rules.test_rules import begin, with_entry
from tests.gateway.payout_rules.turns import turn
from tests.gateway.shop import Shop
from tests.gateway.withdrawals.test_request import OUTSIDE, balance

pytestmark = pytest.mark.anyio
WHOLE = 1_000_000
PAUSE = (
    "INSERT INTO pause (id, livemode, network_id, reason, created_by, created_at)"
    " VALUES ('pau_1', false, 'ethereum', 'x', 'x', now())"
)


@pytest.fixture
async def worker(database: FreshDatabase) -> AsyncIterator[Database]:
    """Open the database as gw_worker."""
    opened = Database(database.url("worker"), pool_size=2)
    yield opened
    await opened.aclose()


async def rule_of(shop: Shop, key: str) -> dict[str, Any]:
    """Return the merchant's one rule."""
    [rule] = (await shop.call("GET", "/v1/payout_rules", key)).json()["data"]
    return dict(rule)


async def withdrawals(shop: Shop, key: str) -> list[dict[str, Any]]:
    """Return what was asked for, newest first."""
    return list((await shop.call("GET", "/v1/withdrawals", key)).json()["data"])


async def test_a_balance_above_the_threshold_is_asked_for(shop: Shop, worker: Database) -> None:
    """All but what stays and the fee, once; it waits for the merchant like everybody's."""
    merchant, key, entry = await with_entry(shop)
    rule = (await begin(shop, key, entry)).json()
    await shop.fund(merchant, "USDC-ETHEREUM", 50 * WHOLE - 1)
    await turn(worker, shop)
    assert await withdrawals(shop, key) == []
    await shop.fund(merchant, "USDC-ETHEREUM", 1)
    for _ in range(3):
        await turn(worker, shop)
    [made] = await withdrawals(shop, key)
    assert (made["amount"], made["fee_charged"], made["status"]) == (
        "39.000000",
        "1.000000",
        "pending",
    )
    assert (made["destination"], made["created_by"]) == (OUTSIDE, f"auto:{rule['id']}")
    assert await balance(shop, key) == ("10.000000", "40.000000")
    assert (await rule_of(shop, key))["reason"] == f"{made['id']} is under way"
    await shop.run("UPDATE withdrawal SET blocked_reason = 'the hot wallet holds too little'")
    await turn(worker, shop)
    waits = f"{made['id']} waits: the hot wallet holds too little"
    assert (await rule_of(shop, key))["reason"] == waits
    [event] = (await shop.call("GET", "/v1/events", key)).json()["data"]
    assert (event["type"], event["subject"]) == ("withdrawal.created", made["id"])
    approved = await shop.call("POST", f"/v1/withdrawals/{made['id']}/approve", key)
    assert approved.json()["status"] == "approved", "the key did not create it: it may approve"


async def test_one_per_period(shop: Shop, worker: Database) -> None:
    """Rejected, it does not come again at once; in the next period it does."""
    merchant, key, entry = await with_entry(shop)
    await begin(shop, key, entry, period_minutes=60)
    await shop.fund(merchant, "USDC-ETHEREUM", 60 * WHOLE)
    await turn(worker, shop)
    [made] = await withdrawals(shop, key)
    await shop.call("POST", f"/v1/withdrawals/{made['id']}/reject", key)
    await turn(worker, shop)
    assert len(await withdrawals(shop, key)) == 1
    reason = (await rule_of(shop, key))["reason"]
    assert reason == "there was a withdrawal in this period"
    shop.clock.at += timedelta(minutes=60)
    await turn(worker, shop)
    assert len(await withdrawals(shop, key)) == 2


async def test_it_approves_itself_below_the_limit_only(shop: Shop, worker: Database) -> None:
    """Below ten USDC, where the merchant said so; above, somebody has to."""
    merchant, key, entry = await with_entry(shop)
    await begin(shop, key, entry, approval="automatic", threshold="5", keep="0")
    await shop.fund(merchant, "USDC-ETHEREUM", 10_999_999)
    await turn(worker, shop)
    [small] = await withdrawals(shop, key)
    assert (small["amount"], small["status"], small["approved_by"]) == (
        "9.999999",
        "approved",
        small["created_by"],
    )
    await shop.call("POST", f"/v1/withdrawals/{small['id']}/cancel", key)
    await shop.fund(merchant, "USDC-ETHEREUM", 1)
    shop.clock.at += timedelta(minutes=60)
    await turn(worker, shop)
    large = (await withdrawals(shop, key))[0]
    assert (large["amount"], large["status"]) == ("10.000000", "pending")
    types = [
        event["type"] for event in (await shop.call("GET", "/v1/events", key)).json()["data"]
    ]
    assert types.count("withdrawal.approved") == 1


async def test_a_rule_says_why_it_waits(shop: Shop, worker: Database) -> None:
    """Cooling down, paused, switched off, suspended, deleted; and it goes on when that is over."""
    merchant, key, entry = await with_entry(shop)
    await begin(shop, key, entry)
    await shop.fund(merchant, "USDC-ETHEREUM", 60 * WHOLE)
    obstacles = (
        ("UPDATE address_book_entry SET usable_at = usable_at + interval '2 days'",
         "UPDATE address_book_entry SET usable_at = usable_at - interval '2 days'", "cools down"),
        (PAUSE, "UPDATE pause SET lifted_at = now(), lifted_by = 'x'", "paused"),
        ("UPDATE currency SET enabled = false", "UPDATE currency SET enabled = true", "switched off"),
        ("UPDATE merchant SET status = 'suspended'", "UPDATE merchant SET status = 'active'", "suspended"),
        ("UPDATE address_book_entry SET deleted_at = now()",
         "UPDATE address_book_entry SET deleted_at = NULL", "deleted"),
    )  # fmt: skip
    for stands, over, words in obstacles:
        async with shop.owner.unit_of_work(None) as session:
            await session.execute(text(stands))
        await turn(worker, shop)
        async with shop.owner.unit_of_work(None) as session:
            [reason] = await session.scalars(text("SELECT reason FROM payout_rule"))
            assert words in reason
            await session.execute(text(over))
        assert await shop.rows("SELECT 1 FROM withdrawal") == []
    await turn(worker, shop)
    assert len(await withdrawals(shop, key)) == 1


async def test_a_closed_book_and_a_disabled_rule(shop: Shop, worker: Database) -> None:
    """An entry of the book is what a closed book allows; a rule that is off does nothing."""
    merchant, key, entry = await with_entry(shop)
    rule = (await begin(shop, key, entry, enabled=False)).json()
    body = {"address_book_only": True}
    await shop.call("PATCH", "/v1/withdrawal_settings", key, json=body)
    await shop.fund(merchant, "USDC-ETHEREUM", 60 * WHOLE)
    await turn(worker, shop)
    assert await withdrawals(shop, key) == []
    await shop.call("PATCH", f"/v1/payout_rules/{rule['id']}", key, json={"enabled": True})
    await turn(worker, shop)
    assert len(await withdrawals(shop, key)) == 1


INSERT = (
    "INSERT INTO withdrawal (id, merchant_id, livemode, currency_id, network_id, units, fee_units,"
    " destination, status, created_by, rule_id, approved_by, created_at, updated_at)"
    " SELECT 'wdr_x', r.merchant_id, r.livemode, {currency}, 'ethereum', 5,"
    " (SELECT withdrawal_fee_units FROM currency WHERE id = {currency}), {destination},"
    " {status}, {creator}, {rule}, NULL, :at, :at FROM payout_rule r"
)
TRUTH = {
    "currency": "r.currency_id",
    "destination": f"'{OUTSIDE.lower()}'",
    "status": "'pending'",
    "creator": "'auto:' || r.id",
    "rule": "r.id",
}
FORGERIES: list[tuple[str, dict[str, str], str]] = [
    ("worker", {"destination": "'0x' || repeat('9', 40)"}, "not what its rule says"),
    ("worker", {"currency": "'ETH-ETHEREUM'"}, "not what its rule says"),
    ("worker", {"status": "'approved'"}, "row-level security"),
    ("worker", {"rule": "NULL", "creator": "'key_1'"}, "row-level security"),
    ("worker", {"creator": "'key_1'"}, "withdrawal_rule_check"),
    ("api", {}, "row-level security"),
    ("api", {"rule": "NULL"}, "withdrawal_rule_check"),
]


async def test_the_worker_may_ask_for_what_a_rule_says_and_nothing_else(
    shop: Shop, worker: Database
) -> None:
    """Another address, another currency, no rule, approved from birth; and the API may not forge one."""
    merchant, key, entry = await with_entry(shop)
    await begin(shop, key, entry)
    for role, lie, words in FORGERIES:
        as_role = worker if role == "worker" else shop.database
        with pytest.raises((ProgrammingError, IntegrityError), match=words):
            async with as_role.unit_of_work(
                merchant if role == "api" else CROSS_TENANT
            ) as session:
                statement = INSERT.format(**{**TRUTH, **lie})
                await session.execute(text(statement), {"at": shop.at()})
    async with worker.unit_of_work(CROSS_TENANT) as session:
        await session.execute(text(INSERT.format(**TRUTH)), {"at": shop.at()})
    with pytest.raises(IntegrityError, match="withdrawal_of_rule"):
        async with worker.unit_of_work(CROSS_TENANT) as session:
            again = INSERT.format(**TRUTH).replace("wdr_x", "wdr_y")
            await session.execute(text(again), {"at": shop.at()})


async def test_the_worker_approves_by_rule_only(shop: Shop, worker: Database) -> None:
    """Not one that the merchant shall approve, not a merchant's own, not above the limit."""
    merchant, key, entry = await with_entry(shop)
    rule = (await begin(shop, key, entry)).json()
    await shop.fund(merchant, "USDC-ETHEREUM", 60 * WHOLE)
    await turn(worker, shop)
    approve = "UPDATE withdrawal SET status = 'approved', approved_by = created_by, approved_at = now()"
    path = f"/v1/payout_rules/{rule['id']}"
    for approval in ("merchant", "automatic"):
        await shop.call("PATCH", path, key, json={"approval": approval})
        for as_role, tenant in ((worker, None), (shop.database, merchant)):
            with pytest.raises(IntegrityError, match="its rule may not approve it"):
                async with as_role.unit_of_work(tenant) as session:
                    await session.execute(text(approve))
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with worker.unit_of_work(CROSS_TENANT) as session:
            await session.execute(text(approve.replace("= created_by", "= 'key_1'")))
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with worker.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                text("INSERT INTO journal (kind, ref, at) VALUES ('capital', 'x', now())")
            )
