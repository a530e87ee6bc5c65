"""The circuit breaker, as a rule: what opens it, for how long, and what closes it."""

from hypothesis import given
from hypothesis import strategies as st

from watchers.providers.breaker import (
    PAUSE_SECONDS_MAX,
    RETRY_AFTER_SECONDS_MAX,
    Breaker,
    State,
)

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["failed", "succeeded", "throttled", "throttled long", "wait"]),
        st.integers(0, 100),
    ),
    max_size=40,
)


def walked(steps: list[tuple[str, int]]) -> list[tuple[str, float, Breaker]]:
    """Return the breaker after each step, with the step's name and the time."""
    breaker, now, seen = Breaker(), 0.0, []
    for name, seconds in steps:
        if name == "wait":
            now += seconds
        elif name == "failed":
            breaker = breaker.failed(now, now)
        elif name == "succeeded":
            breaker = breaker.succeeded(now)
        else:
            asked = None if name == "throttled" else seconds * 10.0
            breaker = breaker.throttled(now, now, asked)
        seen.append((name, now, breaker))
    return seen


@given(STEPS)
def test_a_bench_always_ends_within_its_cap(steps: list[tuple[str, int]]) -> None:
    """No history keeps a node away for ever."""
    for _, now, breaker in walked(steps):
        longest = max(PAUSE_SECONDS_MAX, RETRY_AFTER_SECONDS_MAX)
        assert breaker.state(now + longest) is not State.OPEN


@given(STEPS)
def test_every_failure_opens_it_and_two_good_answers_close_it(
    steps: list[tuple[str, int]],
) -> None:
    """Whatever went before."""
    for name, now, breaker in walked(steps):
        if name == "failed":
            assert breaker.state(now) is State.OPEN
        later = max(now, breaker.benched_until, breaker.held_until)
        assert breaker.succeeded(later).succeeded(later).state(later) is State.CLOSED


def test_pauses_double_up_to_the_cap() -> None:
    """Half a second first, a minute at most."""
    breaker, now, pauses = Breaker(), 100.0, []
    for _ in range(9):
        breaker = breaker.failed(now, now)
        pauses.append(breaker.benched_until - now)
        now = breaker.benched_until
        assert breaker.state(now) is State.HALF_OPEN
    assert pauses == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]


def test_one_good_answer_does_not_wash_a_node_clean() -> None:
    """It may be found worthless a moment later: the pauses go on growing."""
    breaker = Breaker().failed(0.0, 0.0).failed(1.0, 1.0)
    tried = breaker.succeeded(10.0)
    assert tried.state(10.0) is State.HALF_OPEN
    assert tried.failed(10.0, 10.0).benched_until == 12.0
    assert tried.succeeded(11.0) == Breaker()


def test_what_began_before_the_trouble_counts_neither_way() -> None:
    """Eight exchanges die with one node: that is one failure, and no late answer heals it."""
    breaker = Breaker().failed(10.0, 9.0)
    for began in (8.0, 9.0, 9.9):
        assert breaker.failed(10.1, began) == breaker
        assert breaker.succeeded(began) == breaker


def test_a_node_that_names_its_pause_is_held_to_it_within_the_cap() -> None:
    """A word of a node cannot take it out for a day, nor shorten what it earned."""
    breaker = Breaker().throttled(0.0, 0.0, 30.0)
    assert breaker.held(29.9)
    assert not breaker.held(30.0)
    assert Breaker().throttled(0.0, 0.0, 86_400.0).held_until == RETRY_AFTER_SECONDS_MAX
    assert Breaker().throttled(0.0, 0.0, -5.0).held_until == 0.0
    assert breaker.throttled(1.0, 1.0, 0.0).held_until == 30.0


def test_a_node_that_names_none_gets_the_growing_pause() -> None:
    """429 without Retry-After: left alone for as long as any failure benches."""
    breaker = Breaker().throttled(0.0, 0.0, None)
    assert breaker.held(0.4)
    assert not breaker.held(0.5)
