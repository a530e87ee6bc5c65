"""Move an invoice to where its deposits and the clock put it, in the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.invoice import Asked, Facts, Payment, Standing, events, judge
from gateway.domain.moment import Moment
from gateway.domain.money import units_due
from gateway.invoices import repository
from gateway.invoices.documents import STANDING, InvoiceDocument, Option
from gateway.invoices.option_documents import asked_of
from gateway.models import Deposit, Invoice, InvoiceTimeline, ReceiptRate
from gateway.prices import service as prices
from gateway.webhooks.outbox import emit

RECEIPT_PRICE_AGE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Confirmations:
    """How deep blocks of a network lie now: the newest height that was scanned."""

    head_heights: Mapping[str, int]

    def depth(self, deposit: Deposit) -> int:
        """Return the number of blocks on a deposit, its own included."""
        head = self.head_heights.get(deposit.network_id)
        return 0 if head is None else head - deposit.block_height + 1


NO_HEADS = Confirmations({})


async def reconsider(
    session: AsyncSession,
    invoice: Invoice,
    moment: Moment,
    *,
    reason: str,
    public_url: str,
    confirmations: Confirmations = NO_HEADS,
) -> None:
    """Judge a locked invoice anew; write its move, its timeline step and its events.

    Nothing is written where nothing changed, so it may be called as often as one likes.
    """
    options = (await repository.options_of(session, [invoice.id]))[invoice.id]
    deposits = (await repository.deposits_of(session, [invoice.id]))[invoice.id]
    if invoice.amount is None:
        await _keep_receipts(session, invoice, options, deposits)
    payments = await _payments(session, invoice, options, deposits, confirmations)
    before = Standing(invoice.status, invoice.exception, invoice.final)
    after = judge(
        before,
        Facts(
            payments=payments,
            tolerance_basis_points=invoice.tolerance_basis_points,
            expired=moment.at >= invoice.expires_at,
            monitoring_over=moment.at >= invoice.monitoring_until,
            open_amount=invoice.amount is None,
        ),
    )
    if after != before:
        await move(session, invoice, after, moment, reason=reason, public_url=public_url)


async def move(
    session: AsyncSession,
    invoice: Invoice,
    after: Standing,
    moment: Moment,
    *,
    reason: str,
    public_url: str,
) -> None:
    """Write a move that was decided: row, timeline step, events."""
    before = Standing(invoice.status, invoice.exception, invoice.final)
    invoice.status, invoice.exception, invoice.final = (
        after.status,
        after.exception,
        after.final,
    )
    if after.status == "processing" and invoice.paid_at is None:
        invoice.paid_at = moment.at
    if after.status == "settled" and invoice.settled_at is None:
        invoice.paid_at = invoice.paid_at or moment.at
        invoice.settled_at = moment.at
    await session.flush()
    if (before.status, before.exception) != (after.status, after.exception):
        await session.execute(
            insert(InvoiceTimeline).values(
                invoice_id=invoice.id,
                merchant_id=invoice.merchant_id,
                status=after.status,
                exception=after.exception,
                reason=reason,
                at=moment.at,
            )
        )
    for name in events(before, after):
        await emit_invoice(
            session, invoice, name, moment, previous=before, public_url=public_url
        )


async def emit_invoice(
    session: AsyncSession,
    invoice: Invoice,
    name: str,
    moment: Moment,
    *,
    public_url: str,
    previous: Standing | None = None,
) -> None:
    """Write one event of an invoice with its full document."""
    [document] = await repository.documents_of(session, [invoice], public_url=public_url)
    await emit_document(session, document, name, moment, previous=previous)


async def emit_document(
    session: AsyncSession,
    document: InvoiceDocument,
    name: str,
    moment: Moment,
    *,
    previous: Standing | None = None,
    first: bool = False,
) -> None:
    """Write one event of an invoice whose document is made already; `first` as `emit` has it."""
    data: dict[str, object] = {"object": document}
    if previous is not None:
        data["previous"] = {"status": previous.status, "exception": previous.exception}
    await emit(
        session,
        moment,
        type_=name,
        merchant_id=document.merchant_id,
        livemode=document.livemode,
        subject=document.id,
        data=data,
        first=first,
    )


async def _payments(
    session: AsyncSession,
    invoice: Invoice,
    options: Sequence[Option],
    deposits: Sequence[Deposit],
    confirmations: Confirmations,
) -> list[Payment]:
    by_currency = {option.currency.id: option for option in options}
    rates = await repository.rates_before(session, invoice, options)
    standing = [deposit for deposit in deposits if deposit.status in STANDING]
    payments = []
    for deposit in standing:
        option = by_currency.get(deposit.currency_id)
        if option is None:
            continue
        due = (
            await _late_due(session, invoice, option, deposit)
            if deposit.late
            else asked_of(option, standing, rates) or _anything(deposit)
        )
        if due is None:
            continue
        final = deposit.status == "confirmed"
        wanted = invoice.confirmations
        deep = wanted is not None and confirmations.depth(deposit) >= wanted
        payments.append(Payment(deposit.units, due, deposit.late, final or deep, final))
    return payments


async def _late_due(
    session: AsyncSession, invoice: Invoice, option: Option, deposit: Deposit
) -> Asked | None:
    """Return what would pay the invoice at the price of a late payment's receipt.

    Without a price for that time it is credited and settles nothing.
    """
    if invoice.amount is None:
        return _anything(deposit)
    rate = await receipt_rate(session, invoice, option, deposit)
    if rate is None:
        return None
    due = units_due(invoice.amount, rate.value, option.currency.decimals)
    return Asked(due, due)


def _anything(deposit: Deposit) -> Asked:
    """Return what an open amount asks for: whatever comes."""
    return Asked(deposit.units, deposit.units)


async def receipt_rate(
    session: AsyncSession, invoice: Invoice, option: Option, deposit: Deposit
) -> prices.Rate | None:
    """Return the price when the deposit's block was made, None where there was none."""
    try:
        return await prices.rate(
            session,
            option.currency.code,
            invoice.currency,
            at=deposit.block_time,
            max_age=RECEIPT_PRICE_AGE,
        )
    except prices.PriceMissing:
        return None


async def _keep_receipts(
    session: AsyncSession,
    invoice: Invoice,
    options: Sequence[Option],
    deposits: Sequence[Deposit],
) -> None:
    """Keep what payments to an open amount were worth when they came, each once."""
    by_currency = {option.currency.id: option for option in options}
    known = (await repository.receipts_of(session, [invoice.id]))[invoice.id]
    kept = {(each.deposit_id, each.currency_id) for each in known}
    for deposit in deposits:
        option = by_currency.get(deposit.currency_id)
        if option is None or (deposit.id, deposit.currency_id) in kept:
            continue
        rate = await receipt_rate(session, invoice, option, deposit)
        if rate is not None:
            await session.execute(
                insert(ReceiptRate).values(
                    deposit_id=deposit.id,
                    currency_id=deposit.currency_id,
                    invoice_id=invoice.id,
                    merchant_id=invoice.merchant_id,
                    rate=rate.value,
                    rate_source=rate.source,
                    rate_at=rate.at,
                )
            )
