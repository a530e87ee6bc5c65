"""When a transaction is made and until when it may land, by our clock and the chain's.

Bytes that are signed under a clock far ahead may land until that date, and nothing ends their
order before it: a solid block has to show about the same time.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from watchers.network import BlockRef, Incomplete
from watchers.networks.tron.node import TronNode

HOUR_MS = 3_600_000
LIFETIME_HOURS = 6
APART = timedelta(minutes=10)
"""How far our clock may be from the newest solid block, which is about one minute old."""


class Times(TypedDict):
    """The fields that every intent of this family has: both times in Unix milliseconds."""

    ref_block_id: str
    expiration_ms: int
    timestamp_ms: int


async def times_of(
    node: TronNode, clock_ms: Callable[[], int], hours: int = LIFETIME_HOURS
) -> Times:
    """Return a solid reference block and how long the transaction may land.

    No fork makes bytes void that name a solid block. Raises `Incomplete` where clock and chain
    differ too much.
    """
    reference, now_ms = await node.newest_solid(), clock_ms()
    _require_near(reference, now_ms)
    return {
        "ref_block_id": reference.hash,
        "expiration_ms": now_ms + hours * HOUR_MS,
        "timestamp_ms": now_ms,
    }


def _require_near(reference: BlockRef, now_ms: int) -> None:
    ours = datetime.fromtimestamp(now_ms / 1000, UTC)
    if abs(ours - reference.time) > APART:
        raise Incomplete(
            f"our clock says {ours:%F %T}, solid block {reference.height} is of "
            f"{reference.time:%F %T}: nothing is signed while they differ so much"
        )
