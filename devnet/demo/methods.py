"""One payment method from invoice to payout, as a shop would live it."""

from collections.abc import Sequence

from devnet.chain import ChainFault
from devnet.demo.report import MethodReport
from devnet.demo.screen import Screen
from devnet.demo.shop import Document, Shop
from devnet.receiver import Received
from devnet.system.assets import Method
from devnet.system.client import Problem
from devnet.system.waiting import Overdue

USD = "25.00"
STEPS = 8
WITHDRAWN_PERCENT = 90
INVOICE_STORY = (
    "invoice.created",
    "invoice.payment_detected",
    "invoice.processing",
    "invoice.payment_confirmed",
    "invoice.settled",
)
WITHDRAWAL_END = "withdrawal.completed"
EXPECTED_FAULTS = (Problem, Overdue, ChainFault, ValueError)
"""What a wrong gateway looks like from outside; anything else is a bug of the demo."""


async def in_and_out(shop: Shop, method: Method, screen: Screen) -> tuple[MethodReport, str]:
    """Run it; return what was found, and in words what went wrong (empty if nothing)."""
    report = MethodReport(payment_method=method.id)
    try:
        units = await _money_in(shop, method, report, screen)
        await _money_out(shop, method, units, report, screen)
    except EXPECTED_FAULTS as fault:
        screen.step(method.id, f"FAILED {fault}", last=True)
        return report, f"{method.id}: {fault}"
    return report, ""


async def _money_in(shop: Shop, method: Method, report: MethodReport, screen: Screen) -> int:
    invoice = await shop.order(method, USD, order_id=f"order-{method.id}")
    report.invoice_id = invoice["id"]
    screen.step(method.id, "invoice created")
    units = int(invoice["payment_options"][0]["amount_atomic"])
    report.deposit_tx = await shop.pay(method, invoice, units)
    screen.step(method.id, "paid on chain")
    settled = await shop.invoice_until(invoice["id"], "settled")
    report.invoice_status = settled["status"]
    screen.step(method.id, "invoice settled")
    deposit = await shop.deposit_of(report.deposit_tx)
    require(int(deposit["amount_atomic"]) == units, f"deposit of {deposit['amount_atomic']}")
    story = await shop.heard(invoice["id"], INVOICE_STORY[-1])
    require_story(story, INVOICE_STORY)
    report.webhooks_verified += len(story)
    confirmed = await shop.heard(deposit["id"], "deposit.confirmed")
    report.webhooks_verified += len(confirmed)
    screen.step(method.id, "webhooks verified")
    return units


async def _money_out(
    shop: Shop, method: Method, paid: int, report: MethodReport, screen: Screen
) -> None:
    chain = shop.system.chains[method.network]
    destination = await chain.fresh_address()
    units = paid * WITHDRAWN_PERCENT // 100
    report.expected = str(units)
    withdrawal = await shop.withdraw(method, units, destination)
    screen.step(method.id, "withdrawal approved")
    ended = await shop.paid_out(withdrawal["id"])
    report.withdrawal_status, report.withdrawal_tx = ended["status"], ended["tx_hash"]
    _require_costs(ended, units)
    screen.step(method.id, "withdrawal completed")
    story = await shop.heard(withdrawal["id"], WITHDRAWAL_END)
    require_no_gap(story)
    report.webhooks_verified += len(story)
    screen.step(method.id, "webhooks verified")
    received = await chain.balance(destination, method.asset(chain))
    report.destination_received = str(received)
    require(received == units, f"{destination} holds {received} instead of {units}")
    screen.step(method.id, "done", last=True)


def _require_costs(withdrawal: Document, units: int) -> None:
    require(int(withdrawal["amount_atomic"]) == units, "the withdrawal has another amount")
    require(int(withdrawal["network_fee_atomic"] or 0) > 0, "the payout names no network fee")


def require_story(events: Sequence[Received], expected: Sequence[str]) -> None:
    """Raise `ValueError` unless exactly these events came, in this order."""
    types = [event.type for event in events]
    require(types == list(expected), f"webhooks came as {types}")
    require_no_gap(events)


def require_no_gap(events: Sequence[Received]) -> None:
    """Raise `ValueError` unless the events of a subject are numbered from 1 in order."""
    numbers = [event.sequence for event in events]
    require(numbers == list(range(1, len(numbers) + 1)), f"webhooks are numbered {numbers}")


def require(holds: bool, fault: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Raise `ValueError` saying what is wrong."""
    if not holds:
        raise ValueError(fault)
