"""An invoice after its creation: read, chosen, changed, called off, and altered by a thief."""

from datetime import timedelta
from typing import Any

import pytest

from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio


async def choose(shop: Shop, key: str, invoice: dict[str, Any], method: str) -> Any:
    """Choose a payment method."""
    path = f"/v1/invoices/{invoice['id']}/payment_options/{method}"
    return await shop.call("POST", path, key)


async def test_an_address_is_assigned_when_the_method_is_chosen(shop: Shop) -> None:
    """Once, for good, and the same one for the other coin of the network."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key)
    first = (await choose(shop, key, invoice, "USDT-TRON")).json()
    again = (await choose(shop, key, invoice, "USDT-TRON")).json()
    other = (await choose(shop, key, invoice, "TRX-TRON")).json()
    shown = [
        {o["payment_method"]: o["address"] for o in document["payment_options"]}
        for document in (first, again, other)
    ]
    assert shown[0] == shown[1]
    assert shown[0]["USDT-TRON"] == shown[2]["TRX-TRON"] == shown[2]["USDT-TRON"] is not None
    assert len(await shop.rows("SELECT 1 FROM address_pool WHERE status = 'ASSIGNED'")) == 1
    records = await shop.rows("SELECT 1 FROM audit_log WHERE action = 'invoice.method_chosen'")
    assert len(records) == 2


async def test_a_method_that_cannot_be_had_is_refused(shop: Shop) -> None:
    """Unknown 404; pool empty and silent network 503; the invoice goes on with the others."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key)
    assert (await choose(shop, key, invoice, "ETH-MAINNET")).status_code == 404
    await shop.run("DELETE FROM free_address WHERE network_id = 'tron'")
    answer = await choose(shop, key, invoice, "USDT-TRON")
    assert (answer.status_code, answer.json()["code"]) == (503, "pool_empty")
    await shop.healthy("solana", updated_at=shop.at() - timedelta(hours=1))
    answer = await choose(shop, key, invoice, "SOL-SOLANA")
    assert (answer.status_code, answer.json()["code"]) == (503, "network_lagging")
    assert (await choose(shop, key, invoice, "ETH-ETHEREUM")).status_code == 200


async def test_nothing_is_assigned_once_it_is_over(shop: Shop) -> None:
    """Not after the expiry, even before the worker has come round, and not when canceled."""
    _, key = await shop.merchant_and_key()
    canceled, expired = await shop.invoice(key), await shop.invoice(key)
    await shop.call("POST", f"/v1/invoices/{canceled['id']}/cancel", key)
    shop.clock.at += timedelta(minutes=61)
    for invoice in (canceled, expired):
        answer = await choose(shop, key, invoice, "ETH-ETHEREUM")
        assert (answer.status_code, answer.json()["code"]) == (409, "invoice_not_open")


