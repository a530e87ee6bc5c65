"""Deposits over HTTP: what a merchant sees of what arrived."""

import json
from datetime import timedelta

import pytest

from tests.gateway.shop import Shop, pool_address

pytestmark = pytest.mark.anyio


async def test_a_payment_is_seen_then_final(shop: Shop) -> None:
    """The document follows; amounts are exact, the address is as the invoice showed it."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, amount="2500.00", payment_methods=["ETH-ETHEREUM"])
    address = invoice["payment_options"][0]["address"]
    await shop.pay(address, "ETH-ETHEREUM", 10**18 + 1, tx="0x01")
    [seen] = (await shop.call("GET", "/v1/deposits", key)).json()["data"]
    assert (seen["status"], seen["invoice_id"]) == ("pending", invoice["id"])
    assert (seen["amount"], seen["amount_atomic"]) == (
        "1.000000000000000001",
        str(10**18 + 1),
    )
    assert (seen["address"], seen["tx_hash"], seen["matched"]) == (address, "0x01", "invoice")
    assert seen["sender"].lower() == pool_address("ethereum", 999)
    await shop.pay(address, "ETH-ETHEREUM", 10**18 + 1, tx="0x01", final=True)
    one = (await shop.call("GET", f"/v1/deposits/{seen['id']}", key)).json()
    assert (one["id"], one["status"], one["amount"]) == (
        seen["id"],
        "confirmed",
        seen["amount"],
    )
    assert (seen["confirmed_at"], one["confirmed_at"] is not None) == (None, True)


async def test_confirmations_are_counted_from_the_block_of_a_payment(shop: Shop) -> None:
    """Alone, in lists, in the export, in the invoice; none in no block or of a silent network."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, payment_methods=["USDT-TRON"])
    await shop.pay(invoice["payment_options"][0]["address"], "USDT-TRON", 10**6)

    async def counted() -> set[int | None]:
        [listed] = (await shop.call("GET", "/v1/deposits", key)).json()["data"]
        one = (await shop.call("GET", f"/v1/deposits/{listed['id']}", key)).json()
        export = (await shop.call("GET", "/v1/deposits/export?format=ndjson", key)).json()
        path = f"/v1/invoices/{invoice['id']}?expand[]=deposits"
        [inside] = (await shop.call("GET", path, key)).json()["deposits"]
        return {each["confirmations"] for each in (listed, one, export, inside)}

    assert await counted() == {1}  # in block 101, whose watcher has told of 100
    await shop.healthy("tron", scanned_height=110)
    assert await counted() == {10}
    await shop.run("UPDATE deposit SET status = 'reorged'")
    assert await counted() == {None}
    await shop.run("UPDATE deposit SET status = 'pending'")
    await shop.run("DELETE FROM network_health WHERE network_id = 'tron'")
    assert await counted() == {None}


async def test_lists_are_filtered(shop: Shop) -> None:
    """By invoice, state, transaction and method; an unknown state is refused."""
    _, key = await shop.merchant_and_key()
    invoices = [
        await shop.invoice(key, payment_methods=[m]) for m in ("USDT-TRON", "SOL-SOLANA")
    ]
    for number, invoice in enumerate(invoices):
        [option] = invoice["payment_options"]
        await shop.pay(
            option["address"],
            option["payment_method"],
            10**6,
            tx=f"t{number}",
            final=number == 1,
        )

    async def listed(**query: str) -> list[str]:
        answer = await shop.call("GET", "/v1/deposits", key, params=query)
        return [row["tx_hash"] for row in answer.json()["data"]]

    assert await listed() == ["t1", "t0"]
    assert await listed(limit="1") == ["t1"]
    assert await listed(invoice_id=invoices[0]["id"]) == ["t0"]
    assert await listed(status="confirmed") == ["t1"]
    assert await listed(tx_hash="t0") == ["t0"]
    assert await listed(payment_method="SOL-SOLANA") == ["t1"]
    assert await listed(payment_method="SOL-SOLANA", status="pending") == []
    wrong = await shop.call("GET", "/v1/deposits", key, params={"status": "paid"})
    assert wrong.status_code == 422


async def test_deposits_are_found_by_address_and_time(shop: Shop) -> None:
    """In the list and in the export; an address as anybody writes it, a time without an offset is UTC."""
    _, key = await shop.merchant_and_key()
    seen = []
    for number in range(3):
        invoice = await shop.invoice(key, payment_methods=["ETH-ETHEREUM"])
        [option] = invoice["payment_options"]
        await shop.pay(option["address"], "ETH-ETHEREUM", 10**16, tx=f"t{number}")
        [newest, *_] = (await shop.call("GET", "/v1/deposits", key)).json()["data"]
        seen.append(newest)
        shop.clock.at += timedelta(seconds=1)

    async def found(**query: str) -> list[str]:
        answer = await shop.call("GET", "/v1/deposits", key, params=query)
        assert answer.status_code == 200, answer.text
        lines = await shop.call(
            "GET", "/v1/deposits/export", key, params={**query, "format": "ndjson"}
        )
        hashes = [row["tx_hash"] for row in answer.json()["data"]]
        assert [json.loads(line)["tx_hash"] for line in lines.text.splitlines()] == hashes
        return hashes

    first, second, third = seen
    for spelling in (second["address"], second["address"].lower()):
        assert await found(address=spelling) == ["t1"]
    assert await found(address="nobody's") == []
    at = second["detected_at"]
    assert await found(**{"created[gte]": at}) == ["t2", "t1"]
    assert await found(**{"created[lt]": at}) == ["t0"]
    assert await found(**{"created[gte]": at, "created[lt]": third["detected_at"]}) == ["t1"]
    assert await found(**{"created[lt]": at.removesuffix("Z")}) == ["t0"]
    wide = {"created[gte]": "1969-01-01T00:00:00Z", "status": "pending"}
    assert await found(**wide) == ["t2", "t1", "t0"]
    assert first["address"] not in (second["address"], third["address"])


async def test_another_merchants_deposit_does_not_exist(shop: Shop) -> None:
    """Nor one of the other mode; reading needs its own scope."""
    merchant, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, payment_methods=["USDT-TRON"])
    await shop.pay(invoice["payment_options"][0]["address"], "USDT-TRON", 1_000_000)
    [seen] = (await shop.call("GET", "/v1/deposits", key)).json()["data"]
    _, other = await shop.merchant_and_key()
    live = await shop.key(merchant, livemode=True)
    for stranger in (other, live):
        path = f"/v1/deposits/{seen['id']}"
        assert (await shop.call("GET", path, stranger)).status_code == 404
        assert (await shop.call("GET", "/v1/deposits", stranger)).json()["data"] == []
    narrow = await shop.key(merchant, ["invoices:read"])
    assert (await shop.call("GET", "/v1/deposits", narrow)).status_code == 403
