"""The token bucket: never more than it allows, never less than it could."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from watchers.providers.budget import budget

RATES = st.integers(1, 400).map(lambda quarters: quarters / 4)
GAPS = st.lists(st.integers(0, 2_000).map(lambda ms: ms / 1000), min_size=1, max_size=60)
TINY = 1e-6


def departures(per_second: float, gaps: list[float]) -> list[tuple[float, float]]:
    """Return (arrival, departure) of requests that come with these gaps."""
    bucket, now, went = budget(per_second, 0.0), 0.0, []
    for gap in gaps:
        now += gap
        wait = bucket.wait(now)
        bucket = bucket.spend(now)
        went.append((now, now + wait))
    return went


@given(RATES, GAPS)
def test_no_span_of_time_holds_more_requests_than_its_share(
    rate: float, gaps: list[float]
) -> None:
    """In any span: at most the burst and what grows meanwhile."""
    went = [departure for _, departure in departures(rate, gaps)]
    burst = max(1.0, rate)
    for first, start in enumerate(went):
        for last in range(first, len(went)):
            assert last - first + 1 <= burst + (went[last] - start) * rate + 1 + TINY


@given(RATES, GAPS)
def test_nobody_is_overtaken_and_nobody_waits_without_need(
    rate: float, gaps: list[float]
) -> None:
    """Departures keep the order of arrival; who waits goes one interval after the one before."""
    times = departures(rate, gaps)
    for (_, before), (arrival, departure) in itertools.pairwise(times):
        assert departure >= before - TINY
        assert departure <= max(arrival, before) + 1 / rate + TINY


@given(RATES)
def test_a_rested_bucket_lets_a_burst_go_at_once(rate: float) -> None:
    """What was not used for long is a second's worth, not more."""
    went = departures(rate, [3600.0] + [0.0] * (int(max(1.0, rate)) + 1))
    waiting = [departure - arrival for arrival, departure in went]
    assert waiting[: int(max(1.0, rate))] == [0.0] * int(max(1.0, rate))
    assert waiting[-1] > 0


def test_a_place_given_back_is_free_again() -> None:
    """A request that was never sent costs nothing."""
    bucket = budget(1, 0.0).spend(0.0)
    assert bucket.wait(0.0) == 1.0
    assert bucket.give_back().wait(0.0) == 0.0


def test_without_a_limit_nobody_waits() -> None:
    """0 is no limit, as the configuration says."""
    bucket = budget(0, 0.0)
    for _ in range(1000):
        assert bucket.wait(0.0) == 0.0
        bucket = bucket.spend(0.0)


def test_a_clock_that_steps_back_gives_nothing_away() -> None:
    """Time that was counted once is not counted again."""
    bucket = budget(1, 100.0).spend(100.0).spend(90.0)
    assert bucket.wait(100.0) == 2.0
