"""What approvers see, and what becomes of their yes and no."""

import asyncio
from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from gateway.db import CROSS_TENANT
from tests.gateway.approvals.people import (
    PEOPLE,
    ask,
    assertion,
    order_row,
    proof,
    publish,
    say_yes,
    shown,
    waiting,
)
from tests.gateway.shop import Shop
from tests.gateway.withdrawals.test_gate import requested
from tests.gateway.withdrawals.test_request import OUTSIDE

pytestmark = pytest.mark.anyio
ORDERS = "/v1/approvals/orders"


async def test_a_person_sees_everything_before_saying_yes(shop: Shop) -> None:
    """Amount in coins, destination, ceiling, merchant, who asked, and what was paid there before."""
    order_id, made, _ = await waiting(shop)
    page = (await ask(shop, "alice", "GET", ORDERS)).json()
    [document] = page["data"]
    assert document == await shown(shop, order_id)
    assert document["order"] == {
        "withdrawal_id": made["id"],
        "network": "ethereum",
        "asset": "0x5fbdb2315678afecb367f032d93f642f64180aa3",
        "to": OUTSIDE.lower(),
        "units": "12500000",
        "fee_ceiling": str(10**16),
        "merchant": made["merchant_id"],
        "requested_by": made["created_by"],
        "expires_ms": document["order"]["expires_ms"],
    }
    assert (document["amount"], document["currency"], document["decimals"]) == (
        "12.500000", "USDC", 6,
    )  # fmt: skip
    assert (document["fee_ceiling"], document["fee_currency"]) == (
        "0.010000000000000000",
        "ETH",
    )
    assert (document["destination"], document["merchant_name"]) == (OUTSIDE, "Shop")
    assert (document["status"], document["rule"]) == ("waiting", "two people")
    assert document["approvals"] == {"have": 0, "need": 2}
    assert document["history"]["completed"] == 0
    assert document["address_book"] is None


async def test_history_is_the_merchants_own(shop: Shop) -> None:
    """What another merchant paid to an address says nothing about this one's destination."""
    order_id, made, _ = await waiting(shop)
    other = await shop.merchant("Other")
    copied = (
        "INSERT INTO withdrawal (id, merchant_id, livemode, currency_id, network_id, units,"
        " fee_units, destination, status, created_by, created_at, completed_at, updated_at)"
        " SELECT :new, :merchant, livemode, currency_id, network_id, :units, 0, destination,"
        " 'completed', created_by, created_at, :at, updated_at FROM withdrawal WHERE id = :id"
    )
    for number, merchant in enumerate([made["merchant_id"], made["merchant_id"], other]):
        await shop.run(
            copied, new=f"wdr_old_{number}", merchant=merchant, id=made["id"],
            units=1_000_000 + number, at=shop.clock().at,
        )  # fmt: skip
    history = (await shown(shop, order_id))["history"]
    assert (history["completed"], history["amount"]) == (2, "2.000001")
    assert history["first_at"] < history["last_at"]


async def test_the_merchants_name_for_the_destination_is_shown(shop: Shop) -> None:
    """An entry of its address book, and from when it counts."""
    order_id, made, _ = await waiting(shop)
    await shop.run(
        "INSERT INTO address_book_entry (id, merchant_id, livemode, network_id, address, label,"
        " created_by, created_at, usable_at)"
        " VALUES ('abe_1', :merchant, false, 'ethereum', :to, 'payroll', 'x', :at, :at)",
        merchant=made["merchant_id"], to=OUTSIDE.lower(), at=shop.clock().at,
    )  # fmt: skip
    entry = (await shown(shop, order_id))["address_book"]
    assert entry["label"] == "payroll"


async def test_two_people_approve(shop: Shop) -> None:
    """Each proof counts once; who gave it is on the order and in the audit log."""
    order_id, made, _ = await waiting(shop)
    one = (await say_yes(shop, "alice", order_id)).json()
    assert (one["approvals"], one["status"]) == ({"have": 1, "need": 2}, "waiting")
    again = await say_yes(shop, "alice", order_id)
    assert (again.status_code, again.json()) == (200, one)
    two = (await say_yes(shop, "bob", order_id)).json()
    assert (two["approvals"], two["status"]) == ({"have": 2, "need": 2}, "approved")
    assert two["approved_by"] == ["alice", "bob"]
    rows = await shop.rows(
        "SELECT actor, after FROM audit_log WHERE action = 'approval.given' AND subject = :id"
        " ORDER BY id",
        id=made["id"],
    )
    assert [row.actor for row in rows] == ["approver:alice", "approver:bob"]
    assert rows[0].after["order_id"] == order_id


