"""What a node may or may not offer, and how to find out: by asking, never by believing.

What is not known is not offered.
"""

from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from watchers.network import Incomplete, NodeUnavailable

RECEIPTS = "receipts"
"""All receipts of a block by its hash."""
LOGS = "logs"
"""All logs of a block by its hash, and receipts of single transactions, several in one call."""
TRACES = "traces"
"""Call traces of a block by its hash."""
FINALIZED = "finalized"
"""A tag for the newest final block."""
INTERNAL = "internal"
"""Value moved inside contracts is kept with the transactions' results."""

Found = Mapping[str, bool | None]
"""By capability: offered, not offered, or None where the node could not be asked just now."""


async def offered(question: Awaitable[bool], *refusals: type[Exception]) -> bool | None:
    """Await the answer of a node; `refusals` are its ways to say that it does not offer this."""
    unknown = (NodeUnavailable, Incomplete)
    try:
        return await question
    except refusals:
        return False
    except unknown:
        return None


def merged(before: frozenset[str], found: Found) -> frozenset[str]:
    """Return what is offered now: what could not be asked stays as it was, the rest is as found."""
    kept = {name for name, offers in found.items() if offers is None} & before
    return frozenset(name for name, offers in found.items() if offers) | kept


_left_out: ContextVar[frozenset[str]] = ContextVar("_left_out", default=frozenset())


@contextmanager
def leaving_out(capability: str) -> Iterator[None]:
    """Let this task do without a capability inside the block, offered or not."""
    token = _left_out.set(_left_out.get() | {capability})
    try:
        yield
    finally:
        _left_out.reset(token)


def left_out(capability: str) -> bool:
    """Tell whether this task does without it now."""
    return capability in _left_out.get()
