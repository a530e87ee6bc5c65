"""Customers over HTTP: made, found, changed, forgotten; nobody else's."""

import pytest
from sqlalchemy import text

from gateway.customers.repository import customers_found
from tests.gateway.customers.conftest import customer, rich
from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio


async def test_a_customer_is_made_changed_found_and_forgotten(shop: Shop) -> None:
    """A reference is one customer's at a time; every step is on record."""
    merchant, key = await shop.merchant_and_key()
    body = {"reference": "u1", "email": "Ann@example.org", "name": "Ann Lee"}
    made = (await shop.call("POST", "/v1/customers", key, json=body)).json()
    assert made["id"].startswith("cus_")
    assert (made["object"], made["livemode"], made["metadata"]) == ("customer", False, {})
    again = await shop.call("POST", "/v1/customers", key, json=body)
    assert (again.status_code, again.json()["code"]) == (409, "reference_already_used")
    live = await shop.key(merchant, livemode=True)
    assert (await shop.call("POST", "/v1/customers", live, json=body)).status_code == 201
    bob = await customer(shop, key, name="Bob_%")

    async def found(**query: str) -> list[str]:
        answer = await shop.call("GET", "/v1/customers", key, params=query)
        return [row["id"] for row in answer.json()["data"]]

    assert await found() == [bob, made["id"]]
    assert await found(email="ann@EXAMPLE.org") == await found(reference="u1") == [made["id"]]
    assert await found(search="ann") == await found(search="U1") == [made["id"]]
    assert await found(search="bob_%") == [bob]
    assert await found(search="lee") == await found(search="%") == []

    path = f"/v1/customers/{made['id']}"
    change = {"reference": None, "metadata": {"tier": "gold"}}
    changed = (await shop.call("PATCH", path, key, json=change)).json()
    assert (changed["reference"], changed["metadata"]) == (None, {"tier": "gold"})
    assert changed["email"] == body["email"]
    taken = await customer(shop, key, reference="u2")
    refused = await shop.call("PATCH", path, key, json={"reference": "u2"})
    assert refused.json()["code"] == "reference_already_used"

    assert (await shop.call("DELETE", path, key)).json()["deleted_at"] is not None
    assert (await shop.call("DELETE", path, key)).json()["code"] == "customer_deleted"
    assert (await shop.call("PATCH", path, key, json={"name": "x"})).status_code == 409
    assert (await shop.call("GET", path, key)).json()["deleted_at"] is not None
    assert await found() == [taken, bob]
    await shop.call("DELETE", f"/v1/customers/{taken}", key)
    assert await customer(shop, key, reference="u2") != taken
    rows = await shop.rows(
        "SELECT action, before, after FROM audit_log WHERE subject = :id ORDER BY id",
        id=made["id"],
    )
    assert [row.action for row in rows] == [
        f"customer.{each}" for each in ("created", "changed", "deleted")
    ]
    assert rows[1].before == {"reference": "u1", "metadata": {}}


async def test_another_merchant_and_the_other_mode_see_nothing(shop: Shop) -> None:
    """Every route answers 404, and nothing changed."""
    merchant, key = await shop.merchant_and_key()
    mine = await rich(shop, key)
    await shop.fund(merchant, "ETH-ETHEREUM", 10**18)
    _, stranger = await shop.merchant_and_key()
    other_mode = await shop.key(merchant, livemode=True)
    move = {"direction": "charge", "payment_method": "ETH-ETHEREUM", "amount": "0.1"}
    routes = [
        ("GET", "", None),
        ("PATCH", "", {"name": "x"}),
        ("DELETE", "", None),
        ("POST", "/deposit_addresses", {"network": "tron"}),
        ("GET", "/deposit_addresses", None),
        ("GET", "/balances", None),
        ("GET", "/balance_entries", None),
        ("GET", "/deposits", None),
        ("GET", "/transfers", None),
        ("POST", "/transfers", move),
    ]
    before = await shop.rows("SELECT count(*) FROM audit_log")
    for thief in (stranger, other_mode):
        for method, tail, body in routes:
            sent = (
                {"network": "mainnet"} if thief == other_mode and "addresses" in tail else body
            )
            answer = await shop.call(
                method,
                f"/v1/customers/{mine}{tail}",
                thief,
                headers={"Idempotency-Key": "1"},
                **({} if body is None else {"json": sent}),
            )
            assert answer.status_code == 404, (method, tail, answer.text)
        ask = {
            "payment_method": "ETH-ETHEREUM",
            "amount": "0.1",
            "destination": "0x" + "ab" * 20,
        }
        answer = await shop.call(
            "POST",
            "/v1/withdrawals",
            thief,
            json={**ask, "customer_id": mine},
            headers={"Idempotency-Key": "2"},
        )
        assert answer.status_code == 422
        listed = await shop.call("GET", "/v1/deposit_addresses", thief)
        assert listed.json()["data"] == []
    assert await shop.rows("SELECT count(*) FROM audit_log") == before
    scoped = await shop.key(merchant, ["invoices:read"])
    assert (await shop.call("GET", f"/v1/customers/{mine}", scoped)).status_code == 403


SEARCHED = [
    ({"email": "User7@Example.org"}, ["customer_by_email"]),
    ({"search": "User77"}, ["customer_by_reference", "customer_by_email", "customer_by_name"]),
]


async def test_a_search_walks_past_nobody_else(shop: Shop) -> None:
    """Row-level security keeps an index from serving whatever could leak: a LIKE, a `lower`."""
    merchant, _ = await shop.merchant_and_key()
    await shop.run(
        "INSERT INTO customer (id, merchant_id, livemode, reference, email, name, created_at,"
        " updated_at) SELECT 'cus_' || i, :merchant, false, 'user-' || i, 'user' || i ||"
        " '@example.org', 'User ' || i, now(), now() FROM generate_series(1, 5000) i",
        merchant=merchant,
    )
    async with shop.owner.unit_of_work(None) as session:
        await session.execute(text("ANALYZE customer"))
    for wanted, indexes in SEARCHED:
        query = customers_found(merchant, wanted, livemode=False)
        engine = shop.database.engine.sync_engine
        sql = query.compile(engine, compile_kwargs={"literal_binds": True})
        async with shop.database.unit_of_work(merchant) as session:
            plan = "\n".join((await session.scalars(text(f"EXPLAIN {sql}"))).all())
        assert all(index in plan for index in indexes), plan
