"""The chain that the Solana proxy shows: every slot closed once, linked, and never changed again.

Surfpool keeps transactions and slots but no chain: its block hashes repeat, parents do not
link, heights jump and no slot is ever skipped. Here each closed slot becomes a block with its
own hash over parent, slot and signatures, or, for every k-th slot without transactions, a
skipped slot, as leaders on a real cluster miss theirs.
"""

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Literal, get_args

from solders.hash import Hash

from devnet.chain import RpcFault

Commitment = Literal["processed", "confirmed", "finalized"]
COMMITMENTS: tuple[str, ...] = get_args(Commitment)

GENESIS_HASH = "GatewayDevnetGenesis111111111111111111111111"
FINALITY_SLOTS = 31
"""A slot is final when this many came after it, on Surfpool as on a real cluster."""
BLOCKS_KEPT = 50_000
"""More than an hour at 100 ms; older blocks are `cleaned up`, as on a node without archive."""

CLEANED_UP = -32001
NOT_AVAILABLE = -32004
UNHEALTHY = -32005
SKIPPED = -32009
INVALID_PARAMS = -32602

_BY_SLOT = attrgetter("slot")


@dataclass(frozen=True, slots=True)
class Produced:
    """One block as it is served for good. `time` is Unix seconds; heights have no gaps."""

    slot: int
    height: int
    hash: str
    parent_slot: int
    parent_hash: str
    time: int
    signatures: tuple[str, ...]


@dataclass(slots=True)
class Ledger:
    """The produced blocks, oldest first. `tip` is the open slot, `closed` the newest shut one."""

    skip_every: int
    tip: int = 0
    closed: int = 0
    blocks: list[Produced] = field(default_factory=list)
    _empty_slots: int = 0

    def close(self, slot: int, signatures: Sequence[str], time: int) -> None:
        """Shut the next slot: append its block, or skip it if it is empty and its turn."""
        if self.blocks and slot != self.closed + 1:
            raise ValueError(f"slot {slot} does not follow {self.closed}")
        self.closed = slot
        if not signatures:
            self._empty_slots += 1
            turn = self.skip_every and self._empty_slots % self.skip_every == 0
            if turn and self.blocks:
                return
        self.blocks.append(_successor(self._last(), slot, tuple(signatures), time))
        if len(self.blocks) > BLOCKS_KEPT + BLOCKS_KEPT // 10:
            del self.blocks[: len(self.blocks) - BLOCKS_KEPT]

    def _last(self) -> Produced | None:
        return self.blocks[-1] if self.blocks else None

    def limit(self, commitment: Commitment) -> int:
        """Return the highest slot that may be shown at this commitment."""
        if commitment == "processed":
            return self.tip
        if commitment == "confirmed":
            return self.closed
        return min(self.closed, self.tip - FINALITY_SLOTS)

    def newest(self, commitment: Commitment) -> Produced:
        """Return the newest produced block; there is none of an open slot."""
        count = bisect_right(self.blocks, self.limit(commitment), key=_BY_SLOT)
        if count == 0:
            raise RpcFault(UNHEALTHY, "Node is unhealthy")
        return self.blocks[count - 1]

    def at(self, slot: int, commitment: Commitment) -> Produced:
        """Return the block of `slot`, or raise the error of a real node saying why not."""
        if slot > self.limit(commitment) or not self.blocks:
            raise RpcFault(NOT_AVAILABLE, f"Block not available for slot {slot}")
        if slot < self.blocks[0].slot:
            first = self.blocks[0].slot
            words = f"Block {slot} cleaned up, does not exist on node. First available block: {first}"
            raise RpcFault(CLEANED_UP, words)
        block = self.find(slot)
        if block is None:
            raise RpcFault(SKIPPED, f"Slot {slot} was skipped, or missing in long-term storage")
        return block

    def find(self, slot: int) -> Produced | None:
        """Return the block of `slot` at any commitment, None where there is none."""
        place = bisect_left(self.blocks, slot, key=_BY_SLOT)
        if place < len(self.blocks) and self.blocks[place].slot == slot:
            return self.blocks[place]
        return None

    def between(self, first: int, last: int, commitment: Commitment) -> list[int]:
        """Return the produced slots from `first` to `last`, both included."""
        begin = bisect_left(self.blocks, first, key=_BY_SLOT)
        end = bisect_right(self.blocks, min(last, self.limit(commitment)), key=_BY_SLOT)
        return [block.slot for block in self.blocks[begin:end]]

    def level(self, slot: int) -> Commitment:
        """Return how firm a transaction of `slot` is."""
        if slot <= self.limit("finalized"):
            return "finalized"
        return "confirmed" if slot <= self.closed else "processed"


def _successor(
    parent: Produced | None, slot: int, signatures: tuple[str, ...], time: int
) -> Produced:
    if parent is None:
        parent = Produced(slot - 1, 0, GENESIS_HASH, slot - 2, GENESIS_HASH, time, ())
    content = f"{parent.hash} {slot} {' '.join(signatures)}"
    return Produced(
        slot=slot,
        height=parent.height + 1,
        hash=str(Hash(hashlib.sha256(content.encode()).digest())),
        parent_slot=parent.slot,
        parent_hash=parent.hash,
        time=max(parent.time, time),
        signatures=signatures,
    )
