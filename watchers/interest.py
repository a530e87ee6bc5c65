"""Whom blocks are read for, and the socket of a reader that can prove a block with less for it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from watchers.network import Block


@dataclass(frozen=True, slots=True)
class Interest:
    """What of a block must be known in full: payments to our addresses, transactions of ours.

    `perhaps` returns those addresses that may be ours: whoever is missing there is certainly
    not. `version` is another number after every address that was added. `own` are the hashes of
    our transactions that may still land.
    """

    perhaps: Callable[[Iterable[str]], set[str]]
    version: Callable[[], int]
    own: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Overtaken:
    """Called, tells whether a recipient that a reading left out may be ours by now."""

    interest: Interest
    version: int
    left_out: str
    """Addresses, parted by blanks: many blocks wait for their turn."""

    def __call__(self) -> bool:
        """Look again only where addresses were added meanwhile."""
        if self.interest.version() == self.version:
            return False
        return bool(self.interest.perhaps(self.left_out.split()))


@runtime_checkable
class SelectiveReader(Protocol):
    """A reader whose nodes can answer about single transactions of a block."""

    @property
    def selective(self) -> bool:
        """Whether reading for somebody may ever take less than reading everything."""
        ...

    async def read_for(self, height: int, interest: Interest) -> Block:
        """Return the block at `height`, complete in what concerns the interest, or `Incomplete`.

        Every transfer to an address that is perhaps ours, every stray there and every outcome
        of our own is in it and proved; others may be missing. To ask for the outcome of another
        transaction of the block raises `Incomplete`. `Block.overtaken` tells when an address
        was added too late for it.
        """
        ...
