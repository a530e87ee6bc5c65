"""Periods by the calendar and what a subscription does next, for any dates and any order."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.subscription import Cycle, Open, Standing, is_member, look_again, step

MOMENTS = st.integers(946_684_800, 4_102_444_800).map(
    lambda at: datetime.fromtimestamp(at, UTC)
)
UNITS = st.sampled_from(["day", "week", "month", "year"])
COUNTS = st.integers(1, 24)
NUMBERS = st.integers(0, 60)


@pytest.mark.parametrize(
    ("anchor", "unit", "count", "expected"),
    [
        ("2026-01-31", "month", 1, ["01-31", "02-28", "03-31", "04-30", "05-31"]),
        ("2028-01-31", "month", 1, ["01-31", "02-29", "03-31"]),
        ("2026-08-31", "month", 6, ["08-31", "02-28", "08-31"]),
        ("2028-02-29", "year", 1, ["02-29", "02-28", "02-28", "02-28", "02-29"]),
        ("2026-12-30", "week", 1, ["12-30", "01-06"]),
        ("2026-02-27", "day", 2, ["02-27", "03-01"]),
    ],
)
def test_the_calendar_is_kept(anchor: str, unit: str, count: int, expected: list[str]) -> None:
    """The 31st is the last day of a shorter month, and the 31st again where there is one."""
    cycle = Cycle(datetime.fromisoformat(anchor).replace(tzinfo=UTC), unit, count)
    found = [cycle.start(number).strftime("%m-%d") for number in range(len(expected))]
    assert found == expected


@given(MOMENTS, UNITS, COUNTS, NUMBERS)
def test_periods_follow_each_other(
    anchor: datetime, unit: str, count: int, number: int
) -> None:
    """Each is longer than nothing, no longer than its units, and keeps the anchor's time of day."""
    cycle = Cycle(anchor, unit, count)
    start, end = cycle.start(number), cycle.start(number + 1)
    longest = {"day": 1, "week": 7, "month": 31, "year": 366}[unit] * count
    assert timedelta(0) < end - start <= timedelta(days=longest)
    assert start.timetz() == anchor.timetz()
    if unit in ("month", "year"):
        assert start.day == anchor.day or (start + timedelta(days=1)).day == 1


@given(MOMENTS, NUMBERS, st.integers(-12, 14))
def test_a_zone_is_only_another_way_to_write_it(
    anchor: datetime, number: int, hours: int
) -> None:
    """The same instant gives the same periods."""
    elsewhere = anchor.astimezone(timezone(timedelta(hours=hours)))
    assert Cycle(elsewhere, "month", 1).start(number) == Cycle(anchor, "month", 1).start(number)


@st.composite
def standings(draw: st.DrawFn) -> Standing:
    """Draw any live subscription."""
    at = draw(MOMENTS)
    start = draw(MOMENTS)
    grace = timedelta(days=draw(st.integers(1, 90)))
    period = Open(start, start + grace, draw(st.booleans()))
    return Standing(
        draw(st.sampled_from(["trialing", "active", "past_due"])),
        at,
        timedelta(days=draw(st.integers(0, 30))),
        draw(st.sampled_from([None, period])),
        draw(st.booleans()),
        draw(st.booleans()),
    )


@given(standings(), MOMENTS)
def test_nothing_is_billed_twice_early_or_against_a_wish(
    standing: Standing, now: datetime
) -> None:
    """Not while a period is open, paused, or ending; not before it is due."""
    if step(now, standing) == "bill":
        assert standing.open is None
        assert not standing.paused
        assert not standing.ends
        assert now >= standing.next_start - standing.lead


@given(standings(), MOMENTS)
def test_what_is_paid_is_never_ended(standing: Standing, now: datetime) -> None:
    """However late it is looked at; and what is unpaid ends with its grace, not before."""
    found = step(now, standing)
    if standing.open is not None and standing.open.paid:
        assert found == "paid"
    if found == "end":
        assert standing.open is not None
        assert now >= standing.open.deadline


@given(standings(), st.integers(0, 10**6))
def test_who_looks_when_told_misses_nothing(standing: Standing, early: int) -> None:
    """Before the time to look again nothing is due; then something is, unless only an act helps."""
    again = look_again(standing)
    if standing.open is not None and standing.open.paid:
        return
    if again is None:
        assert step(datetime(2200, 1, 1, tzinfo=UTC), standing) == "wait"
        return
    assert step(again, standing) != "wait"
    assert step(again - timedelta(seconds=1 + early), standing) == "wait"


def test_membership_follows_what_was_paid() -> None:
    """A trial, a paid period, its grace; never for who never paid, nor after the end."""
    now = datetime(2026, 1, 10, tzinfo=UTC)
    day = timedelta(days=1)

    def member(
        status: str, paid: datetime | None, trial: datetime = now, *, on: bool = False
    ) -> bool:
        return is_member(
            now, status=status, trial_until=trial, paid_until=paid, grace=3 * day, goes_on=on
        )

    assert member("trialing", None, now + day)
    assert not member("trialing", None, now)
    assert member("active", now + day)
    assert not member("active", now)
    assert member("active", now, on=True)
    assert not member("active", now - 3 * day, on=True)
    assert not member("active", None, on=True)
    assert not member("canceled", now + day, on=True)
    assert member("past_due", now - 2 * day)
    assert not member("past_due", now - 3 * day)
    assert not member("past_due", None)
    assert not member("canceled", now + day)
    assert not member("ended", now + day)
