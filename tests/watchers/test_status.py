"""What `watchers status` calls well."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.models import NetworkHealth
from watchers.commands.status import lines

AT = datetime(2026, 1, 1, tzinfo=UTC)


def row(
    *, block_age: int | None = 10, age: int = 1, trouble: str | None = None
) -> NetworkHealth:
    """Return what a watcher published `age` seconds ago; its newest block is so many seconds old."""
    return NetworkHealth(
        network_id="ethereum",
        head_height=9,
        scanned_height=9,
        final_height=7,
        head_time=None if block_age is None else AT - timedelta(seconds=block_age),
        trouble=trouble,
        troubles={},
        updated_at=AT - timedelta(seconds=age),
    )


@pytest.mark.parametrize(
    ("said", "ending"),
    [
        (row(), "  -"),
        (row(block_age=None), "  -"),
        (row(block_age=300), "  -"),
        (row(block_age=4000), "  the newest block read is 4000 seconds old"),
        (row(block_age=4000, trouble="down"), "  down"),
        (row(block_age=4000, age=400), "  no watcher is running"),
        (row(age=400, trouble="down"), "  no watcher is running, the last one said: down"),
    ],
)
def test_a_chain_that_stands_still_is_not_well(said: NetworkHealth, ending: str) -> None:
    """A live watcher whose node shows no new block: everything agrees, and nothing happens."""
    [(line, well)] = lines([said], [], AT, {"ethereum": 300})
    assert line.endswith(ending)
    assert well == (ending == "  -")


def test_a_network_whose_watcher_never_began_is_named() -> None:
    """Its node was never reached, say: it has no row, and its log alone knows why."""
    limits = {"ethereum": 300, "tron": 300}
    [(_, watched), (line, well)] = lines([row()], [], AT, limits)
    assert watched
    assert not well
    assert line.startswith("tron ")
    assert line.endswith("  no watcher has begun: its log says why")
