"""What a merchant does with an invoice: choose, change, call off, mark, lock rates anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, NamedTuple

from gateway.catalog.published import published
from gateway.domain.errors import Conflict, Invalid, Unavailable
from gateway.domain.invoice import BASIS_POINTS, Standing, marked
from gateway.domain.money import plain, units_due
from gateway.invoices.activation import choose
from gateway.invoices.documents import STANDING, InvoiceDocument, Option
from gateway.invoices.offers import TOO_SMALL, is_dust, pricing_of, too_small
from gateway.invoices.repository import deposits_of, invoice_of, options_of
from gateway.invoices.service import Desk, shown
from gateway.invoices.standing import emit_invoice, move
from gateway.models import Invoice
from gateway.prices.service import PriceMissing, Rate


@dataclass(frozen=True, slots=True)
class Stale:
    """Which rates are old: locked before `until`, and by now off by `basis_points` or more."""

    until: datetime
    basis_points: int = 0

    def is_meant(self, option: Option) -> bool:
        """Tell whether the option's rate is old enough to be looked at."""
        return option.row.rate_at <= self.until

    def has_moved(self, option: Option, rate: Rate) -> bool:
        """Tell whether the price has moved so far."""
        before = Fraction(option.row.rate)
        return abs(Fraction(rate.value) - before) * BASIS_POINTS >= before * self.basis_points


class Fresh(NamedTuple):
    """A rate of now for an option, and what would pay the whole invoice by it; None is open."""

    option: Option
    rate: Rate
    units: int | None


async def choose_method(desk: Desk, invoice_id: str, payment_method: str) -> InvoiceDocument:
    """Assign the address of one payment method; once it is assigned it stays."""
    invoice = await _locked(desk, invoice_id)
    if await choose(desk.session, desk.settings, invoice, payment_method, desk.moment):
        after = {"payment_method": payment_method}
        await desk.note("invoice.method_chosen", invoice.id, after)
    return await shown(desk.session, desk.settings, invoice)


async def change_invoice(
    desk: Desk, invoice_id: str, changes: Mapping[str, Any]
) -> InvoiceDocument:
    """Set the given columns; what does not differ is neither written nor recorded."""
    invoice = await _locked(desk, invoice_id)
    after = {name: value for name, value in changes.items() if getattr(invoice, name) != value}
    if after:
        before = {name: getattr(invoice, name) for name in after}
        for name, value in after.items():
            setattr(invoice, name, value)
        await desk.session.flush()
        await desk.note("invoice.changed", invoice.id, _said(after), before=_said(before))
        await emit_invoice(
            desk.session,
            invoice,
            "invoice.updated",
            desk.moment,
            public_url=desk.settings.api.public_url,
        )
    return await shown(desk.session, desk.settings, invoice)


async def cancel_invoice(desk: Desk, invoice_id: str) -> InvoiceDocument:
    """Call a pending invoice off; its addresses are watched on until monitoring ends."""
    invoice = await _locked(desk, invoice_id)
    if invoice.status == "canceled":
        return await shown(desk.session, desk.settings, invoice)
    if invoice.status != "pending":
        raise Conflict(
            f"an invoice that is {invoice.status} cannot be canceled", code="invoice_not_open"
        )
    await move(
        desk.session,
        invoice,
        Standing("canceled", invoice.exception, final=False),
        desk.moment,
        reason="the merchant canceled it",
        public_url=desk.settings.api.public_url,
    )
    before, after = {"status": "pending"}, {"status": "canceled"}
    await desk.note("invoice.canceled", invoice.id, after, before=before)
    return await shown(desk.session, desk.settings, invoice)


