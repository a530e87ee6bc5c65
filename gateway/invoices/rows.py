"""What belongs to invoices, for reading alone: one statement per table, many in one round trip."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import send, send_all
from gateway.invoices.documents import Option
from gateway.models import (
    Currency,
    Deposit,
    InvoiceTimeline,
    Network,
    PaymentOption,
    PaymentOptionRate,
    ReceiptRate,
    Withdrawal,
)
from gateway.models.columns import Table, joined
from gateway.rows import Plain

T = TypeVar("T")
Row = TypeVar("Row", bound=Table)


@dataclass(frozen=True, slots=True)
class Below(Generic[T]):
    """One kind of rows below invoices: how they are read, and shaped from the driver's tuples.

    `place` is that of the invoice's id in a tuple.
    """

    statement: str
    shape: Callable[[Sequence[Any]], T]
    place: int = 0

    async def of(self, session: AsyncSession, invoice_ids: Sequence[str]) -> dict[str, list[T]]:
        """Return these rows per invoice."""
        [found] = await read(session, (self, invoice_ids))
        return found


async def read(
    session: AsyncSession, *wanted: tuple[Below[Any], Sequence[str]]
) -> list[dict[str, list[Any]]]:
    """Return the rows of each kind per invoice, all in one round trip."""
    asked = [(kind.statement, _ids(ids)) for kind, ids in wanted if ids]
    answers: Iterator[Sequence[Sequence[Any]]] = iter(())
    if asked:
        await session.flush()
        answers = iter(await send_all(session, *asked))
    return [_per_invoice(kind, ids, next(answers) if ids else ()) for kind, ids in wanted]


def _ids(ids: Collection[str]) -> dict[str, str]:
    return {"ids": joined(ids)}


def _per_invoice(
    kind: Below[Any], invoice_ids: Sequence[str], rows: Sequence[Sequence[Any]]
) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {each: [] for each in invoice_ids}
    for values in rows:
        found[values[kind.place]].append(kind.shape(values))
    return found


def _table(model: type[Row], order: str) -> Below[Row]:
    """Return the rows of one table."""
    plain = Plain(model, "r")
    return Below(
        f"SELECT {plain.select} FROM {model.__tablename__} r "  # noqa: S608 no value is in it
        f"WHERE r.invoice_id = ANY(string_to_array(%(ids)s, ',')) ORDER BY {order}",
        plain.row,
        [column.name for column in plain.columns].index("invoice_id"),
    )


_OPTION, _REFUND = Plain(PaymentOption, "o"), Plain(Withdrawal, "w")
_CURRENCY, _NETWORK = Plain(Currency, "c"), Plain(Network, "n")
_OPTIONS = f"""
SELECT {_OPTION.select} FROM payment_option o
WHERE o.invoice_id = ANY(string_to_array(%(ids)s, ',')) ORDER BY o.currency_id
"""  # noqa: S608 names of columns only
# By themselves: with every option they would be most of what is read.
_METHODS = f"""
SELECT {_CURRENCY.select}, {_NETWORK.select} FROM currency c JOIN network n ON n.id = c.network_id
WHERE c.id = ANY(ARRAY(
    SELECT DISTINCT o.currency_id FROM payment_option o
    WHERE o.invoice_id = ANY(string_to_array(%(ids)s, ','))))
"""  # noqa: S608 names of columns only


async def read_with_options(
    session: AsyncSession, invoice_ids: Sequence[str], *kinds: Below[Any]
) -> tuple[dict[str, list[Option]], list[dict[str, list[Any]]]]:
    """Return the options per invoice, in the order of their currencies' ids, and other rows.

    All in one round trip.
    """
    found: dict[str, list[Option]] = {each: [] for each in invoice_ids}
    if not invoice_ids:
        return found, [{} for _ in kinds]
    ids = _ids(invoice_ids)
    await session.flush()
    # The methods behind the options: what was offered meanwhile is known too.
    options, methods, *others = await send_all(
        session, (_OPTIONS, ids), (_METHODS, ids), *[(kind.statement, ids) for kind in kinds]
    )
    known = {
        row.id: (row, _NETWORK.row(values[_CURRENCY.width :]))
        for values in methods
        for row in [_CURRENCY.row(values[: _CURRENCY.width])]
    }
    for values in options:
        row = _OPTION.row(values)
        found[row.invoice_id].append(Option(row, *known[row.currency_id]))
    return found, [
        _per_invoice(kind, invoice_ids, rows) for kind, rows in zip(kinds, others, strict=True)
    ]


def _refund(values: Sequence[Any]) -> tuple[Withdrawal, Currency]:
    return _REFUND.row(values[: _REFUND.width]), _CURRENCY.row(values[_REFUND.width :])


DEPOSITS = _table(Deposit, "r.id DESC")
"""Every deposit, newest first."""
TIMELINE = _table(InvoiceTimeline, "r.id")
"""The steps, oldest first."""
RATES = _table(PaymentOptionRate, "r.id")
"""The rates that were locked before, oldest first."""
RECEIPTS = _table(ReceiptRate, "r.deposit_id, r.currency_id")
"""What payments were worth when they came."""
REFUNDS = Below(
    f"""
SELECT {_REFUND.select}, {_CURRENCY.select}
FROM withdrawal w JOIN currency c ON c.id = w.currency_id
WHERE w.invoice_id = ANY(string_to_array(%(ids)s, ',')) ORDER BY w.created_at, w.id
""",  # noqa: S608 names of columns only
    _refund,
    [column.name for column in _REFUND.columns].index("invoice_id"),
)
"""The withdrawals that refund them, with their currencies, oldest first."""
_CURRENCIES = (
    f"SELECT {_CURRENCY.select} FROM currency c WHERE c.id = ANY(string_to_array(%(ids)s, ','))"  # noqa: S608
)


async def currencies_of(
    session: AsyncSession, currency_ids: Collection[str]
) -> Mapping[str, Currency]:
    """Return these currencies by their ids."""
    if not currency_ids:
        return {}
    rows = await send(session, _CURRENCIES, _ids(currency_ids))
    return {row.id: row for row in map(_CURRENCY.row, rows)}