async def test_two_at_once_are_one(shop: Shop) -> None:
    """The same person's yes, sent twice in the same moment."""
    order_id, _, _ = await waiting(shop)
    body = proof("alice", await shown(shop, order_id))
    target = f"{ORDERS}/{order_id}/approve"
    answers = await asyncio.gather(
        *(ask(shop, "alice", "POST", target, body) for _ in range(4))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len(await shop.rows("SELECT 1 FROM approval")) == 1
    assert len(await shop.rows("SELECT 1 FROM audit_log WHERE action = 'approval.given'")) == 1


async def test_a_proof_of_another_order_is_not_kept(shop: Shop) -> None:
    """Every field is under the signature."""
    order_id, _, _ = await waiting(shop)
    changes: list[dict[str, object]] = [
        {"to": "0x" + "66" * 20}, {"units": "12500001"}, {"fee_ceiling": "1"},
        {"asset": "native"}, {"network": "base"}, {"requested_by": "key_x"},
        {"merchant": "mer_x"}, {"withdrawal_id": "wdr_x"}, {"expires_ms": 1},
    ]  # fmt: skip
    for change in changes:
        answer = await say_yes(shop, "alice", order_id, **change)
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_approval"), change
    assert await shop.rows("SELECT 1 FROM approval") == []


async def test_nobody_speaks_for_another(shop: Shop) -> None:
    """Bob's genuine proof in Alice's request is refused."""
    order_id, _, _ = await waiting(shop)
    body = proof("bob", await shown(shop, order_id))
    answer = await ask(shop, "alice", "POST", f"{ORDERS}/{order_id}/approve", body)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_your_proof")


async def test_nobody_approves_his_own_request(shop: Shop) -> None:
    """By the person's id in the gateway, as the policy knows it."""
    order_id, made, _ = await waiting(shop)
    alice, *others = PEOPLE
    own = msgspec.structs.replace(alice, subject=made["created_by"])
    await publish(shop, people=[own, *others])
    assert (await shown(shop, order_id))["own_request"] is True
    assert (await shown(shop, order_id, "bob"))["own_request"] is False
    answer = await say_yes(shop, "alice", order_id)
    assert (answer.status_code, answer.json()["code"]) == (403, "own_request")
    assert (await say_yes(shop, "bob", order_id)).status_code == 200


async def test_an_operators_key_carries_what_proves_itself(shop: Shop) -> None:
    """A passkey cannot sign requests: its assertion comes with a key that may carry it."""
    order_id, _, _ = await waiting(shop)
    operator = await shop.key(None)
    document = (await shop.call("GET", f"{ORDERS}/{order_id}", operator)).json()
    target = f"{ORDERS}/{order_id}/approve"
    absent = await shop.call("POST", target, operator, json=assertion(document, flags=0x01))
    assert (absent.status_code, absent.json()["code"]) == (422, "bad_approval")
    given = await shop.call("POST", target, operator, json=assertion(document))
    assert given.json()["approved_by"] == ["carol"]
    assert given.json()["approvals"]["have"] == 1
    refused = await shop.call(
        "POST", f"{ORDERS}/{order_id}/refuse", operator, json={"reason": "x"}
    )
    assert (refused.status_code, refused.json()["code"]) == (403, "approver_required")


async def test_an_operators_key_sees_its_own_mode(shop: Shop) -> None:
    """A live key knows nothing of test networks, and a merchant's key is none of these."""
    order_id, _, merchants = await waiting(shop)
    live, reader = await shop.key(None, livemode=True), await shop.key(None, ["approvals:read"])
    assert (await shop.call("GET", ORDERS, live)).json()["data"] == []
    assert (await shop.call("GET", f"{ORDERS}/{order_id}", live)).status_code == 404
    assert len((await shop.call("GET", ORDERS, reader)).json()["data"]) == 1
    denied = await shop.call("POST", f"{ORDERS}/{order_id}/approve", reader, json={})
    assert denied.status_code == 403
    assert (await shop.call("GET", ORDERS, merchants)).status_code == 403


async def test_a_refusal_closes_the_order(shop: Shop) -> None:
    """With the signed request kept; nobody can approve after it, and saying it again is harmless."""
    order_id, _, _ = await waiting(shop)
    assert (await say_yes(shop, "bob", order_id)).status_code == 200
    target = f"{ORDERS}/{order_id}/refuse"
    said = await ask(shop, "alice", "POST", target, {"reason": "not what we ordered"})
    assert (said.status_code, said.json()["status"]) == (200, "refused")
    assert said.json()["refused"]["approver"] == "alice"
    assert (await ask(shop, "alice", "POST", target, {"reason": "again"})).status_code == 200
    [row] = await shop.rows("SELECT * FROM refusal")
    assert (row.reason, row.proof["body"]) == (
        "not what we ordered",
        '{"reason": "not what we ordered"}',
    )
    late = await say_yes(shop, "alice", order_id)
    assert (late.status_code, late.json()["code"]) == (409, "order_not_open")
    assert (await ask(shop, "alice", "GET", ORDERS)).json()["data"] == []


async def test_what_is_begun_is_no_longer_refused(shop: Shop) -> None:
    """Nor is it shown as waiting when it is on its way."""
    order_id, made, _ = await waiting(shop)
    target = f"{ORDERS}/{order_id}/refuse"
    for status, document in (("signing", "waiting"), ("broadcast", "ended")):
        await shop.run(
            f"UPDATE withdrawal SET status = '{status}' WHERE id = :id", id=made["id"]
        )
        answer = await ask(shop, "alice", "POST", target, {"reason": "no"})
        assert (answer.status_code, answer.json()["code"]) == (409, "order_not_open")
        assert (await shown(shop, order_id))["status"] == document
    assert (await ask(shop, "alice", "GET", ORDERS)).json()["data"] == []


async def test_an_expired_order_takes_no_approval(shop: Shop) -> None:
    """It is still shown by its id; the next revision is another order."""
    order_id, made, _ = await waiting(shop, hours=0)
    assert (await ask(shop, "alice", "GET", ORDERS)).json()["data"] == []
    assert (await shown(shop, order_id))["status"] == "expired"
    answer = await say_yes(shop, "alice", order_id)
    assert (answer.status_code, answer.json()["code"]) == (409, "order_not_open")
    second = await order_row(shop, made["id"], revision=2)
    assert (await say_yes(shop, "alice", second)).json()["revision"] == 2


async def test_an_approver_sees_only_networks_whose_policy_names_him(shop: Shop) -> None:
    """Bob was taken out of this network's policy and is still in another's."""
    order_id, _, _ = await waiting(shop)
    await publish(shop, "tron")
    await publish(shop, people=[each for each in PEOPLE if each.name != "bob"])
    assert (await ask(shop, "bob", "GET", ORDERS)).json()["data"] == []
    assert (await ask(shop, "bob", "GET", f"{ORDERS}/{order_id}")).status_code == 404
    body = proof("bob", await shown(shop, order_id))
    answer = await ask(shop, "bob", "POST", f"{ORDERS}/{order_id}/approve", body)
    assert answer.status_code == 404


async def test_what_was_asked_and_said_never_changes(shop: Shop) -> None:
    """Not for the owner of the tables either."""
    order_id, _, _ = await waiting(shop)
    await say_yes(shop, "bob", order_id)
    await ask(shop, "alice", "POST", f"{ORDERS}/{order_id}/refuse", {"reason": "no"})
    for table, column in (
        ("approval_order", "id"), ("approval", "order_id"), ("refusal", "order_id"),
    ):  # fmt: skip
        for change in (
            f"UPDATE {table} SET {column} = {column} RETURNING 1",
            f"DELETE FROM {table} RETURNING 1",
            f"TRUNCATE {table} CASCADE",
        ):
            with pytest.raises(ProgrammingError, match="append-only"):
                await shop.rows(change)


async def test_an_order_is_its_withdrawal_or_is_not_written(shop: Shop) -> None:
    """A second revision needs a first that has expired."""
    _, made, _ = await waiting(shop)
    changes: list[dict[str, Any]] = [
        {"units": 12_500_001}, {"destination": "0x" + "66" * 20}, {"asset": "native"},
        {"requested_by": "key_x"}, {"merchant_id": None}, {"network_id": "tron"},
    ]  # fmt: skip
    for change in changes:
        with pytest.raises(DBAPIError, match="is not its withdrawal"):
            await order_row(shop, made["id"], revision=1, **change)
    with pytest.raises(DBAPIError, match="has not expired"):
        await order_row(shop, made["id"], revision=2)


async def test_the_api_writes_no_order_and_speaks_for_nobody_else(shop: Shop) -> None:
    """Whatever it was made to run: its role cannot ask people, nor answer for them."""
    order_id, made, _ = await waiting(shop)
    forged = (
        "INSERT INTO approval (order_id, approver, proof, at)"
        f" VALUES ('{order_id}', 'bob', '{{}}', now())"
    )
    for tenant in ("approver:alice", made["merchant_id"], "approver:nobody", None):
        with pytest.raises(ProgrammingError, match="row-level security"):
            async with shop.database.unit_of_work(tenant) as session:
                await session.execute(text(forged))
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with shop.database.unit_of_work("approver:alice") as session:
            await session.execute(text("INSERT INTO approval_order (id) VALUES ('x')"))
    for tenant in (made["merchant_id"], "approver:nobody", None):
        async with shop.database.unit_of_work(tenant) as session:
            assert (await session.execute(text("SELECT 1 FROM approval_order"))).all() == []


async def test_an_approver_sees_no_withdrawal_without_an_order(shop: Shop) -> None:
    """Nor any other tenant's row."""
    _, made, key = await waiting(shop)
    await shop.call(
        "POST", "/v1/withdrawals", key,
        json={"payment_method": "USDC-ETHEREUM", "amount": "1", "destination": OUTSIDE},
        headers={"Idempotency-Key": "second"},
    )  # fmt: skip
    async with shop.database.unit_of_work("approver:alice") as session:
        rows = (await session.execute(text("SELECT id FROM withdrawal"))).all()
        assert [row.id for row in rows] == [made["id"]]
        assert (await session.execute(text("SELECT 1 FROM merchant"))).all() == []
    async with shop.watcher.unit_of_work(CROSS_TENANT) as session:
        assert len((await session.execute(text("SELECT id FROM withdrawal"))).all()) == 2


async def test_a_refund_of_the_house_is_nobodys(shop: Shop) -> None:
    """It has no merchant, and its history is the house's own refunds to this address."""
    await publish(shop)
    made, _, _ = await requested(shop)
    for change in ("DISABLE", "ENABLE"):
        async with shop.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(text(f"ALTER TABLE withdrawal {change} TRIGGER USER"))
        if change == "DISABLE":
            await shop.run(
                "UPDATE withdrawal SET merchant_id = NULL, status = 'approved' WHERE id = :id",
                id=made["id"],
            )
    order_id = await order_row(shop, made["id"])
    document = await shown(shop, order_id)
    assert (document["order"]["merchant"], document["merchant_name"]) == ("", None)
    assert document["history"]["completed"] == 0
    assert (await say_yes(shop, "alice", order_id)).json()["approved_by"] == ["alice"]


async def test_a_merchants_own_system_sees_its_own_orders_only(shop: Shop) -> None:
    """Neither another merchant's nor the house's; the database says the same."""
    order_id, made, _ = await waiting(shop)
    alice, bob, carol = PEOPLE
    own = msgspec.structs.replace(alice, merchant=made["merchant_id"])
    other = msgspec.structs.replace(bob, merchant="mer_other")
    await publish(shop, people=[own, other, carol])
    assert (await shown(shop, order_id))["id"] == order_id
    assert (await say_yes(shop, "alice", order_id)).status_code == 200
    assert (await ask(shop, "bob", "GET", ORDERS)).json()["data"] == []
    assert (await ask(shop, "bob", "GET", f"{ORDERS}/{order_id}")).status_code == 404
    target = f"{ORDERS}/{order_id}/refuse"
    assert (await ask(shop, "bob", "POST", target, {"reason": "x"})).status_code == 404
    async with shop.database.unit_of_work("approver:bob") as session:
        for table in ("approval_order", "approval", "withdrawal"):
            assert (await session.execute(text(f"SELECT 1 FROM {table}"))).all() == []
