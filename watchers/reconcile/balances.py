"""The socket for reading many balances: at a block of the past where the chain keeps such states."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from watchers.network import NATIVE, Incomplete, NodeUnavailable


class NoHistory(NodeUnavailable):
    """The node does not keep the state of the block that was asked for."""


class Holding(NamedTuple):
    """One address and one asset (`NATIVE`, a contract or a mint as blocks name it)."""

    address: str
    asset: str


@dataclass(frozen=True, slots=True)
class Observation:
    """Balances in base units, read from final states above `low` - 1 and up to `high`.

    At a block of the past both are its height.

    A holding that could not be read (a contract that does not answer) is missing.
    """

    low: int
    high: int
    units: Mapping[Holding, int]


class BalanceReader(Protocol):
    """Balances of one network, from whichever endpoint it was made for."""

    @property
    def historic(self) -> bool:
        """Tell whether past blocks can be asked for; else only the newest final state is read."""
        ...

    @property
    def credits(self) -> bool:
        """Tell whether native coins may arrive without a transfer that blocks show."""
        ...

    @property
    def fee_is_alone(self) -> bool:
        """Tell whether `Outcome.payer_spent_units` is the fee without what was sent."""
        ...

    async def observe(self, wanted: Sequence[Holding], height: int) -> Observation:
        """Return what is held at `height`, or, where there is no history, in the newest final state.

        Raises `NoHistory` where the block's state is gone.
        """
        ...

    async def beneficiary(self, height: int) -> str:
        """Return who was paid for the block itself; empty where nobody was, or nobody says."""
        ...


async def gained(node: BalanceReader, address: str, height: int) -> int:
    """Return by how many native units an address rose in a block, as one node's states say.

    Raises `NoHistory` where it has not both states.
    """
    holding = Holding(address, NATIVE)
    before, after = [
        (await node.observe([holding], each)).units.get(holding)
        for each in (height - 1, height)
    ]
    if before is None or after is None:
        raise NoHistory(f"balances of {address} around block {height}")
    return after - before


@dataclass(frozen=True, slots=True)
class AnyNode:
    """`BalanceReader` over every node of a network: each observation is one node's, whole.

    `preferred` names the nodes in the order in which they should be asked.
    """

    nodes: Mapping[str, BalanceReader]
    preferred: Callable[[], Sequence[str]]

    @property
    def historic(self) -> bool:
        """Tell whether past blocks can be asked for."""
        return self._any.historic

    @property
    def credits(self) -> bool:
        """Tell whether native coins may arrive silently."""
        return self._any.credits

    @property
    def fee_is_alone(self) -> bool:
        """Tell whether a payer's spending is the fee alone."""
        return self._any.fee_is_alone

    async def observe(self, wanted: Sequence[Holding], height: int) -> Observation:
        """Return the first whole observation; where no node has one, what the last one said."""
        trouble: Exception = NodeUnavailable("no node is asked for balances")
        for label in self.preferred():
            try:
                return await self.nodes[label].observe(wanted, height)
            except (NodeUnavailable, Incomplete) as fault:
                trouble = fault
        raise trouble

    async def beneficiary(self, height: int) -> str:
        """Return who was paid for the block itself, as the first node that answers says."""
        trouble: Exception = NodeUnavailable("no node is asked for a block")
        for label in self.preferred():
            try:
                return await self.nodes[label].beneficiary(height)
            except (NodeUnavailable, Incomplete) as fault:
                trouble = fault
        raise trouble

    @property
    def _any(self) -> BalanceReader:
        return next(iter(self.nodes.values()))
