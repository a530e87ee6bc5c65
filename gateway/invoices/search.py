"""Finding invoices: what a list is narrowed to, and the statement that does it.

A list is always in the order of its ids, so every filter walks one index backwards or starts
from a short list of ids: the words of order ids and descriptions, an address, a transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.addresses import AddressError, canonical
from gateway.domain.moment import ulid
from gateway.models import (
    AddressPool,
    Deposit,
    Invoice,
    InvoiceWord,
    Network,
    PaymentOption,
)
from gateway.paging import PageRequest, Slice, newest_first

_FIRST, _LAST = bytes(10), b"\xff" * 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class InvoiceFilter:
    """What a list is narrowed to; None means everything. `*_before` is exclusive.

    `words` is text whose words all stand in the order id or the description, in any order.
    """

    status: str | None = None
    exception: str | None = None
    order_id: str | None = None
    customer_id: str | None = None
    currency: str | None = None
    payment_method: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    paid_from: datetime | None = None
    paid_before: datetime | None = None
    amount_from: Decimal | None = None
    amount_to: Decimal | None = None
    tx_hash: str | None = None
    address: str | None = None
    words: str | None = None


async def invoice_page(
    session: AsyncSession,
    merchant_id: str,
    page: PageRequest,
    wanted: InvoiceFilter,
    *,
    livemode: bool,
) -> Slice[Invoice]:
    """Return one page of the merchant's invoices."""
    query = await found_by(session, merchant_id, wanted, livemode=livemode)
    return await newest_first(session, query, Invoice.id, page)


async def found_by(
    session: AsyncSession, merchant_id: str, wanted: InvoiceFilter, *, livemode: bool
) -> Select[Invoice]:
    """Return the statement that selects the merchant's invoices of this kind."""
    query = select(Invoice).where(
        Invoice.merchant_id == merchant_id,
        Invoice.livemode == livemode,
        *_columns(wanted),
        *_times(wanted),
    )
    if wanted.payment_method is not None:
        query = query.where(
            select(PaymentOption.invoice_id)
            .where(
                PaymentOption.invoice_id == Invoice.id,
                PaymentOption.currency_id == wanted.payment_method,
            )
            .exists()
        )
    if wanted.tx_hash is not None:
        query = query.where(Invoice.id.in_(_paid_by(merchant_id, wanted.tx_hash)))
    if wanted.address is not None:
        networks = await _networks(session, test=not livemode)
        query = query.where(Invoice.id.in_(_shown(merchant_id, wanted.address, networks)))
    if wanted.words is not None:
        words = await session.scalar(select(func.words_of(wanted.words)))
        for word in words or [""]:
            query = query.where(_says(merchant_id, word, livemode=livemode))
    return query


def _columns(wanted: InvoiceFilter) -> list[ColumnElement[bool]]:
    same = {
        Invoice.status: wanted.status,
        Invoice.exception: wanted.exception,
        Invoice.order_id: wanted.order_id,
        Invoice.customer_id: wanted.customer_id,
        Invoice.currency: wanted.currency,
    }
    conditions: list[ColumnElement[bool]] = [
        column == value for column, value in same.items() if value is not None
    ]
    if wanted.amount_from is not None:
        conditions.append(Invoice.amount >= wanted.amount_from)
    if wanted.amount_to is not None:
        conditions.append(Invoice.amount <= wanted.amount_to)
    return conditions


def _times(wanted: InvoiceFilter) -> list[ColumnElement[bool]]:
    """Return the conditions on times; ids begin with the time, so the list starts at once there."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.created_from is not None:
        conditions.append(Invoice.created_at >= wanted.created_from)
        conditions.append(Invoice.id >= _edge(wanted.created_from, _FIRST))
    if wanted.created_before is not None:
        conditions.append(Invoice.created_at < wanted.created_before)
        conditions.append(Invoice.id <= _edge(wanted.created_before, _LAST))
    if wanted.paid_from is not None:
        conditions.append(Invoice.paid_at >= wanted.paid_from)
    if wanted.paid_before is not None:
        conditions.append(Invoice.paid_at < wanted.paid_before)
    return conditions


def _edge(at: datetime, rest: bytes) -> str:
    return f"inv_{ulid(max(at, _EPOCH), rest)}"


def _says(merchant_id: str, word: str, *, livemode: bool) -> ColumnElement[bool]:
    """Match invoices with this word; an empty one is in none."""
    return Invoice.id.in_(
        select(InvoiceWord.invoice_id).where(
            InvoiceWord.merchant_id == merchant_id,
            InvoiceWord.livemode == livemode,
            InvoiceWord.word == word,
        )
    )


def _paid_by(merchant_id: str, tx_hash: str) -> Select[str | None]:
    return select(Deposit.invoice_id).where(
        Deposit.network_id.in_(select(Network.id)),
        Deposit.tx_hash == tx_hash,
        Deposit.merchant_id == merchant_id,
    )


def _shown(merchant_id: str, address: str, networks: Sequence[Network]) -> Select[str | None]:
    """Select the invoice that an address belongs to, on the networks where it can be one."""
    places = []
    for network in networks:
        try:
            stored = canonical(network.family, address)
        except AddressError:
            continue
        places.append(and_(AddressPool.network_id == network.id, AddressPool.address == stored))
    return select(AddressPool.invoice_id).where(
        AddressPool.merchant_id == merchant_id,
        or_(False, *places),  # noqa: FBT003 - SQL's false
    )


async def _networks(session: AsyncSession, *, test: bool) -> Sequence[Network]:
    return (await session.scalars(select(Network).where(Network.test == test))).all()