async def test_cancel_a_pending_invoice(shop: Shop) -> None:
    """Event, timeline, audit; a second time changes nothing."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key)
    path = f"/v1/invoices/{invoice['id']}/cancel"
    canceled = (await shop.call("POST", path, key)).json()
    assert (canceled["status"], canceled["final"]) == ("canceled", False)
    assert canceled["timeline"][-1]["reason"] == "the merchant canceled it"
    assert (await shop.call("POST", path, key)).json() == canceled
    events = (await shop.call("GET", "/v1/events", key)).json()["data"]
    assert [event["type"] for event in events] == ["invoice.canceled", "invoice.created"]
    assert events[0]["data"]["previous"]["status"] == "pending"


async def test_money_for_a_canceled_invoice_is_credited_and_seen(shop: Shop) -> None:
    """Called off it stays; exception, steps and events say what came, and it can go back."""
    merchant_id, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, payment_methods=["USDT-TRON"])
    await shop.call("POST", f"/v1/invoices/{invoice['id']}/cancel", key)
    [option] = invoice["payment_options"]
    await shop.pay(option["address"], "USDT-TRON", 20 * 10**6, tx="aa", final=True)
    await shop.pay(option["address"], "USDT-TRON", 30 * 10**6, tx="bb", final=True)
    paid = (await shop.call("GET", f"/v1/invoices/{invoice['id']}", key)).json()
    assert (paid["status"], paid["exception"], paid["settled_at"]) == (
        "canceled",
        "paid_late",
        None,
    )
    assert (paid["amount_paid"], paid["amount_overpaid"]) == ("50.00", "0.10")
    assert [step["exception"] for step in paid["timeline"]] == [
        "none",
        "none",
        "paid_partial",
        "paid_late",
    ]
    [wallet] = await shop.rows(
        "SELECT confirmed FROM wallet WHERE account = :id", id=merchant_id
    )
    assert wallet.confirmed == 50 * 10**6
    told = await shop.rows(
        "SELECT type, data FROM event WHERE subject = :id ORDER BY sequence", id=invoice["id"]
    )
    assert [row.type.removeprefix("invoice.") for row in told] == [
        "created",
        "canceled",
        "payment_detected",
        "partially_paid",
        "payment_confirmed",
        "payment_detected",
        "payment_confirmed",
        "paid_late",
    ]
    assert told[-1].data["object"]["status"] == "canceled"
    assert told[-1].data["previous"] == {"status": "canceled", "exception": "paid_partial"}
    found = await shop.call("GET", "/v1/invoices?status=canceled&exception=paid_late", key)
    assert [row["id"] for row in found.json()["data"]] == [invoice["id"]]
    page = (await shop.call("GET", f"/i/{invoice['id']}")).text
    assert "50.00 USD has arrived" in page
    body = {"kind": "full", "destination": option["address"], "reason": "called off"}
    refund = await shop.call(
        "POST", f"/v1/invoices/{invoice['id']}/refunds", key, json=body,
        headers={"Idempotency-Key": "1"},
    )  # fmt: skip
    assert refund.json()["errors"][0]["code"] == "own_address", "all else would let it go"


async def test_a_paid_invoice_cannot_be_canceled(shop: Shop) -> None:
    """The payer has done his part."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, payment_methods=["USDT-TRON"])
    address = invoice["payment_options"][0]["address"]
    await shop.pay(address, "USDT-TRON", 49_900_000)
    answer = await shop.call("POST", f"/v1/invoices/{invoice['id']}/cancel", key)
    assert (answer.status_code, answer.json()["code"]) == (409, "invoice_not_open")


async def test_what_is_still_due_counts_every_currency(shop: Shop) -> None:
    """Half paid in USDT leaves half of the ETH."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, amount="50.00", activate=["USDT-TRON"])
    address = next(
        o["address"] for o in invoice["payment_options"] if o["payment_method"] == "USDT-TRON"
    )
    await shop.pay(address, "USDT-TRON", 25_000_000)
    now = (await shop.call("GET", f"/v1/invoices/{invoice['id']}", key)).json()
    due = {o["payment_method"]: o["amount_due"] for o in now["payment_options"]}
    assert (now["exception"], now["amount_due"]) == ("paid_partial", "25.00")
    assert (due["USDT-TRON"], due["ETH-ETHEREUM"]) == ("25.000000", "0.010000000000000000")


async def test_only_words_can_be_changed(shop: Shop) -> None:
    """What is left out stays, null clears, money is an unknown field."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, order_id="1", description="x", metadata={"a": "1"})
    path = f"/v1/invoices/{invoice['id']}"
    body = {"description": None, "metadata": {"b": "2"}}
    changed = (await shop.call("PATCH", path, key, json=body)).json()
    assert changed == {**invoice, "description": None, "metadata": {"b": "2"}}
    [row] = await shop.rows(
        "SELECT before, after FROM audit_log WHERE action = 'invoice.changed'"
    )
    assert row.before == {"description": "x", "metadata": {"a": "1"}}
    assert row.after == {"description": None, "metadata": {"b": "2"}}
    await shop.call("PATCH", path, key, json=body)
    assert len(await shop.rows("SELECT 1 FROM audit_log WHERE action = 'invoice.changed'")) == 1
    refused = await shop.call("PATCH", path, key, json={"amount": "1"})
    assert refused.json()["errors"][0]["pointer"] == "/amount"


