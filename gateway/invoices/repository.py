"""Named queries for invoices."""

from collections.abc import Callable, Collection, Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.catalog.repository import scanned_heights
from gateway.domain.errors import NotFound
from gateway.invoices.documents import History, InvoiceDocument, Option, invoice_document
from gateway.invoices.rows import (
    DEPOSITS,
    RATES,
    RECEIPTS,
    REFUNDS,
    TIMELINE,
    currencies_of,
    read,
    read_with_options,
)
from gateway.models import (
    Currency,
    Deposit,
    Invoice,
    Network,
    PaymentOption,
    PaymentOptionRate,
)

deposits_of = DEPOSITS.of
receipts_of = RECEIPTS.of
refunds_of = REFUNDS.of
Check = Callable[[Option], None]
"""Looks at an option before it is shown, and raises where it must not be."""


async def merchant_id_of(session: AsyncSession, invoice_id: str) -> str | None:
    """Return whose invoice this is, for somebody who knows its id and nothing else."""
    found: str | None = await session.scalar(select(func.invoice_merchant(invoice_id)))
    return found


async def invoice_of(
    session: AsyncSession,
    merchant_id: str,
    invoice_id: str,
    *,
    livemode: bool,
    lock: bool = False,
) -> Invoice:
    """Return the merchant's invoice; raise `NotFound` where this caller has no such thing."""
    query = select(Invoice).where(
        Invoice.id == invoice_id,
        Invoice.merchant_id == merchant_id,
        Invoice.livemode == livemode,
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = (await session.scalars(query)).one_or_none()
    if row is None:
        raise NotFound(f"there is no invoice {invoice_id[:64]}")
    return row


async def locked(session: AsyncSession, invoice_id: str) -> Invoice:
    """Return the invoice with its row lock: whoever moves an invoice holds it first."""
    query = select(Invoice).where(Invoice.id == invoice_id).with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).one()


async def locked_many(
    session: AsyncSession, invoice_ids: Collection[str]
) -> dict[str, Invoice]:
    """Return invoices with their row locks, taken in the order of their ids."""
    query = (
        select(Invoice)
        .where(Invoice.id.in_(invoice_ids))
        .order_by(Invoice.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {row.id: row for row in await session.scalars(query)}


async def options_of(
    session: AsyncSession, invoice_ids: Sequence[str]
) -> dict[str, list[Option]]:
    """Return the payment options per invoice to be written to, in the order of their ids."""
    query = (
        select(PaymentOption, Currency, Network)
        .join(Currency, Currency.id == PaymentOption.currency_id)
        .join(Network, Network.id == PaymentOption.network_id)
        .where(PaymentOption.invoice_id.in_(invoice_ids))
        .order_by(PaymentOption.currency_id)
        .execution_options(populate_existing=True)
    )
    found: dict[str, list[Option]] = {invoice_id: [] for invoice_id in invoice_ids}
    for row, currency, network in await session.execute(query):
        found[row.invoice_id].append(Option(row, currency, network))
    return found


async def documents_of(
    session: AsyncSession,
    invoices: Sequence[Invoice],
    *,
    public_url: str,
    check: Check | None = None,
    expanded: bool = False,
) -> list[InvoiceDocument]:
    """Shape invoices for the outside, with a few queries for all of them.

    `expanded` shows their deposits, which are read anyway.
    """
    ids = [invoice.id for invoice in invoices]
    options, [deposits, timeline] = await read_with_options(session, ids, DEPOSITS, TIMELINE)
    if check is not None:
        for option in (option for found in options.values() for option in found):
            check(option)
    refunds, rates, receipts = await read(
        session,
        (REFUNDS, _received(deposits)),
        (RATES, _refreshed(invoices, options)),
        (RECEIPTS, [i.id for i in invoices if i.amount is None and deposits[i.id]]),
    )
    currencies = await _currencies(session, options, deposits) if expanded else None
    heads = await scanned_heights(session) if expanded else {}
    return [
        invoice_document(
            invoice,
            options[invoice.id],
            History(
                deposits=deposits[invoice.id],
                timeline=timeline[invoice.id],
                refunds=refunds.get(invoice.id, []),
                rates=rates.get(invoice.id, []),
                receipts=receipts.get(invoice.id, []),
                expanded=currencies,
                heads=heads,
            ),
            public_url=public_url,
        )
        for invoice in invoices
    ]


async def rates_before(
    session: AsyncSession, invoice: Invoice, options: Sequence[Option]
) -> list[PaymentOptionRate]:
    """Return the rates that were locked before today's, oldest first; mostly none, and unasked."""
    ids = _refreshed([invoice], {invoice.id: options})
    return (await RATES.of(session, ids))[invoice.id] if ids else []


def _received(deposits: Mapping[str, Sequence[Deposit]]) -> list[str]:
    """Return the invoices that received something final: no other can have refunds."""
    return [
        invoice_id
        for invoice_id, found in deposits.items()
        if any(deposit.status == "confirmed" for deposit in found)
    ]


def _refreshed(
    invoices: Sequence[Invoice], options: Mapping[str, Sequence[Option]]
) -> list[str]:
    """Return the invoices with an option whose rate is not the first one."""
    return [
        invoice.id
        for invoice in invoices
        if any(option.row.rate_at > invoice.created_at for option in options[invoice.id])
    ]


async def _currencies(
    session: AsyncSession,
    options: Mapping[str, Sequence[Option]],
    deposits: Mapping[str, Sequence[Deposit]],
) -> dict[str, Currency]:
    """Return the currencies of these deposits; an operator may have assigned one in any."""
    known = {
        option.currency.id: option.currency for each in options.values() for option in each
    }
    missing = {d.currency_id for each in deposits.values() for d in each} - known.keys()
    return {**known, **await currencies_of(session, missing)}
