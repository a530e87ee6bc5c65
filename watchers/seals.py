"""Blocks as their own ids commit to them: what no node can leave out, add or change.

An id is made of the header, the header of its parent's id and of all transactions with their
results. Whether the chain itself stands on such a block is said by those who sign blocks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from watchers.network import BlockRef
from watchers.trouble import Incomplete

REFERENCE_AT = 12
"""Two bytes of a block's height and eight of its hash are signed: the id's bytes 6 to 16."""


class Untold(Incomplete):
    """An answer shows too little to be hashed: it may be true, and proves nothing."""


@dataclass(frozen=True, slots=True)
class Seal:
    """A header whose hash is its block's id.

    `witness` is the address that made the block, as the header says; `signed` tells whether the
    block bears this very address's signature.
    """

    ref: BlockRef
    witness: str
    signed: bool


@dataclass(frozen=True, slots=True)
class Sealed:
    """A block that was hashed whole: whether each of its transactions succeeded, by hash.

    The value is None where the block does not say; `ends` is None where it cannot be hashed.
    """

    seal: Seal
    ends: Mapping[str, bool | None] | None


@dataclass(frozen=True, slots=True)
class Terms:
    """What signed bytes say of when they can land.

    `reference` is what they hold of their reference block's id, in hex, from the digit
    `REFERENCE_AT` of it on.
    """

    tx_hash: str
    reference: str
    expiration_ms: int


class SealReader(Protocol):
    """Reads blocks of a family whose ids commit to them; both raise `Incomplete` for a lie."""

    def terms(self, raw: bytes) -> Terms:
        """Read signed bytes; `ValueError` for what is none."""
        ...

    async def seal(self, height: int) -> Seal:
        """Return the header at a height; `Untold` where its hash cannot be computed."""
        ...

    async def sealed(self, height: int) -> Sealed:
        """Return the whole block at a height."""
        ...
