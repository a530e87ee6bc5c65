"""Permanent addresses: one per customer and network, the keystore's, and nobody else's ever."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from gateway.addresses.signature import SignedAddress, message
from tests.gateway.customers.conftest import address, customer
from tests.gateway.shop import POOL_KEY, Shop

pytestmark = pytest.mark.anyio


async def test_an_address_is_given_once_and_for_good(shop: Shop) -> None:
    """Twenty askers at once get the same one; another customer and network get others."""
    _, key = await shop.merchant_and_key()
    mine, other = await customer(shop, key), await customer(shop, key)
    given = await asyncio.gather(*(address(shop, key, mine) for _ in range(20)))
    assert len(set(given)) == 1
    assert await address(shop, key, other) != given[0]
    tron = await address(shop, key, mine, "tron")
    listed = (await shop.call("GET", f"/v1/customers/{mine}/deposit_addresses", key)).json()
    assert {row["network"]: row["address"] for row in listed["data"]} == {
        "ethereum": given[0],
        "tron": tron,
    }
    assert listed["data"][0]["payment_methods"]
    every: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        query = {"limit": "1", **cursor}
        page = (await shop.call("GET", "/v1/deposit_addresses", key, params=query)).json()
        every += [row["address"] for row in page["data"]]
        if not page["has_more"]:
            break
        cursor = {"starting_after": page["next_cursor"]}
    assert len(every) == len(set(every)) == 3
    rows = await shop.rows(
        "SELECT count(*) FROM audit_log WHERE action = 'customer.address_given'"
    )
    assert rows == [(3,)]


async def test_who_cannot_have_an_address_takes_none_from_the_pool(shop: Shop) -> None:
    """A network of the other mode, a deleted customer, an empty pool."""
    _, key = await shop.merchant_and_key()
    mine = await customer(shop, key)
    path = f"/v1/customers/{mine}/deposit_addresses"
    free = "SELECT count(*) FROM free_address"
    before = await shop.rows(free)
    for network in ("mainnet", "nowhere"):
        answer = await shop.call("POST", path, key, json={"network": network})
        assert answer.json()["errors"][0]["pointer"] == "/network"
    await shop.call("DELETE", f"/v1/customers/{mine}", key)
    answer = await shop.call("POST", path, key, json={"network": "tron"})
    assert (answer.status_code, answer.json()["code"]) == (409, "customer_deleted")
    assert await shop.rows(free) == before
    await shop.run("DELETE FROM free_address WHERE network_id = 'tron'")
    path = f"/v1/customers/{await customer(shop, key)}/deposit_addresses"
    answer = await shop.call("POST", path, key, json={"network": "tron"})
    assert (answer.status_code, answer.json()["code"]) == (503, "pool_empty")


async def test_an_address_that_the_keystore_did_not_sign_is_never_shown(shop: Shop) -> None:
    """Neither when it is claimed nor later; the operator finds it in the audit log."""
    _, key = await shop.merchant_and_key()
    mine = await customer(shop, key)
    path = f"/v1/customers/{mine}/deposit_addresses"
    good = await address(shop, key, mine)
    await shop.run("UPDATE address_pool SET path = 'm/9' WHERE network_id = 'tron'")
    answer = await shop.call("POST", path, key, json={"network": "tron"})
    assert (answer.status_code, answer.json()["code"]) == (503, "address_unverified")
    assert await shop.rows("SELECT 1 FROM address_pool WHERE network_id = 'tron' AND customer_id IS NOT NULL") == []  # fmt: skip
    await shop.run("UPDATE address_pool SET path = 'm/9' WHERE customer_id IS NOT NULL")
    for route in (path, "/v1/deposit_addresses"):
        answer = await shop.call("GET", route, key)
        assert (answer.status_code, good in answer.text) == (503, False)
    rows = await shop.rows(
        "SELECT subject FROM audit_log WHERE action = 'address.unverified' ORDER BY id"
    )
    assert [row.subject for row in rows] == [mine] * 3


async def test_an_address_is_never_given_to_anybody_else(shop: Shop) -> None:
    """Not even by the owner of the tables; and the API may not write there at all."""
    merchant, key = await shop.merchant_and_key()
    mine, other = await customer(shop, key), await customer(shop, key)
    await address(shop, key, mine)
    for change in (
        f"customer_id = '{other}'",
        "customer_id = NULL, merchant_id = NULL, status = 'AVAILABLE'",
        "address = '0xee'",
    ):
        statement = f"UPDATE address_pool SET {change} WHERE customer_id IS NOT NULL"
        with pytest.raises(IntegrityError, match="for good"):
            await shop.run(statement)
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with shop.database.unit_of_work(merchant) as session:
                await session.execute(text(statement))


async def test_the_claim_is_only_for_customers_of_ones_own(shop: Shop) -> None:
    """Whoever took over the API gets no address for another tenant's customer, or on another mode."""
    _, key = await shop.merchant_and_key()
    mine = await customer(shop, key)
    thief, own_key = await shop.merchant_and_key()
    own = await customer(shop, own_key)
    claim = text("SELECT * FROM claim_customer_address(:network, :customer, now())")
    async with shop.database.unit_of_work(thief) as session:
        for network, whose in (("tron", mine), ("mainnet", own)):
            found = await session.execute(claim, {"network": network, "customer": whose})
            assert found.all() == []


async def test_the_same_address_on_two_networks_is_listed_twice(shop: Shop) -> None:
    """Networks of one family share a path, so that two customers may have the same letters."""
    merchant, key = await shop.merchant_and_key()
    one, two = [await customer(shop, key) for _ in range(2)]
    given = await address(shop, key, one)
    await address(shop, key, two)
    signed = SignedAddress("tron", 700, "m/700", given.lower(), b"")
    await shop.run(
        "INSERT INTO address_pool (network_id, index, path, address, signature, status,"
        " merchant_id, customer_id, created_at) VALUES ('tron', 700, 'm/700', :address, :signature,"
        " 'ASSIGNED', :merchant, :customer, now())",
        address=given.lower(),
        signature=POOL_KEY.sign(message(signed)),
        merchant=merchant,
        customer=two,
    )
    found: list[tuple[str, str]] = []
    cursor: dict[str, str] = {}
    while True:
        query = {"limit": "1", **cursor}
        page = (await shop.call("GET", "/v1/deposit_addresses", key, params=query)).json()
        found += [(row["customer_id"], row["network"]) for row in page["data"]]
        if not page["has_more"]:
            break
        cursor = {"starting_after": page["next_cursor"]}
    assert found == [(two, "tron"), (two, "ethereum"), (one, "ethereum")]
    query = {"limit": "2", "ending_before": f"{one}:ethereum"}
    page = (await shop.call("GET", "/v1/deposit_addresses", key, params=query)).json()
    assert [row["network"] for row in page["data"]] == ["tron", "ethereum"]
    query = {"starting_after": given}
    odd = await shop.call("GET", "/v1/deposit_addresses", key, params=query)
    assert (odd.status_code, odd.json()["code"]) == (422, "unknown_cursor")
