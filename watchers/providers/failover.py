"""One pair of eyes over several nodes: each question is answered by one node, from start to end.

A family's reader is built once per node. Whatever one call needs (a block, its receipts, its
traces) therefore comes from one node; where that fails midway, the whole call is made again on
the next.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from watchers.interest import Interest
from watchers.network import (
    Block,
    BlockRef,
    ChainReader,
    Incomplete,
    NodeUnavailable,
    Tip,
    WrongChain,
)
from watchers.providers.breaker import State
from watchers.providers.endpoints import LEFT_ALONE, Endpoints
from watchers.providers.witness import Probe, Reach, Witness

T = TypeVar("T")

SURVEY_SECONDS = 15.0
"""How often every node's head is looked at, the one of those that are not in use too."""
_TROUBLE = (Incomplete, NodeUnavailable, WrongChain)


@dataclass(slots=True)
class FailoverReader:
    """`ChainReader` over every node of a network.

    `wanted` are capabilities: where several nodes could answer, one that offers them does. A
    node more than `lag_heights` behind the others is asked last.
    """

    endpoints: Endpoints
    witnesses: Mapping[str, Witness]
    clock: Callable[[], float]
    wanted: frozenset[str] = frozenset()
    lag_heights: int = 3
    _surveyed_at: float | None = field(default=None, init=False)

    async def check_identity(self) -> None:
        """Check every node; one on the pinned chain is enough.

        Raises `WrongChain` where all serve another, `NodeUnavailable` where nobody could say.
        """
        checks = (witness.check_identity() for witness in self.witnesses.values())
        found = await asyncio.gather(*checks, return_exceptions=True)
        troubles = [each for each in found if isinstance(each, BaseException)]
        for trouble in troubles:
            if not isinstance(trouble, _TROUBLE):
                raise trouble
        if len(troubles) == len(found):
            raise self._worst(troubles)

    async def tip(self) -> Tip:
        """Return head and final height as one node has them."""
        await self._survey()
        return await self._first(_tip)

    async def read(self, height: int) -> Block:
        """Return the first complete block at or above `height`, or raise `Incomplete`."""
        return await self._first(lambda reader: reader.read(height), height)

    @property
    def selective(self) -> bool:
        """Whether its family can prove a block with less."""
        return any(witness.selective for witness in self.witnesses.values())

    async def read_for(self, height: int, interest: Interest) -> Block:
        """Return a block that is complete in what concerns the interest, or `Incomplete`."""
        return await self._first(lambda reader: reader.read_for(height, interest), height)

    async def ref_at(self, height: int) -> BlockRef:
        """Return the identity of the block now standing at `height`."""
        return await self._first(lambda reader: reader.ref_at(height))

    async def produced(self, first: int, last: int) -> Sequence[int]:
        """List the slots that hold a block, where the family can; a hint, empty elsewhere."""
        return await self._first(lambda reader: reader.produced(first, last))

    async def balance(self, address: str, asset: str) -> int:
        """Return a balance in base units."""
        return await self._first(lambda reader: reader.balance(address, asset))

    async def aclose(self) -> None:
        """Close the connections."""
        await self.endpoints.aclose()

    async def _first(
        self, ask: Callable[[Witness], Awaitable[T]], height: int | None = None
    ) -> T:
        troubles: list[BaseException] = []
        for label in self._in_order(height):
            try:
                found = await ask(self.witnesses[label])
            except (Incomplete, NodeUnavailable) as trouble:
                troubles.append(trouble)
                continue
            self.endpoints.settle_on(label)
            return found
        raise self._worst(troubles)

    def _in_order(self, height: int | None) -> list[str]:
        """Return whom to ask; of those in use, a node that can still trace the block comes first."""
        now, labels = self.clock(), self.endpoints.preferred(self.wanted)
        if height is None or len(labels) == 1:
            return labels

        def worth(label: str) -> tuple[bool, bool]:
            witness = self.witnesses[label]
            benched = witness.node.breaker.state(now) is State.OPEN
            return benched, witness.beyond_traces(height)

        return sorted(labels, key=worth)

    def _worst(self, troubles: Sequence[BaseException]) -> Exception:
        """Join what the nodes said; one that may know later outweighs the others."""
        words = "; ".join(str(trouble) for trouble in troubles) or LEFT_ALONE
        if all(witness.node.refused for witness in self.witnesses.values()):
            return WrongChain(
                "; ".join(
                    f"{label}: {each.node.refused}" for label, each in self.witnesses.items()
                )
            )
        if any(isinstance(trouble, Incomplete) for trouble in troubles):
            return Incomplete(words)
        return NodeUnavailable(words)

    async def _survey(self) -> None:
        """Look at every head from time to time; a node far behind is not asked for blocks."""
        now = self.clock()
        due = self._surveyed_at is None or now >= self._surveyed_at + SURVEY_SECONDS
        if len(self.witnesses) == 1 or not due:
            return
        self._surveyed_at = now
        labels = self.endpoints.preferred()
        tips = await asyncio.gather(
            *(self.witnesses[label].tip() for label in labels), return_exceptions=True
        )
        heads = {
            label: tip.head
            for label, tip in zip(labels, tips, strict=True)
            if isinstance(tip, Tip)
        }
        behind = lagging(heads, self.lag_heights)
        for label in heads:
            self.endpoints.node(label).lagging = label in behind


def lagging(heads: Mapping[str, int], lag_heights: int) -> frozenset[str]:
    """Return who is more than `lag_heights` behind.

    Of three and more the second highest head is the measure: one node alone, which may lie, does
    not make the others look late.
    """
    ordered = sorted(heads.values(), reverse=True)
    if not ordered:
        return frozenset()
    measure = ordered[1] if len(ordered) > 2 else ordered[0]
    return frozenset(label for label, head in heads.items() if head < measure - lag_heights)


def failover(
    endpoints: Endpoints,
    build: Callable[[Endpoints, Callable[[str], bool]], ChainReader],
    *,
    probe: Probe | None = None,
    reach: Reach | None = None,
    wanted: frozenset[str] = frozenset(),
    lag_heights: int = 3,
) -> FailoverReader:
    """Build a reader per node and the one over all; pin every node to the reader's chain.

    `build` makes the family's reader of the endpoints given to it; its second argument tells
    whether they offer a capability now.
    """

    async def identity(lone: Endpoints) -> None:
        await build(lone, _nothing).check_identity()

    endpoints.pin(identity)
    clock = endpoints.clock
    witnesses = {
        label: Witness(
            build(lone, lone.offers), endpoints.node(label), lone, clock, probe, reach
        )
        for label, lone in endpoints.alone().items()
    }
    return FailoverReader(endpoints, witnesses, clock, wanted, lag_heights)


def _nothing(_capability: str) -> bool:
    return False


async def _tip(witness: Witness) -> Tip:
    return await witness.tip()
