"""The judgement on an invoice depends on the facts, not on the order in which they came."""

import random
from dataclasses import replace
from datetime import datetime

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.domain.invoice import (
    RATE_GRACE,
    Asked,
    Facts,
    Lock,
    Payment,
    Standing,
    asked,
    covers,
    events,
    judge,
    over,
    share,
)

PENDING = Standing("pending", "none", final=False)
STATUSES = ("pending", "processing", "settled", "expired", "invalid", "canceled")
EXCEPTIONS = ("none", "paid_partial", "paid_over", "paid_late", "marked", "reorged")

ASKED = st.sampled_from([Asked(100, 100), Asked(80, 100), Asked(100, 130)])
"""Rates were locked anew, or not."""
PAYMENTS = st.lists(
    st.builds(
        Payment,
        units=st.integers(1, 300),
        asked=ASKED,
        late=st.booleans(),
        settles=st.booleans(),
        final=st.booleans(),
    ).map(lambda p: replace(p, settles=p.settles or p.final)),
    max_size=5,
)
FACTS = st.builds(
    Facts,
    payments=PAYMENTS,
    tolerance_basis_points=st.sampled_from([0, 50, 1000]),
    expired=st.booleans(),
    monitoring_over=st.sampled_from([False]),
)
STANDINGS = st.builds(
    Standing, st.sampled_from(STATUSES), st.sampled_from(EXCEPTIONS), st.booleans()
)


@given(FACTS, st.randoms())
def test_the_order_of_payments_does_not_matter(facts: Facts, order: random.Random) -> None:
    """Two watchers that saw the same payments in another order agree."""
    shuffled = list(facts.payments)
    order.shuffle(shuffled)
    assert judge(PENDING, facts) == judge(PENDING, replace(facts, payments=shuffled))


LATE_BESIDE_ENOUGH = Facts(
    [
        Payment(units=11, asked=Asked(100, 100), late=True, settles=False, final=False),
        Payment(units=90, asked=Asked(100, 100), late=False, settles=True, final=True),
    ],
    tolerance_basis_points=1000,
    expired=False,
    monitoring_over=False,
)


@given(STANDINGS, FACTS)
@example(PENDING, LATE_BESIDE_ENOUGH)
def test_judging_twice_changes_nothing_more(now: Standing, facts: Facts) -> None:
    """The same facts again are no news: a repeated block or a restart is harmless."""
    once = judge(now, facts)
    assert judge(once, facts) == once
    assert events(once, judge(once, facts)) == []


ENDED = STANDINGS.filter(
    lambda s: (
        s.status == "canceled"
        or (s.status == "settled" and s.final)
        or (s.status == "invalid" and (s.final or s.exception != "reorged"))
    )
)


@given(ENDED, FACTS)
def test_what_somebody_acted_on_stays(now: Standing, facts: Facts) -> None:
    """Goods have been sent for a settled invoice: no later fact unsettles it silently."""
    assert judge(now, facts).status == now.status


CANCELED = Standing("canceled", "none", final=False)


@given(STANDINGS.filter(lambda s: s.status == "canceled"), FACTS)
def test_a_canceled_invoice_says_what_came_to_it(now: Standing, facts: Facts) -> None:
    """It stays called off; all of it, once it is final, was paid late, and anything less in part."""
    final = [p for p in facts.payments if p.final]
    whole = covers(final, facts.tolerance_basis_points)
    said = "paid_late" if whole else "paid_partial" if facts.payments else "none"
    after = judge(now, facts)
    assert (after.status, after.exception) == ("canceled", said)


def test_what_comes_to_a_canceled_invoice_is_heard() -> None:
    """A part and the whole of it, each once; calling it off is its own event alone."""
    part, late = (replace(CANCELED, exception=each) for each in ("paid_partial", "paid_late"))
    assert events(CANCELED, part) == ["invoice.partially_paid"]
    assert events(part, late) == ["invoice.paid_late"]
    assert events(late, part) == ["invoice.partially_paid"], "its block went away"
    assert events(replace(PENDING, exception="paid_partial"), part) == ["invoice.canceled"]


@given(st.sampled_from(["none", "paid_over", "paid_late"]), FACTS)
def test_settled_by_confirmations_falls_with_its_block(exception: str, facts: Facts) -> None:
    """The merchant took the risk: it turns invalid, loudly, and comes back with the payment."""
    settled = Standing("settled", exception, final=False)
    fallen = judge(settled, replace(facts, payments=[]))
    assert fallen == Standing("invalid", "reorged", final=False)
    assert events(settled, fallen) == ["invoice.invalid"]
    paid = Payment(units=100, asked=Asked(100, 100), late=False, settles=True, final=True)
    assert judge(fallen, replace(facts, payments=[paid])).status == "settled"