async def test_lists_are_filtered_and_paged(shop: Shop) -> None:
    """Newest first, by status, order and time, over pages in both directions."""
    _, key = await shop.merchant_and_key()
    made = [await shop.invoice(key, order_id=f"o{n % 2}") for n in range(5)]
    await shop.call("POST", f"/v1/invoices/{made[0]['id']}/cancel", key)
    ids = [invoice["id"] for invoice in reversed(made)]

    async def listed(**query: str) -> list[str]:
        answer = await shop.call("GET", "/v1/invoices", key, params=query)
        assert answer.status_code == 200, answer.text
        return [row["id"] for row in answer.json()["data"]]

    assert await listed() == ids
    assert await listed(status="canceled") == ids[-1:]
    assert await listed(order_id="o1") == [ids[1], ids[3]]
    assert await listed(exception="paid_over") == []
    assert await listed(**{"created[gte]": made[3]["created_at"]}) == ids[:2]
    assert await listed(**{"created[lt]": made[1]["created_at"]}) == ids[-1:]
    assert await listed(limit="2", starting_after=ids[1]) == ids[2:4]
    assert await listed(limit="2", ending_before=ids[3]) == ids[1:3]
    for bad in ({"status": "paid"}, {"created[gte]": "yesterday"}, {"exception": "x"}):
        answer = await shop.call("GET", "/v1/invoices", key, params=bad)
        assert answer.status_code == 422


async def test_another_merchants_invoice_does_not_exist(shop: Shop) -> None:
    """404 on every route, and nothing of it in the list."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key)
    _, other = await shop.merchant_and_key()
    path = f"/v1/invoices/{invoice['id']}"
    answers = [
        await shop.call("GET", path, other),
        await shop.call("PATCH", path, other, json={"order_id": "mine"}),
        await shop.call("POST", f"{path}/cancel", other),
        await shop.call("POST", f"{path}/payment_options/ETH-ETHEREUM", other),
    ]
    assert [answer.status_code for answer in answers] == [404] * 4
    assert (await shop.call("GET", "/v1/invoices", other)).json()["data"] == []


async def test_an_altered_address_is_never_shown(shop: Shop) -> None:
    """Edited in the invoice: no document carries it, the alarm is on record, others are fine."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, payment_methods=["ETH-ETHEREUM"])
    fine = await shop.invoice(key, payment_methods=["ETH-ETHEREUM"])
    thief = "0x" + "66" * 20
    await shop.run(
        "UPDATE payment_option SET address = :thief WHERE invoice_id = :id",
        thief=thief,
        id=invoice["id"],
    )
    path = f"/v1/invoices/{invoice['id']}"
    answers = [
        await shop.call("GET", path, key),
        await shop.call("GET", "/v1/invoices", key),
        await shop.call("PATCH", path, key, json={"order_id": "1"}),
        await shop.call("POST", f"{path}/payment_options/USDC-ETHEREUM", key),
    ]
    for answer in answers[:3]:
        assert (answer.status_code, answer.json()["code"]) == (503, "address_unverified")
    assert all(thief not in answer.text.lower() for answer in answers)
    assert (await shop.call("GET", f"/v1/invoices/{fine['id']}", key)).status_code == 200
    rows = await shop.rows(
        "SELECT subject, after FROM audit_log WHERE action = 'address.unverified'"
    )
    assert {row.subject for row in rows} == {invoice["id"]}
    assert rows[0].after["address"] == thief


async def test_an_altered_pool_row_is_never_given_out(shop: Shop) -> None:
    """Edited before it was claimed: it belongs to no invoice, so what it receives is nobody's."""
    _, key = await shop.merchant_and_key()
    await shop.run(
        "UPDATE address_pool SET address = :thief WHERE network_id = 'ethereum' AND index = 0",
        thief="0x" + "66" * 20,
    )
    body = {"amount": "10", "currency": "USD", "payment_methods": ["ETH-ETHEREUM"]}
    answer = await shop.call("POST", "/v1/invoices", key, json=body)
    assert (answer.status_code, answer.json()["code"]) == (503, "address_unverified")
    assert await shop.rows("SELECT 1 FROM invoice") == []
    assert await shop.rows("SELECT 1 FROM address_pool WHERE status <> 'AVAILABLE'") == []
    assert (
        len(await shop.rows("SELECT 1 FROM audit_log WHERE action = 'address.unverified'")) == 1
    )
    assert (await shop.invoice(key, payment_methods=["TRX-TRON"]))["status"] == "pending"
