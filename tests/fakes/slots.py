"""A chain in memory with empty slots, and eyes that may be told wrong which ones are empty."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tests.fakes.chain import FakeChain
from watchers.network import Block, BlockRef, Incomplete, Tip


def slot_of(number: int) -> int:
    """Return the slot of the chain's block `number`: every third slot and the next are empty."""
    return number + 2 * (number // 3)


@dataclass(slots=True)
class SlotReader:
    """`ChainReader` of a network where not every slot has a block.

    `hidden` slots are missing from the list of produced ones, `invented` are in it wrongly.
    """

    chain: FakeChain
    tokens: frozenset[str]
    hidden: set[int] = field(default_factory=set)
    invented: set[int] = field(default_factory=set)
    asked: list[int] = field(default_factory=list)

    async def check_identity(self) -> None:
        """Agree."""

    async def tip(self) -> Tip:
        """Return the slots of the newest and the newest final block."""
        return Tip(slot_of(self.chain.head), slot_of(self.chain.final))

    async def produced(self, first: int, last: int) -> Sequence[int]:
        """List slots as the levers say."""
        true = {slot_of(number) for number in range(self.chain.head + 1)}
        said = (true - self.hidden) | self.invented
        return sorted(slot for slot in said if first <= slot <= last)

    async def read(self, height: int) -> Block:
        """Return the first block at or above a slot."""
        self.asked.append(height)
        return self._at_or_above(height)

    def _at_or_above(self, height: int) -> Block:
        for number in range(self.chain.head + 1):
            if slot_of(number) >= height:
                block = self.chain.block(number).seen(self.tokens)
                return replace(block, ref=replace(block.ref, height=slot_of(number)))
        raise Incomplete(f"slot {height}: not there yet")

    async def ref_at(self, height: int) -> BlockRef:
        """Return the identity of the block in exactly this slot."""
        block = self._at_or_above(height)
        if block.ref.height != height:
            raise Incomplete(f"slot {height} is empty")
        return block.ref

    async def balance(self, address: str, asset: str) -> int:
        """Return the balance at the head."""
        return self.chain.state.held(address, asset)

    async def aclose(self) -> None:
        """Hold nothing."""
