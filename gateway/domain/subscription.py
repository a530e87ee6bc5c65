"""Periods by the calendar, and what a subscription does next; pure.

A period of months begins on the day of its anchor, or on the last day of a shorter month: counted
from the anchor each time, so that 31 January, 28 February, 31 March follow each other. All in UTC.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

Unit = Literal["day", "week", "month", "year"]
Step = Literal["wait", "bill", "paid", "past_due", "end", "cancel"]
DAYS = {"day": 1, "week": 7}
MONTHS = {"month": 1, "year": 12}


@dataclass(frozen=True, slots=True)
class Cycle:
    """Periods of `count` units, the first of which begins at `anchor`."""

    anchor: datetime
    unit: str
    count: int

    def start(self, number: int) -> datetime:
        """Return when period `number` begins, counted from 0; it ends where the next begins."""
        anchor = self.anchor.astimezone(UTC)
        if self.unit in DAYS:
            return anchor + timedelta(days=DAYS[self.unit] * self.count * number)
        months = anchor.month - 1 + MONTHS[self.unit] * self.count * number
        year, month = anchor.year + months // 12, months % 12 + 1
        day = min(anchor.day, monthrange(year, month)[1])
        return anchor.replace(year=year, month=month, day=day)


@dataclass(frozen=True, slots=True)
class Open:
    """The period that is billed and not paid yet; `deadline` is when its grace is over."""

    start: datetime
    deadline: datetime
    paid: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """A live subscription as its rows say; `lead` is how long before a period it is billed."""

    status: str
    next_start: datetime
    lead: timedelta
    open: Open | None
    paused: bool
    ends: bool


def step(now: datetime, standing: Standing) -> Step:
    """Return the one thing that is due now; the next is found by asking again."""
    period = standing.open
    if period is not None:
        if period.paid:
            return "paid"
        if now >= period.deadline:
            return "end"
        late = now >= period.start and standing.status != "past_due"
        return "past_due" if late else "wait"
    if standing.ends:
        return "cancel" if now >= standing.next_start else "wait"
    if standing.paused:
        return "wait"
    return "bill" if now >= standing.next_start - standing.lead else "wait"


def look_again(standing: Standing) -> datetime | None:
    """Return when time alone brings the next step; None where only somebody's act does."""
    period = standing.open
    if period is not None:
        ahead = standing.status != "past_due"
        return min(period.start, period.deadline) if ahead else period.deadline
    if standing.ends:
        return standing.next_start
    return None if standing.paused else standing.next_start - standing.lead


def is_member(
    now: datetime,
    *,
    status: str,
    trial_until: datetime,
    paid_until: datetime | None,
    grace: timedelta,
    goes_on: bool,
) -> bool:
    """Tell whether the customer may use what it subscribed to now.

    A trial and a paid period count to their end; who paid before is let in while the grace of the
    next period lasts, and who never did is not. `goes_on` says that a next period is billed: also
    where that has not been done yet, which is not the customer's fault.
    """
    if status == "trialing":
        return now < trial_until
    if paid_until is None or status in ("canceled", "ended"):
        return False
    return now < paid_until + (grace if goes_on or status == "past_due" else timedelta(0))