def _said(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Name columns as the outside does: `metadata_` is only SQLAlchemy's way out."""
    return {name.rstrip("_"): value for name, value in columns.items()}


async def mark_invoice(
    desk: Desk, invoice_id: str, status: str, reason: str
) -> InvoiceDocument:
    """Let a person say that an invoice is settled or invalid; no money moves by that.

    What it is already stays as it is. Later payments are credited and change nothing of it.
    """
    invoice = await _locked(desk, invoice_id)
    before = Standing(invoice.status, invoice.exception, invoice.final)
    after = marked(before, status)
    if after != before:
        await move(
            desk.session,
            invoice,
            after,
            desk.moment,
            reason=f"marked {status}: {reason}",
            public_url=desk.settings.api.public_url,
        )
        await desk.note(
            "invoice.marked",
            invoice.id,
            {"status": after.status, "exception": after.exception, "reason": reason},
            before={"status": before.status, "exception": before.exception},
        )
    return await shown(desk.session, desk.settings, invoice)


async def refresh_rates(desk: Desk, invoice_id: str) -> InvoiceDocument:
    """Lock all rates of a pending invoice anew that may be."""
    invoice = await refresh_stale(desk, invoice_id, Stale(desk.moment.at))
    return await shown(desk.session, desk.settings, invoice)


async def refresh_stale(desk: Desk, invoice_id: str, stale: Stale) -> Invoice:
    """Lock old rates of a pending invoice anew, but of methods in which something was paid.

    What would ask for dust keeps the rate it has, as creation leaves it out. The database keeps
    what held before. Raises `Conflict` once the invoice is no longer open, `Unavailable` where a
    method has no fresh price, `Invalid` where all that is left to lock anew would ask for dust.
    """
    session, moment = desk.session, desk.moment
    invoice = await _locked(desk, invoice_id)
    if invoice.status != "pending" or moment.at >= invoice.expires_at:
        raise Conflict("the invoice is not open any more", code="invoice_not_open")
    deposits = (await deposits_of(session, [invoice.id]))[invoice.id]
    paid = {deposit.currency_id for deposit in deposits if deposit.status in STANDING}
    options = (await options_of(session, [invoice.id]))[invoice.id]
    unpaid = [o for o in options if o.currency.id not in paid and stale.is_meant(o)]
    rates = await _fresh_rates(desk, invoice, unpaid)
    moved = [
        Fresh(option, rate, _units(invoice, option, rate))
        for option in unpaid
        if stale.has_moved(option, rate := rates[option.currency.code])
    ]
    if moved:
        await _lock_anew(desk, invoice, _worth_paying(moved))
    return invoice


def _units(invoice: Invoice, option: Option, rate: Rate) -> int | None:
    if invoice.amount is None:
        return None
    return units_due(invoice.amount, rate.value, option.currency.decimals)


def _worth_paying(moved: Sequence[Fresh]) -> list[Fresh]:
    """Return those that ask for more than dust; refuse where there is none."""
    found = [each for each in moved if not is_dust(each.units, each.option.currency)]
    if not found:
        coins = [each.option.currency for each in moved]
        raise Invalid(too_small(coins), code=TOO_SMALL)
    return found


async def _lock_anew(desk: Desk, invoice: Invoice, locks: Sequence[Fresh]) -> None:
    options = [each.option for each in locks]
    before = {option.currency.id: plain(option.row.rate) for option in options}
    for option, rate, units in locks:
        row = option.row
        row.amount_units = units
        row.rate, row.rate_source, row.rate_at = rate.value, rate.source, desk.moment.at
    await desk.session.flush()
    after = {option.currency.id: plain(option.row.rate) for option in options}
    await desk.note("invoice.rate_refreshed", invoice.id, after, before=before)
    await emit_invoice(
        desk.session,
        invoice,
        "invoice.rate_refreshed",
        desk.moment,
        public_url=desk.settings.api.public_url,
    )


async def _fresh_rates(
    desk: Desk, invoice: Invoice, options: Sequence[Option]
) -> dict[str, Rate]:
    """Return a fresh rate per code."""
    found = await published(desk.session, desk.moment, test=not invoice.livemode)
    pricing = pricing_of(found, desk.settings, invoice.currency, desk.moment)
    try:
        return {
            code: pricing.rate(code)
            for code in sorted({option.currency.code for option in options})
        }
    except PriceMissing as missing:
        raise Unavailable(str(missing), code="price_stale") from missing


async def _locked(desk: Desk, invoice_id: str) -> Invoice:
    return await invoice_of(
        desk.session, desk.actor.tenant, invoice_id, livemode=desk.actor.livemode, lock=True
    )
