"""What an invoice's payments and the clock make of it: one pure judgement, and its events.

`judge` is a function of facts, not of the order in which they were learnt. Only three states
are sticky: `settled`, `canceled` and `invalid` were told to somebody who acted on them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import NamedTuple

BASIS_POINTS = 10_000
RATE_GRACE = timedelta(minutes=15)
"""How long a rate counts on after another was locked: what its payer saw is on its way."""


class Lock(NamedTuple):
    """What paid the whole invoice in one currency, in base units, until another rate was locked."""

    units: int
    until: datetime


class Asked(NamedTuple):
    """The least that is the whole invoice in one currency, and the most that is not more than it."""

    least: int
    most: int


def asked(units: int, before: Sequence[Lock], first: datetime | None) -> Asked:
    """Return what a currency asks for whose first payment came at `first`; None: nothing came.

    Locks of before count for `RATE_GRACE` more. The payer may have seen any of them: enough by one
    is enough, and too much is only what is too much by all.
    """
    shown = [lock.units for lock in before if first and first < lock.until + RATE_GRACE]
    return Asked(min([units, *shown]), max([units, *shown]))


@dataclass(frozen=True, slots=True)
class Payment:
    """One standing (not orphaned) deposit to the invoice.

    `asked` is what would have paid the whole invoice in this currency: at the locked rates, or at
    the price of its receipt where it is `late` (its block is younger than the expiry). An invoice
    with an open amount asks for nothing in particular, so `asked` is not looked at.
    `settles` means that the merchant's confirmation policy accepts it; `final` the chain's.
    """

    units: int
    asked: Asked
    late: bool
    settles: bool
    final: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """`status`, `exception` and whether nothing more can come (`final`)."""

    status: str
    exception: str
    final: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """All that decides: the payments, the tolerance, and whether the clock has passed two marks.

    `open_amount` means that the invoice takes whatever comes: anything is the whole of it.
    """

    payments: Sequence[Payment]
    tolerance_basis_points: int
    expired: bool
    monitoring_over: bool
    open_amount: bool = False

    def cover(self, payments: Sequence[Payment]) -> bool:
        """Tell whether these payments are the whole of the invoice."""
        if self.open_amount:
            return bool(payments)
        return covers(payments, self.tolerance_basis_points)

    def exceed(self, payments: Sequence[Payment]) -> bool:
        """Tell whether these payments are more than the invoice asks for."""
        return not self.open_amount and over(payments)


def share(payments: Sequence[Payment]) -> Fraction:
    """Return what part of the invoice the payments cover; 1 is the whole."""
    return sum((Fraction(p.units, p.asked.least) for p in payments), Fraction(0))


def over(payments: Sequence[Payment]) -> bool:
    """Tell whether the payments are more than the whole, whichever lock their payers saw."""
    return sum((Fraction(p.units, p.asked.most) for p in payments), Fraction(0)) > 1


def covers(payments: Sequence[Payment], tolerance_basis_points: int) -> bool:
    """Tell whether the payments are the whole amount less the tolerance."""
    return share(payments) >= 1 - Fraction(tolerance_basis_points, BASIS_POINTS)


def judge(now: Standing, facts: Facts) -> Standing:
    """Return where the invoice stands by the facts."""
    if now.status in ("settled", "invalid", "canceled"):
        return _after_the_end(now, facts)
    on_time = [p for p in facts.payments if not p.late]
    accepted = [p for p in on_time if p.settles]
    # What came late counts too: settled, it would be found over at the next look.
    paid = "paid_over" if facts.exceed(facts.payments) else "none"
    if facts.cover(accepted) and (not facts.open_amount or len(accepted) == len(on_time)):
        return _settled(facts, paid)
    if facts.cover(on_time):
        return Standing("processing", paid, final=False)
    if facts.cover([p for p in facts.payments if p.final]):
        return _settled(facts, "paid_late")
    partial = "paid_partial" if on_time else "none"
    if facts.expired:
        # What came late and is no part is the whole: it settles the invoice as soon as it is final.
        if facts.payments and not facts.cover(facts.payments):
            partial = "paid_partial"
        return Standing("expired", partial, final=facts.monitoring_over)
    return Standing("pending", partial, final=False)


def _settled(facts: Facts, exception: str) -> Standing:
    return Standing("settled", exception, facts.cover([p for p in facts.payments if p.final]))


def _after_the_end(now: Standing, facts: Facts) -> Standing:
    whole = facts.cover(facts.payments)
    if now.status == "settled" and not now.final and not whole:
        # Settled by a number of confirmations, and the block was orphaned after all.
        return Standing("invalid", "reorged", final=False)
    if now == Standing("invalid", "reorged", final=False) and whole:
        return _settled(facts, "paid_over" if facts.exceed(facts.payments) else "none")
    if now.status == "settled":
        over = now.exception == "none" and facts.exceed(facts.payments)
        after = _settled(facts, "paid_over" if over else now.exception)
        return Standing(after.status, after.exception, final=now.final or after.final)
    exception = _after_cancel(facts) if now.status == "canceled" else now.exception
    return Standing(now.status, exception, final=now.final or facts.monitoring_over)


def _after_cancel(facts: Facts) -> str:
    """Return what came to an invoice that was called off: all of it, for good, or a part."""
    if facts.cover([p for p in facts.payments if p.final]):
        return "paid_late"
    return "paid_partial" if facts.payments else "none"


def marked(now: Standing, status: str) -> Standing:
    """Return where an invoice stands by a person's word: final, so no payment changes it."""
    return now if now.status == status else Standing(status, "marked", final=True)


def events(before: Standing, after: Standing) -> list[str]:
    """Name what changed, in the order in which a receiver should hear it."""
    names = []
    moved = before.status != after.status
    if moved and after.status in ("processing", "expired", "invalid", "canceled"):
        names.append(f"invoice.{after.status}")
    if moved and after.status == "settled":
        late = after.exception == "paid_late"
        names.append("invoice.paid_late" if late else "invoice.settled")
    if before.exception != after.exception:
        called_off = not moved and after.status == "canceled"
        if called_off and after.exception == "paid_late":
            names.append("invoice.paid_late")
        came_late = not moved and after.status == "expired"
        if after.exception == "paid_partial" and (
            called_off or came_late or after.status == "pending"
        ):
            names.append("invoice.partially_paid")
        if after.exception == "paid_over":
            names.append("invoice.overpaid")
    return names