@given(FACTS)
def test_settled_is_paid_for(facts: Facts) -> None:
    """An invoice settles only on payments that the policy accepts, less the tolerance."""
    after = judge(PENDING, facts)
    if after.status == "settled":
        accepted = [p for p in facts.payments if p.settles]
        assert covers(accepted, facts.tolerance_basis_points)
    if after.final and after.status == "settled":
        assert covers([p for p in facts.payments if p.final], facts.tolerance_basis_points)


@given(FACTS)
def test_a_full_final_payment_on_time_settles(facts: Facts) -> None:
    """Whatever else arrived, and whatever the clock says."""
    paid = Payment(units=100, asked=Asked(100, 100), late=False, settles=True, final=True)
    after = judge(PENDING, replace(facts, payments=[*facts.payments, paid]))
    assert after.status == "settled"
    assert after.final


@given(FACTS)
def test_without_a_payment_only_the_clock_decides(facts: Facts) -> None:
    """Expired when its time is over, pending before."""
    after = judge(PENDING, replace(facts, payments=[]))
    assert after == Standing("expired" if facts.expired else "pending", "none", final=False)


@given(FACTS)
def test_a_late_payment_alone_never_processes(facts: Facts) -> None:
    """Late money settles as late once it is final; less than all of it is a part."""
    late = [replace(p, late=True) for p in facts.payments]
    late_facts = replace(facts, payments=late, expired=True)
    after = judge(PENDING, late_facts)
    if after.status == "settled":
        assert after.exception == "paid_late"
    elif late and not late_facts.cover(late):
        assert (after.status, after.exception) == ("expired", "paid_partial")
    else:
        assert (after.status, after.exception) == ("expired", "none")


def test_a_part_that_comes_late_is_heard_of_once() -> None:
    """By its own event where the expiry was told before, else in the document of the expiry."""
    part = Payment(units=40, asked=Asked(100, 100), late=True, settles=True, final=True)
    facts = Facts([part], tolerance_basis_points=0, expired=True, monitoring_over=False)
    expired = Standing("expired", "none", final=False)
    after = judge(expired, facts)
    assert after == Standing("expired", "paid_partial", final=False)
    assert events(expired, after) == ["invoice.partially_paid"]
    assert events(PENDING, after) == ["invoice.expired"]
    assert judge(after, replace(facts, payments=[])) == expired, "its block went away"
    assert events(after, expired) == []
    whole = judge(after, replace(facts, payments=[part, replace(part, units=60)]))
    assert whole == Standing("settled", "paid_late", final=True)
    assert events(after, whole) == ["invoice.paid_late"]


@given(FACTS)
def test_the_tolerance_is_in_the_payers_favour(facts: Facts) -> None:
    """A wider tolerance never turns a paid invoice into an unpaid one."""
    narrow = covers(facts.payments, 0)
    assert covers(facts.payments, 1000) or not narrow
    assert narrow == (share(facts.payments) >= 1)


LOCKS = st.lists(st.builds(Lock, st.integers(1, 300), st.datetimes()), max_size=4)


@given(st.integers(1, 300), LOCKS, st.datetimes(), st.integers(1, 400))
def test_a_rate_counts_for_a_quarter_of_an_hour_after_another_was_locked(
    units: int, before: list[Lock], first: datetime, paid: int
) -> None:
    """Enough by one of them is enough, too much is too much by all; older ones are over."""
    shown = asked(units, before, first)
    valid = [units, *(lock.units for lock in before if first - lock.until < RATE_GRACE)]
    assert shown == Asked(min(valid), max(valid))
    assert asked(units, before, None) == asked(units, [], first) == Asked(units, units)
    payment = Payment(paid, shown, late=False, settles=True, final=True)
    facts = Facts([payment], tolerance_basis_points=0, expired=False, monitoring_over=False)
    after = judge(PENDING, facts)
    assert (after.status == "settled") == any(paid >= each for each in valid)
    assert (after.exception == "paid_over") == all(paid > each for each in valid)


@given(FACTS)
def test_fresh_rates_are_in_the_payers_favour(facts: Facts) -> None:
    """Whoever paid enough, and not too much, at the rate of today stands no worse for an older one."""
    today = [replace(p, asked=Asked(p.asked.most, p.asked.most)) for p in facts.payments]
    if covers(today, facts.tolerance_basis_points):
        assert facts.cover(facts.payments)
    assert over(facts.payments) == over(today)
    least = [replace(p, asked=Asked(p.asked.least, p.asked.least)) for p in facts.payments]
    assert over(least) or not over(facts.payments)


@given(STANDINGS, STANDINGS)
def test_every_change_of_status_is_heard_once(before: Standing, after: Standing) -> None:
    """A move into a state of the catalogue has exactly one event of its own."""
    heard = events(before, after)
    assert len(heard) == len(set(heard))
    if after.status not in {before.status, "pending"}:
        own = {f"invoice.{after.status}", "invoice.paid_late"}
        assert len(own & set(heard)) == 1
