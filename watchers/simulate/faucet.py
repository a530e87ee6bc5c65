"""What a local chain does for whoever asks: pays from money that cost nothing, stops, forks."""

from dataclasses import dataclass
from typing import Protocol


class FaucetFault(Exception):
    """The local chain did not do it; says why in words that may be shown."""


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment in a block."""

    tx_hash: str
    height: int


class Faucet(Protocol):
    """One family's levers; each raises `FaucetFault` where its chain has no such lever."""

    async def pay(self, to: str, units: int, asset: str) -> Paid:
        """Pay base units of an asset (as blocks name it) to a stored address, in a block."""
        ...

    async def mine(self, blocks: int) -> None:
        """Add blocks, on chains that do not grow by themselves."""
        ...

    async def pause(self) -> None:
        """Make no blocks until `resume`, but those that `pay` and `mine` ask for."""
        ...

    async def resume(self) -> None:
        """Make blocks as before."""
        ...

    async def drop(self, height: int) -> None:
        """Replace every block from `height` on by as many without their transactions."""
        ...
