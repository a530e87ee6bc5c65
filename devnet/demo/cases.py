"""What goes wrong in a shop's life, and what the gateway must make of it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from devnet.demo.methods import EXPECTED_FAULTS
from devnet.demo.report import CaseReport
from devnet.demo.screen import Screen
from devnet.demo.shop import Document, Shop
from devnet.system.assets import METHODS
from devnet.system.client import Client, Problem

USD = "10.00"
SHORT: dict[str, Any] = {"expires_in_seconds": 8}
MARGIN_SECONDS = 1.5
"""Chains stamp their blocks in whole seconds: a late payment must be late by every clock."""

METHOD = {method.id: method for method in METHODS}
Case = Callable[[Shop], Awaitable[str]]


async def partial(shop: Shop) -> str:
    """Pay 40 percent: the invoice stays open and says so."""
    method = METHOD["USDT-TRON"]
    invoice = await shop.order(method, USD)
    await shop.pay(method, invoice, _units(invoice) * 40 // 100)
    return _standing(await shop.invoice_until(invoice["id"], "pending", "paid_partial"))


async def overpaid(shop: Shop) -> str:
    """Pay 150 percent: it settles, marked."""
    method = METHOD["USDC-SOLANA"]
    invoice = await shop.order(method, USD)
    await shop.pay(method, invoice, _units(invoice) * 150 // 100)
    return _standing(await shop.invoice_until(invoice["id"], "settled", "paid_over"))


async def late(shop: Shop) -> str:
    """Pay in full after the expiry: it settles, marked, at the price of the receipt."""
    method = METHOD["USDC-ETHEREUM"]
    invoice = await shop.order(method, USD, **SHORT)
    expires_at = datetime.fromisoformat(invoice["expires_at"])
    await asyncio.sleep((expires_at - datetime.now(UTC)).total_seconds() + MARGIN_SECONDS)
    await shop.pay(method, invoice, _units(invoice))
    return _standing(await shop.invoice_until(invoice["id"], "settled", "paid_late"))


async def wrong_key(shop: Shop) -> str:
    """Ask with a key that nobody has."""
    key = shop.maker.key or ""
    stranger = Client(shop.maker.url, key[:-1] + ("a" if key[-1] != "a" else "b"))
    try:
        return await _refusal(stranger.get("/v1/balances"))
    finally:
        await stranger.aclose()


async def reused_key(shop: Shop) -> str:
    """Send another order under the same idempotency key."""
    body = {"amount": USD, "currency": "USD", "payment_methods": ["ETH-ETHEREUM"]}
    first = await shop.maker.post("/v1/invoices", body, idempotency_key="demo-order-1")
    again = await shop.maker.post("/v1/invoices", body, idempotency_key="demo-order-1")
    if again["id"] != first["id"]:
        return "two invoices from one order"
    other = {**body, "amount": "11.00"}
    return await _refusal(
        shop.maker.post("/v1/invoices", other, idempotency_key="demo-order-1")
    )


async def above_balance(shop: Shop) -> str:
    """Ask for more than there is."""
    method = METHOD["USDC-ETHEREUM"]
    chain = shop.system.chains[method.network]
    body = {
        "payment_method": method.id,
        "amount": "1000000",
        "destination": await chain.fresh_address(),
    }
    return await _refusal(shop.maker.post("/v1/withdrawals", body))


CASES: tuple[tuple[str, str, Case], ...] = (
    ("partial payment", "pending/paid_partial", partial),
    ("overpaid", "settled/paid_over", overpaid),
    ("late payment", "settled/paid_late", late),
    ("wrong API key", "401 unauthenticated", wrong_key),
    ("reused idempotency key", "422 idempotency_key_reused", reused_key),
    ("withdrawal above the balance", "422 insufficient_balance", above_balance),
)


async def run_case(
    shop: Shop, name: str, expected: str, case: Case, screen: Screen
) -> CaseReport:
    """Run one case and judge it."""
    try:
        got = await case(shop)
    except EXPECTED_FAULTS as fault:
        got = str(fault)
    screen.step(name, got, last=True)
    return CaseReport(name=name, expected=expected, got=got, ok=got == expected)


def _units(invoice: Document) -> int:
    return int(invoice["payment_options"][0]["amount_atomic"])


def _standing(invoice: Document) -> str:
    return f"{invoice['status']}/{invoice['exception']}"


async def _refusal(request: Awaitable[Any]) -> str:
    try:
        await request
    except Problem as problem:
        return f"{problem.status} {problem.code}"
    return "accepted"
