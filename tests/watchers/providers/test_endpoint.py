"""What a node is called, and who is asked first."""

from watchers.providers.budget import budget
from watchers.providers.endpoint import Endpoint, in_order, labels


def nodes(count: int, per_second: float = 0.0) -> list[Endpoint]:
    """Return fresh records `a`, `b`, `c` ..."""
    return [Endpoint(f"http://{name}", name, budget(per_second, 0.0)) for name in "abc"[:count]]


def order(
    endpoints: list[Endpoint], now: float = 0.0, wanted: frozenset[str] = frozenset()
) -> str:
    """Return the labels in the order of preference."""
    return "".join(each.label for each in in_order(endpoints, now, wanted))


def test_a_label_is_host_and_port_alone() -> None:
    """Keys live in paths, queries and user parts."""
    urls = [
        "https://user:secret@eth.example/v2/secret?key=secret",
        "http://127.0.0.1:8545",
        "https://eth.example/v2/other-secret",
        "http://[::1]:8545/secret",
    ]
    assert labels(urls) == ["eth.example", "127.0.0.1:8545", "eth.example#2", "[::1]:8545"]


def test_equals_keep_the_configured_order() -> None:
    """The operator's first choice comes first."""
    assert order(nodes(3)) == "abc"


def test_a_benched_node_comes_last_and_back() -> None:
    """It is still there for the case that nobody else answers."""
    a, b, c = nodes(3)
    a.failed(0.0, 0.0)
    b.failed(0.0, 0.0)
    b.failed(0.0, 0.0)
    assert order([a, b, c]) == "cab"
    assert order([a, b, c], 0.6) == "acb"


def test_a_node_back_from_the_bench_is_tried_with_one_exchange_at_a_time() -> None:
    """The rest goes on elsewhere until it has proved itself."""
    a, b = nodes(2)
    a.failed(0.0, 0.0)
    a.in_flight = 1
    assert order([a, b], 0.6) == "ba"
    a.answered(0.6, 0.7)
    a.answered(0.7, 0.8)
    assert order([a, b], 0.8) == "ab"


def test_who_asked_to_be_left_alone_is() -> None:
    """Even where there is nobody else."""
    [a] = nodes(1)
    a.refused_more(0.0, 0.0, 7.0)
    assert order([a], 6.9) == ""
    assert order([a], 7.0) == "a"


def test_another_chain_is_never_asked_again() -> None:
    """There is no way back within the process."""
    a, b = nodes(2)
    a.refused = "chain id 5"
    assert order([a, b], 10**9) == "b"


def test_who_offers_what_is_wanted_comes_first() -> None:
    """But not before one that is not benched."""
    a, b, c = nodes(3)
    b.capabilities = frozenset({"traces", "receipts"})
    c.capabilities = frozenset({"receipts"})
    assert order([a, b, c], wanted=frozenset({"traces", "receipts"})) == "bca"
    b.failed(0.0, 0.0)
    assert order([a, b, c], wanted=frozenset({"traces", "receipts"})) == "cab"


def test_late_slow_and_spent_nodes_come_after_the_others() -> None:
    """In that order of weight."""
    a, b, c = nodes(3, per_second=1)
    a.lagging, b.latency_s, c.latency_s = True, 2.0, 0.1
    assert order([a, b, c]) == "cba"
    b.latency_s = 0.2
    assert order([a, b, c]) == "bca"
    b.sent(0.0)
    assert order([a, b, c]) == "cba"


def test_latency_follows_the_last_exchanges() -> None:
    """A moving average: one slow answer does not make a slow node."""
    [a] = nodes(1)
    a.answered(0.0, 0.1)
    assert a.standing(0.0).latency_ms == 100
    a.answered(1.0, 2.1)
    assert a.standing(0.0).latency_ms == 300


def test_a_standing_has_the_figures_and_no_url() -> None:
    """What metrics and the health row show."""
    a = Endpoint("http://secret", "node", budget(5, 0.0))
    a.sent(0.0)
    a.refused_more(0.0, 0.0, 12.0)
    standing = a.standing(2.0)
    assert (standing.label, standing.state, standing.requests) == ("node", "open", 1)
    assert (standing.failures, standing.throttled, standing.held_seconds) == (1, 1, 10)
    assert standing.budget_per_second == 5
    assert "secret" not in repr(standing)
