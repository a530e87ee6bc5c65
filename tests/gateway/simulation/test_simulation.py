"""Asking for a played payment: only with test keys, only on local networks, one at a time."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.gateway.shop import NETWORKS, Shop

pytestmark = pytest.mark.anyio


async def simulate(shop: Shop, key: str, invoice_id: str, **body: Any) -> Any:
    """Ask for it."""
    return await shop.call("POST", f"/v1/test/invoices/{invoice_id}/simulate", key, json=body)


async def test_a_request_waits_for_its_watcher(shop: Shop) -> None:
    """With an address, on record, readable by its merchant alone; a second one has to wait."""
    merchant_id, key = await shop.merchant_and_key()
    _, stranger = await shop.merchant_and_key()
    live = await shop.key(merchant_id, livemode=True)
    invoice = await shop.invoice(key)
    answer = await simulate(shop, key, invoice["id"], case="paid", payment_method="USDT-TRON")
    assert answer.status_code == 202, answer.text
    asked = answer.json()
    assert (asked["status"], asked["network"], asked["tx_hash"]) == ("pending", "tron", None)
    again = await simulate(shop, key, invoice["id"], case="paid")
    assert (again.status_code, again.json()["code"]) == (409, "simulation_running")
    path = f"/v1/test/simulations/{asked['id']}"
    assert (await shop.call("GET", path, key)).json() == asked
    for other in (stranger, live):
        assert (await shop.call("GET", path, other)).status_code == 404
    assert (await simulate(shop, stranger, invoice["id"], case="paid")).status_code == 404
    chosen = (await shop.call("GET", f"/v1/invoices/{invoice['id']}", key)).json()
    addresses = {o["payment_method"]: o["address"] for o in chosen["payment_options"]}
    assert addresses["USDT-TRON"] is not None
    assert addresses["ETH-ETHEREUM"] is None
    assert await shop.rows("SELECT 1 FROM audit_log WHERE action = 'invoice.simulated'")


async def test_what_cannot_be_played_is_refused_with_a_code(shop: Shop) -> None:
    """Real money, networks that are not local, what a chain cannot do, invoices that are over."""
    merchant_id, key = await shop.merchant_and_key()
    live = await shop.key(merchant_id, livemode=True)
    real = await shop.invoice(live)
    invoice = await shop.invoice(key)
    open_ = await shop.invoice(key, amount=None)
    canceled = await shop.invoice(key)
    await shop.call("POST", f"/v1/invoices/{canceled['id']}/cancel", key)
    refusals: list[tuple[str, str, dict[str, str], int, str]] = [
        (live, real["id"], {"case": "paid"}, 409, "test_mode_only"),
        (key, real["id"], {"case": "paid"}, 404, "not_found"),
        (key, invoice["id"], {"case": "magic"}, 422, "invalid"),
        (key, invoice["id"], {"case": "paid", "payment_method": "X-Y"}, 422, "unknown_payment_method"),
        (key, invoice["id"], {"case": "reorg", "payment_method": "SOL-SOLANA"}, 409, "not_supported_here"),
        (key, open_["id"], {"case": "over"}, 409, "not_supported_here"),
        (key, canceled["id"], {"case": "paid"}, 409, "invoice_not_open"),
    ]  # fmt: skip
    for as_key, invoice_id, body, status, code in refusals:
        answer = await simulate(shop, as_key, invoice_id, **body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), body
    testnet = {
        name: msgspec.structs.replace(network, local=False)
        for name, network in NETWORKS.items()
    }
    settings = msgspec.structs.replace(shop.settings, networks=testnet)
    async with shop.beside(settings) as remote:
        answer = await simulate(remote, key, invoice["id"], case="paid")
        assert (answer.status_code, answer.json()["code"]) == (409, "network_not_local")
    await shop.run("UPDATE network SET local = false")
    answer = await simulate(shop, key, invoice["id"], case="paid", payment_method="TRX-TRON")
    assert (answer.status_code, answer.json()["code"]) == (409, "network_not_local")
    assert await shop.rows("SELECT 1 FROM simulation") == []


ASK = (
    "INSERT INTO simulation (id, merchant_id, invoice_id, network_id, currency_id, scenario, "
    "created_by) SELECT 'sim_1', merchant_id, invoice_id, network_id, currency_id, 'paid', 'x' "
    "FROM payment_option WHERE invoice_id = :invoice"
)


async def test_the_database_plays_with_no_real_money_whoever_asks(shop: Shop) -> None:
    """Plain SQL as gw_api: not on mainnet, not for a network that is not local; played by watchers."""
    merchant_id, key = await shop.merchant_and_key()
    live = await shop.key(merchant_id, livemode=True)
    real = await shop.invoice(live, payment_methods=["ETH-MAINNET"])
    invoice = await shop.invoice(key, payment_methods=["USDT-TRON"])
    statements = [
        (ASK, real["id"]),
        ("UPDATE network SET local = true WHERE id = :invoice", "mainnet"),
    ]
    for statement, invoice_id in statements:
        with pytest.raises(DBAPIError):
            async with shop.database.unit_of_work(merchant_id) as session:
                await session.execute(text(statement), {"invoice": invoice_id})
    async with shop.database.unit_of_work(merchant_id) as session:
        await session.execute(text(ASK), {"invoice": invoice["id"]})
    for change in ("status = 'done', ended_at = now()", "network_id = 'mainnet'"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with shop.database.unit_of_work(merchant_id) as session:
                await session.execute(text(f"UPDATE simulation SET {change}"))
