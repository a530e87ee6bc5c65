"""Reads blocks by their own ids before one node's word gives money back.

Nothing is read while nothing ends otherwise than paid. What was read is kept as long as something
waits for it: payments that expire together share their blocks.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice

from gateway.models import Attempt
from watchers.network import Incomplete, NodeUnavailable, WrongChain
from watchers.pay.sealed import (
    EPOCH,
    EXCUSE,
    Doubt,
    Link,
    Window,
    doubt,
    missing,
    name_of,
    unlike,
    window_of,
)
from watchers.seals import SealReader, Untold

BLOCKS_PER_LOOK = 100
SIDE_BY_SIDE = 5
KEPT_ABOVE = timedelta(minutes=10)
"""Two rounds of witnesses take under three minutes; what is forgotten too early is read again."""
NO_REFERENCE = f"its intent names no block that it refers to; {EXCUSE}"


@dataclass(slots=True)
class Proof:
    """Proves ends of one network's transactions, so many blocks at a look."""

    reader: SealReader
    blocks_per_look: int = BLOCKS_PER_LOOK
    _links: dict[int, Link] = field(default_factory=dict)
    _budget: int = BLOCKS_PER_LOOK

    def begin(self, waiting: Iterable[Attempt]) -> None:
        """Begin a look; forget the blocks that none of these need."""
        self._budget = self.blocks_per_look
        windows = [each for each in map(_window, waiting) if each is not None]
        needed = _needed(windows, self._links)
        self._links = {height: self._links[height] for height in needed}

    @property
    def spent(self) -> bool:
        """Whether this look may read no more."""
        return self._budget <= 0

    async def doubt(self, attempt: Attempt, final_height: int) -> Doubt | None:
        """Say why the end of a transaction is not proved yet; None where it is."""
        window = _window(attempt)
        if window is None:
            return Doubt(NO_REFERENCE, others=True)
        if (differs := self._unlike_bytes(attempt)) is not None:
            return Doubt(differs)
        try:
            if not await self._read_on(window, final_height):
                count = f"{window.anchor} to {final_height}"
                return Doubt(f"blocks from {count} are being read again")
            found = doubt(window, self._links, final_height, attempt.tx_hash or "")
            return found or await self._end(attempt)
        except Untold as trouble:
            return Doubt(f"{trouble}; {EXCUSE}", others=True)
        except (Incomplete, NodeUnavailable, WrongChain) as trouble:
            return Doubt(str(trouble))

    def _unlike_bytes(self, attempt: Attempt) -> str | None:
        try:
            terms = self.reader.terms(attempt.raw or b"")
        except ValueError as unreadable:
            return f"its signed bytes cannot be read: {unreadable}"
        return unlike(attempt.intent, attempt.tx_hash, terms)

    async def _read_on(self, window: Window, final: int) -> bool:
        """Read what is missing; tell whether it was all read within this look."""
        while wanted := list(islice(missing(window, self._links, final), SIDE_BY_SIDE)):
            if self.spent:
                return False
            self._budget -= len(wanted)
            reads = (self._link(height, whole=whole) for height, whole in wanted)
            for link in await asyncio.gather(*reads):
                self._join(link)
        return True

    async def _link(self, height: int, *, whole: bool) -> Link:
        if not whole:
            seal = await self.reader.seal(height)
            return Link(seal.ref, seal.witness, seal.signed)
        sealed = await self.reader.sealed(height)
        seal, ends = sealed.seal, sealed.ends
        names = None if ends is None else b"".join(map(name_of, ends))
        return Link(seal.ref, seal.witness, seal.signed, names, untold=ends is None)

    def _join(self, link: Link) -> None:
        """Keep a block that its neighbours name; one that they do not makes all doubtful."""
        height = link.ref.height
        below, above = self._links.get(height - 1), self._links.get(height + 1)
        fits = below is None or below.ref.hash == link.ref.parent_hash
        if not fits or (above is not None and above.ref.parent_hash != link.ref.hash):
            self._links.clear()
            raise Incomplete(f"block {height}: its neighbours are of another chain")
        self._links[height] = link

    async def _end(self, attempt: Attempt) -> Doubt | None:
        """Compare a landed transaction's end with what its block, hashed, says of it."""
        if attempt.block_height is None:
            return None
        height = attempt.block_height
        sealed = await self.reader.sealed(height)
        shown, ours = sealed.seal.ref.hash, self._links[height].ref.hash
        if not shown == ours == attempt.block_hash:
            return Doubt(f"block {height} is another one than ours")
        if sealed.ends is None:
            raise Untold(f"the transactions of block {height} cannot be hashed")
        said = sealed.ends.get(attempt.tx_hash or "", True)
        if said is None:
            raise Untold(f"block {height} does not say how it ended")
        return Doubt(f"block {height} does not say that it failed") if said else None


def _window(attempt: Attempt) -> Window | None:
    return window_of(attempt.intent, attempt.block_height)


def _needed(windows: Iterable[Window], links: Mapping[int, Link]) -> list[int]:
    """Return the heights that stand in one of the windows, or little above it.

    A payment that waits for a person for days keeps no block but its own.
    """
    opening = sorted(windows, key=lambda each: each.low, reverse=True)
    until, needed = EPOCH, []
    for height in sorted(links):
        while opening and opening[-1].low <= height:
            until = max(until, opening.pop().until)
        if links[height].ref.time < until + KEPT_ABOVE:
            needed.append(height)
    return needed
