"""What customers have: deposits, balances, entries, transfers, payouts on their behalf."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.db import CROSS_TENANT
from gateway.withdrawals.moves import complete, move
from gateway.withdrawals.repository import locked
from tests.gateway.customers.conftest import address, customer, has, rich
from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio
ETH = "ETH-ETHEREUM"
ELSEWHERE = "0x" + "ab" * 20


async def test_what_arrives_is_the_customers(shop: Shop) -> None:
    """Pending, then confirmed; the merchant's own balance and entries know nothing of it."""
    merchant, key = await shop.merchant_and_key()
    mine = await customer(shop, key)
    to = await address(shop, key, mine)
    await shop.pay(to, ETH, 10**18, tx="0x01")

    async def balance(path: str) -> tuple[int, int]:
        rows = (await shop.call("GET", path, key)).json()["data"]
        [row] = [row for row in rows if row["payment_method"] == ETH]
        return int(row["confirmed_atomic"]), int(row["pending_atomic"])

    assert await balance(f"/v1/customers/{mine}/balances") == (0, 10**18)
    assert await balance("/v1/balances") == (0, 0)
    await shop.pay(to, ETH, 10**18, tx="0x01", final=True)
    assert await balance(f"/v1/customers/{mine}/balances") == (10**18, 0)
    assert await balance("/v1/balances") == (0, 0)
    [entry] = (await shop.call("GET", f"/v1/customers/{mine}/balance_entries", key)).json()[
        "data"
    ]
    assert (entry["type"], entry["journal"]["kind"]) == ("deposit", "deposit")
    assert (await shop.call("GET", "/v1/balance_entries", key)).json()["data"] == []
    [deposit] = (await shop.call("GET", f"/v1/customers/{mine}/deposits", key)).json()["data"]
    assert (deposit["matched"], deposit["customer_id"]) == ("customer", mine)
    assert (deposit["status"], deposit["invoice_id"]) == ("confirmed", None)
    query = {"customer_id": mine}
    listed = (await shop.call("GET", "/v1/deposits", key, params=query)).json()["data"]
    assert listed == [deposit]
    events = await shop.rows("SELECT type, data, merchant_id FROM event ORDER BY position")
    assert [event.type for event in events] == [
        "deposit.detected",
        "deposit.confirmed",
        "customer.balance_changed",
    ]
    assert {event.merchant_id for event in events} == {merchant}
    assert events[1].data["object"]["customer_id"] == mine
    told = events[2].data["object"]
    assert (told["customer_id"], told["confirmed_atomic"]) == (mine, str(10**18))
    assert (told["confirmed"], told["version"]) == ("1.000000000000000000", 1)


