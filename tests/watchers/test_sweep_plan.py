"""What is swept now: rules that hold whatever the pool looks like."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchers.sweep.plan import (
    Candidate,
    Standing,
    Terms,
    cost_limit,
    judged,
    native_value,
    plan,
    shortage,
    surplus,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AGE = timedelta(hours=168)
TERMS = Terms(minimum_units=0, ratio=20, age=AGE, cost_max=1_000)
CALM = Standing(NOW, (), (), (), at_once=8)
COIN = Candidate(
    "ETH", "0xa", 0, 10_000, NOW - timedelta(hours=1), native=True, value=10_000, cost=1
)
TOKEN = replace(COIN, currency_id="USDC", native=False, value=None, units=5)
OLD = NOW - AGE

candidates = st.lists(
    st.builds(
        Candidate,
        currency_id=st.sampled_from(["ETH", "USDC"]),
        address=st.sampled_from([f"0x{n}" for n in range(6)]),
        index=st.just(0),
        units=st.integers(-1, 10**6),
        since=st.integers(0, 400).map(lambda hours: NOW - timedelta(hours=hours)),
        native=st.booleans(),
        value=st.none() | st.integers(0, 10**6),
        cost=st.integers(0, 2_000),
        unsettled=st.booleans(),
    ),
    max_size=20,
)
standings = st.builds(
    Standing,
    now=st.just(NOW),
    live=st.sets(st.sampled_from(["0x0", "0x1"])),
    held=st.sets(st.sampled_from(["USDC"])),
    frozen=st.sets(st.sampled_from([("ETH", "0x2"), ("USDC", "0x3")])),
    at_once=st.integers(1, 4),
    dear=st.booleans(),
)
terms = st.builds(
    Terms,
    minimum_units=st.integers(0, 10**4),
    ratio=st.integers(0, 40),
    age=st.just(AGE),
    cost_max=st.integers(0, 2_000),
)


@given(candidates, st.tuples(terms, terms), standings)
def test_a_plan_never_takes_what_it_must_not(
    pool: list[Candidate],
    both: tuple[Terms, Terms],
    standing: Standing,
) -> None:
    """One sweep per address, no more than allowed, nothing held, frozen, unsettled or worthless."""
    by_asset = dict(zip(("ETH", "USDC"), both, strict=True))
    decisions = plan(pool, by_asset, standing)
    assert len(decisions) == len(pool)
    chosen = [each.candidate for each in decisions if each.sweep]
    assert len(chosen) + len(standing.live) <= max(standing.at_once, len(standing.live))
    assert len({each.address for each in chosen}) == len(chosen)
    for each in chosen:
        assert each.address not in standing.live
        assert each.currency_id not in standing.held
        assert (each.currency_id, each.address) not in standing.frozen
        assert not each.unsettled
        assert each.units > 0
        assert not each.native or each.units > each.cost
        rules = by_asset[each.currency_id]
        old = NOW - each.since >= rules.age
        assert old or (not standing.dear and each.units >= rules.minimum_units)
        assert not old or each.cost <= rules.cost_max
    assert all(each.reason for each in decisions)


@given(candidates, standings)
def test_a_second_run_begins_nothing_while_the_first_is_under_way(
    pool: list[Candidate], standing: Standing
) -> None:
    """Planning twice from the same balances takes no address twice."""
    both = {"ETH": TERMS, "USDC": TERMS}
    first = {each.candidate.address for each in plan(pool, both, standing) if each.sweep}
    later = replace(standing, live={*standing.live, *first}, at_once=99)
    again = {each.candidate.address for each in plan(pool, both, later) if each.sweep}
    assert not first & again


@pytest.mark.parametrize(
    ("candidate", "cost", "worth"),
    [
        (replace(COIN, value=10_000), 500, True),
        (replace(COIN, value=9_999), 500, False),
        (replace(COIN, value=500, since=OLD), 499, True),
        (replace(COIN, value=500, since=OLD), 500, False),
        (replace(COIN, since=OLD), 1_001, False),
        (replace(COIN, units=500), 500, False),
        (TOKEN, 0, True),
        (TOKEN, 1, False),
        (replace(TOKEN, since=OLD), 1_000, True),
    ],
    ids=["twenty times", "a unit less", "old", "old and worthless", "old and dear",
         "takes itself", "free", "no price", "old without a price"],
)  # fmt: skip
def test_worth_is_value_against_cost_until_it_is_old(
    candidate: Candidate, cost: int, *, worth: bool
) -> None:
    """The edges of each rule."""
    assert judged(replace(candidate, cost=cost), TERMS, CALM)[0] is worth


def test_minimum_counts_where_no_price_is_known() -> None:
    """An operator who names an amount does not depend on a price."""
    rules = replace(TERMS, minimum_units=5)
    assert judged(replace(TOKEN, cost=100), rules, CALM)[0]
    assert not judged(replace(TOKEN, units=4, cost=0), rules, CALM)[0]


def test_a_dear_network_keeps_back_what_is_young() -> None:
    """Age goes before price."""
    dear = replace(CALM, dear=True)
    assert not judged(COIN, TERMS, dear)[0]
    assert judged(replace(COIN, since=OLD), TERMS, dear)[0]


def test_tokens_of_an_address_go_before_its_coin() -> None:
    """The coin may pay their gas, and leaves when nothing needs it any more."""
    old_token = replace(TOKEN, since=OLD)
    decisions = plan(
        [replace(COIN, since=OLD), old_token],
        {"ETH": TERMS, "USDC": TERMS},
        CALM,
    )
    assert [each.candidate for each in decisions if each.sweep] == [old_token]


def test_value_is_exact_and_rounded_down() -> None:
    """3.5 USDC at one dollar, a coin at 3000 dollars, 18 decimals."""
    native = (18, Fraction(3000))
    assert native_value(3_500_000, 6, Fraction(1), native) == 1_166_666_666_666_666


def test_marks_of_the_wallets() -> None:
    """Nothing moves inside the marks; outside, exactly up or down to the other one."""
    assert (surplus(10, 10, 4), surplus(11, 10, 4)) == (0, 7)
    assert (shortage(10, 10, 50), shortage(9, 10, 50)) == (0, 41)


def test_a_token_that_keeps_a_part_of_every_transfer_is_never_swept() -> None:
    """However old it is: each move of it would lose some."""
    keeping = replace(CALM, keeping={"USDC"})
    old = replace(TOKEN, since=OLD)
    assert judged(old, TERMS, CALM)[0]
    assert judged(old, TERMS, keeping) == (False, "the token keeps a part of every transfer")


def test_what_was_chosen_may_cost_no_more_than_it_is_worth() -> None:
    """The limit is what the rules allow at its value; the cost it was chosen at fits twice."""
    assert cost_limit(COIN, TERMS, NOW) == 10_000 // 20
    assert cost_limit(replace(COIN, cost=300), TERMS, NOW) == 600
    assert cost_limit(replace(COIN, since=OLD), TERMS, NOW) == 1_000
    assert cost_limit(replace(COIN, since=OLD, value=400), TERMS, NOW) == 399
    for free in (replace(COIN, cost=0), replace(COIN, value=None)):
        assert cost_limit(free, TERMS, NOW) is None
    [chosen] = plan([COIN], {"ETH": TERMS}, CALM)
    assert chosen.cost_limit == 500
    [left] = plan([replace(COIN, unsettled=True)], {"ETH": TERMS}, CALM)
    assert left.cost_limit is None


@given(candidates, st.integers(1, 50))
def test_what_costs_its_limit_is_still_worth_it_or_within_twice_its_cost(
    found: list[Candidate], ratio: int
) -> None:
    """Whatever was chosen by its cost: at the limit the rules would choose it again."""
    terms = {name: replace(TERMS, ratio=ratio) for name in ("ETH", "USDC")}
    for each in plan(found, terms, CALM):
        limit = each.cost_limit
        if not each.sweep or limit is None or limit <= 2 * each.candidate.cost:
            continue
        dearest = replace(each.candidate, cost=limit)
        if dearest.native and dearest.units <= limit:
            continue
        assert judged(dearest, terms[dearest.currency_id], CALM)[0]
