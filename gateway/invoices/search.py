"""Finding invoices: what a list is narrowed to, and the statement that does it.

A list is always in the order of its ids, so every filter walks one index backwards or starts
from a short list of ids: the words of order ids and descriptions, an address, a transaction.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import NULLTYPE

from gateway.db import send
from gateway.domain.addresses import AddressError, canonical
from gateway.domain.hashes import spellings
from gateway.domain.moment import ulid
from gateway.models import Invoice
from gateway.paging import PageRequest, Slice, cut
from gateway.rows import Plain

INVOICE = Plain(Invoice, "i")
_FIRST, _LAST = bytes(10), b"\xff" * 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE = re.compile(r"%\((\w+)\)s")


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


@dataclass(frozen=True, slots=True)
class Found:
    """The invoices that a search finds: the conditions on `invoice i`, and their values."""

    where: list[str]
    values: dict[str, Any]

    def select(self, order: str) -> str:
        """Return the statement that reads them, with the driver's places."""
        return (
            f"SELECT {INVOICE.select} FROM invoice i WHERE {' AND '.join(self.where)} {order}"  # noqa: S608 no value is in it
        )

    def every(self) -> TextClause:
        """Return SQLAlchemy's statement of all of them, newest first."""
        statement = _PLACE.sub(r":\1", self.select("ORDER BY i.id DESC"))
        # Without a type the driver sees each value as it is, as it does in a page.
        values = (bindparam(name, value, NULLTYPE) for name, value in self.values.items())
        return text(statement).bindparams(*values)


async def invoice_page(
    session: AsyncSession,
    merchant_id: str,
    page: PageRequest,
    wanted: InvoiceFilter,
    *,
    livemode: bool,
) -> Slice[Invoice]:
    """Return one page of the merchant's invoices, for reading alone."""
    edge = page.edge("inv")
    found = await found_by(session, merchant_id, wanted, livemode=livemode)
    if edge is not None:
        found.where.append(f"i.id {'>' if page.backwards else '<'} %(edge)s")
    order = "ORDER BY i.id" + ("" if page.backwards else " DESC")
    values = {**found.values, "edge": edge, "rows": page.limit + 1}
    rows = await send(session, found.select(f"{order} LIMIT %(rows)s"), values)
    return cut([INVOICE.row(each) for each in rows], page.limit, backwards=page.backwards)


async def found_by(
    session: AsyncSession, merchant_id: str, wanted: InvoiceFilter, *, livemode: bool
) -> Found:
    """Return which of the merchant's invoices are wanted."""
    found = Found(
        ["i.merchant_id = %(merchant_id)s", "i.livemode = %(livemode)s"],
        {"merchant_id": merchant_id, "livemode": livemode},
    )
    for name, condition in _CONDITIONS.items():
        value = getattr(wanted, name)
        if value is not None:
            found.where.append(condition)
            found.values[name] = value
    if wanted.tx_hash is not None:
        found.values["tx_hash"] = spellings(wanted.tx_hash)
    _begin_at(found, wanted)
    if wanted.address is not None:
        found.where.append(await _shown(session, found, wanted.address, test=not livemode))
    if wanted.words is not None:
        [[words]] = await send(session, "SELECT words_of(%(words)s)", {"words": wanted.words})
        for place, word in enumerate(words or [""]):  # an empty word is in no invoice
            found.where.append(_SAYS.format(place=place))
            found.values[f"word{place}"] = word
    return found


_CONDITIONS = {
    "status": "i.status = %(status)s",
    "exception": "i.exception = %(exception)s",
    "order_id": "i.order_id = %(order_id)s",
    "customer_id": "i.customer_id = %(customer_id)s",
    "currency": "i.currency = %(currency)s",
    "amount_from": "i.amount >= %(amount_from)s",
    "amount_to": "i.amount <= %(amount_to)s",
    "created_from": "i.created_at >= %(created_from)s",
    "created_before": "i.created_at < %(created_before)s",
    "paid_from": "i.paid_at >= %(paid_from)s",
    "paid_before": "i.paid_at < %(paid_before)s",
    "payment_method": "EXISTS (SELECT FROM payment_option o "
    "WHERE o.invoice_id = i.id AND o.currency_id = %(payment_method)s)",
    "tx_hash": "i.id IN (SELECT d.invoice_id FROM deposit d "
    "WHERE d.network_id IN (SELECT n.id FROM network n) AND d.tx_hash = ANY(%(tx_hash)s) "
    "AND d.merchant_id = %(merchant_id)s)",
}
"""What each filter asks of an invoice."""
_SAYS = (
    "i.id IN (SELECT w.invoice_id FROM invoice_word w WHERE w.merchant_id = %(merchant_id)s "
    "AND w.livemode = %(livemode)s AND w.word = %(word{place})s)"
)


def _begin_at(found: Found, wanted: InvoiceFilter) -> None:
    """Let the list start at its times at once: ids begin with the time."""
    if wanted.created_from is not None:
        found.where.append("i.id >= %(first_id)s")
        found.values["first_id"] = _edge(wanted.created_from, _FIRST)
    if wanted.created_before is not None:
        found.where.append("i.id <= %(last_id)s")
        found.values["last_id"] = _edge(wanted.created_before, _LAST)


def _edge(at: datetime, rest: bytes) -> str:
    return f"inv_{ulid(max(at, _EPOCH), rest)}"


async def _shown(session: AsyncSession, found: Found, address: str, *, test: bool) -> str:
    """Return the condition that the address is the invoice's, on a network where it can be one."""
    networks = await send(
        session, "SELECT id, family FROM network WHERE test = %(test)s", {"test": test}
    )
    places = []
    for place, (network_id, family) in enumerate(networks):
        try:
            found.values[f"address{place}"] = canonical(family, address)
        except AddressError:
            continue
        found.values[f"network{place}"] = network_id
        places.append(f"(p.network_id = %(network{place})s AND p.address = %(address{place})s)")
    return (
        "i.id IN (SELECT p.invoice_id FROM address_pool p "  # noqa: S608 no value is in it
        f"WHERE p.merchant_id = %(merchant_id)s AND ({' OR '.join(places) or 'false'}))"
    )