async def test_money_moves_between_merchant_and_customer_once(shop: Shop) -> None:
    """Charge and grant; covered or refused; the same key answers the same; all on record."""
    merchant, key = await shop.merchant_and_key()
    mine = await rich(shop, key)
    path = f"/v1/customers/{mine}/transfers"
    body = {"direction": "charge", "payment_method": ETH, "amount": "0.4", "description": "fee"}
    bare = await shop.call("POST", path, key, json=body)
    assert bare.json()["code"] == "idempotency_key_required"
    once = {"Idempotency-Key": "1"}
    first, again = [await shop.call("POST", path, key, json=body, headers=once) for _ in "ab"]
    assert (first.status_code, first.content) == (201, again.content)
    assert first.json()["amount_atomic"] == str(4 * 10**17)
    assert await has(shop, mine) == (6 * 10**17, 0)
    assert await has(shop, merchant) == (4 * 10**17, 0)
    for number, (direction, amount, status) in enumerate(
        [("grant", "0.5", 422), ("charge", "0.7", 422), ("grant", "0.1", 201)]
    ):
        asked = {**body, "direction": direction, "amount": amount}
        headers = {"Idempotency-Key": f"n{number}"}
        answer = await shop.call("POST", path, key, json=asked, headers=headers)
        assert answer.status_code == status
        if status == 422:
            assert answer.json()["code"] == "insufficient_balance"
    assert await has(shop, mine) == (7 * 10**17, 0)
    listed = (await shop.call("GET", path, key)).json()["data"]
    assert [row["direction"] for row in listed] == ["grant", "charge"]
    rows = await shop.rows("SELECT after FROM audit_log WHERE action = 'customer.transfer'")
    assert {row.after["transfer_id"] for row in rows} == {row["id"] for row in listed}
    told = await shop.rows(
        "SELECT data FROM event WHERE type = 'customer.balance_changed' ORDER BY sequence"
    )
    tenths = [int(row.data["object"]["confirmed_atomic"]) // 10**17 for row in told]
    assert tenths == [10, 6, 7]


async def test_a_deleted_customer_can_be_emptied_and_is_given_nothing(shop: Shop) -> None:
    """Its address goes on crediting it; a charge takes the money back."""
    merchant, key = await shop.merchant_and_key()
    mine = await rich(shop, key)
    await shop.fund(merchant, ETH, 10**18)
    to = await address(shop, key, mine)
    await shop.call("DELETE", f"/v1/customers/{mine}", key)
    await shop.pay(to, ETH, 10**18, tx="0xlate", final=True)
    path = f"/v1/customers/{mine}/transfers"
    for direction, status in (("grant", 409), ("charge", 201)):
        answer = await shop.call(
            "POST",
            path,
            key,
            json={"direction": direction, "payment_method": ETH, "amount": "2"},
            headers={"Idempotency-Key": direction},
        )
        assert answer.status_code == status, answer.text
    assert await has(shop, mine) == (0, 0)


async def test_a_payout_out_of_a_customers_balance(shop: Shop) -> None:
    """Held, approved by another key, given back when rejected; covered by that balance alone."""
    merchant, key = await shop.merchant_and_key()
    approver = await shop.key(merchant)
    mine, other = await rich(shop, key), await rich(shop, key)
    await shop.fund(merchant, ETH, 10**18)
    ask = {
        "payment_method": ETH,
        "amount": "0.4",
        "destination": ELSEWHERE,
        "customer_id": mine,
    }

    async def asked(number: int, **fields: str) -> tuple[int, dict[str, str]]:
        answer = await shop.call(
            "POST",
            "/v1/withdrawals",
            key,
            json={**ask, **fields},
            headers={"Idempotency-Key": str(number)},
        )
        return answer.status_code, answer.json()

    status, made = await asked(1)
    assert (status, made["customer_id"], made["status"]) == (201, mine, "pending")
    assert await has(shop, mine) == (6 * 10**17, 4 * 10**17)
    assert (await asked(2, amount="0.7"))[1]["code"] == "insufficient_balance"
    assert (await asked(3, customer_id="cus_nobody"))[1]["code"] == "unknown_customer"
    own = (await shop.call("GET", f"/v1/customers/{mine}/deposit_addresses", key)).json()
    to_self = await asked(4, destination=own["data"][0]["address"])
    assert to_self[1]["code"] == "own_address"
    assert await has(shop, other) == await has(shop, merchant) == (10**18, 0)
    path = f"/v1/withdrawals/{made['id']}"
    assert (await shop.call("POST", f"{path}/approve", key)).status_code == 403
    assert (await shop.call("POST", f"{path}/approve", approver)).status_code == 200
    assert (await shop.call("POST", f"{path}/reject", approver)).status_code == 200
    assert await has(shop, mine) == (10**18, 0)
    query = {"customer_id": mine}
    listed = (await shop.call("GET", "/v1/withdrawals", key, params=query)).json()["data"]
    assert [row["id"] for row in listed] == [made["id"]]
    told = await shop.rows(
        "SELECT data FROM event WHERE type = 'customer.balance_changed' AND subject = :subject"
        " ORDER BY sequence",
        subject=f"{mine}:{ETH}",
    )
    parts = [
        [
            int(row.data["object"][part]) // 10**17
            for part in ("confirmed_atomic", "locked_atomic")
        ]
        for row in told
    ]
    assert parts == [[10, 0], [6, 4], [10, 0]]


async def test_a_payout_that_lands_is_settled_out_of_the_customers_balance(shop: Shop) -> None:
    """What the chain decided leaves the customer's locked balance, and nobody else's."""
    merchant, key = await shop.merchant_and_key()
    mine = await rich(shop, key)
    await shop.fund(merchant, ETH, 10**18)
    ask = {
        "payment_method": ETH,
        "amount": "0.4",
        "destination": ELSEWHERE,
        "customer_id": mine,
    }
    answer = await shop.call(
        "POST", "/v1/withdrawals", key, json=ask, headers={"Idempotency-Key": "1"}
    )
    async with shop.watcher.unit_of_work(CROSS_TENANT) as session:
        row = await locked(session, answer.json()["id"])
        assert row is not None
        for status in ("approved", "signing", "broadcast"):
            await move(session, row, status, shop.clock())
        await complete(session, row, row.units, shop.clock())
    assert await has(shop, mine) == (6 * 10**17, 0)
    assert await has(shop, merchant) == (10**18, 0)
    assert await has(shop, "custody") == (-(16 * 10**17), 0)
    with pytest.raises(DBAPIError, match="does not fit"):
        async with shop.watcher.unit_of_work(CROSS_TENANT) as session:
            statement = text(
                "INSERT INTO balance_history (journal_id, account, currency_id, change_type,"
                " delta_confirmed, delta_locked, at) SELECT j.id, a, 'ETH-ETHEREUM', 'WITHDRAWAL',"
                " u, 0, now() FROM journal j, (VALUES (CAST(:merchant AS text), -5), ('custody', 5)) v (a, u)"
                " WHERE j.kind = 'settle'"
            )
            await session.execute(statement, {"merchant": merchant})


async def test_a_batch_for_customers_takes_from_each(shop: Shop) -> None:
    """Every item from the balance that it names."""
    merchant, key = await shop.merchant_and_key()
    one, two = await rich(shop, key), await rich(shop, key)
    await shop.fund(merchant, ETH, 10**18)
    ask = {"payment_method": ETH, "amount": "0.1", "destination": ELSEWHERE}
    items = [{**ask, "customer_id": two}, ask, {**ask, "customer_id": one}]
    answer = await shop.call(
        "POST",
        "/v1/withdrawals/batch",
        key,
        json={"items": items},
        headers={"Idempotency-Key": "1"},
    )
    assert answer.json()["succeeded"] == 3
    made = [row["withdrawal"]["customer_id"] for row in answer.json()["data"]]
    assert made == [two, None, one]
    for account in (one, two, merchant):
        assert await has(shop, account) == (9 * 10**17, 10**17)
    path = f"/v1/withdrawal_batches/{answer.json()['id']}/reject"
    assert (await shop.call("POST", path, key)).json()["succeeded"] == 3
    for account in (one, two, merchant):
        assert await has(shop, account) == (10**18, 0)
