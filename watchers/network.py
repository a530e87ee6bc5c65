"""The two sockets a network plugs into: `ChainReader` for money in, `ChainWriter` for money out.

Nothing here knows the database, the keystore or any chain library. Heights are block numbers
on Ethereum and Tron and slots on Solana. Amounts are integers in base units (wei, sun,
lamports, token units). Hashes and addresses are the chain's own text in its canonical form:
lower-case `0x` hex on Ethereum, lower-case hex hashes and base58 addresses on Tron, base58 on
Solana.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

import msgspec

from watchers.trouble import (
    BroadcastRejected,
    Incomplete,
    NodeUnavailable,
    Refused,
    Untraced,
    WrongChain,
    printable,
)
from watchers.writer import ChainWriter, NonceLanes, Outbidder, PayoutOrder, Place, Placed, Slot

__all__ = [
    "NATIVE",
    "Block",
    "BlockRef",
    "BroadcastRejected",
    "ChainReader",
    "ChainWriter",
    "Incomplete",
    "NodeUnavailable",
    "NonceLanes",
    "Outbidder",
    "Outcome",
    "PayoutOrder",
    "Place",
    "Placed",
    "Refused",
    "Slot",
    "SlotLister",
    "Tip",
    "Transfer",
    "Untraced",
    "WrongChain",
    "printable",
]

NATIVE = "native"
"""The asset reference of a chain's own coin; every other asset is its contract or mint."""


@dataclass(frozen=True, slots=True)
class BlockRef:
    """Identity of one block: enough to notice that history changed."""

    height: int
    hash: str
    parent_hash: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Tip:
    """How far the node has come: its newest height and the newest one it calls final."""

    head: int
    final: int


class Transfer(msgspec.Struct, frozen=True, gc=False):
    """Value that arrived somewhere, in a successful transaction, as the chain states it.

    `(tx_hash, kind, ordinal)` names it for good: the ordinal counts inside the transaction, so
    it survives a move to another block. `kind` is `native`, `token`, `internal` or
    `withdrawal`; `asset` is `NATIVE` or the contract or mint; `sender` is empty where the chain
    does not say. On Solana `ordinal` is the recipient's index among the transaction's accounts
    (native) or the rank of `(owner, mint)` among the sorted pairs that gained (token).
    """

    tx_hash: str
    kind: str
    ordinal: int
    asset: str
    sender: str
    recipient: str
    units: int


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What became of one transaction.

    `payer_spent_units` is what left the fee payer in the native coin. On Ethereum and Tron it
    is the fee alone. On Solana it is the fee payer's whole decrease in lamports (fee, rent and
    any lamports sent), because only the difference is on record there. Where lamports came to
    him too (a swept address, the rent of a closed account) that says less than he paid:
    `payer_gained_units` is then his increase and `fee_units` the fee as the block states it.
    `payer` is who paid, written as in `Transfer.sender`; empty where that is not told apart.
    """

    success: bool
    payer_spent_units: int
    payer_gained_units: int = 0
    fee_units: int | None = None
    payer: str = ""


def _no_strays() -> Iterable[Transfer]:
    return ()


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Block:
    """One complete block: every transfer of a listed asset, and how every transaction ended.

    `strays` yields, when called, what arrived without being a payment: tokens that are not
    listed, and value in an account that a sweep does not reach. `internal` tells whether value
    moved inside contracts is among the transfers (traces, Tron's internal transactions, balance
    differences). `provider` names the endpoint that served it. `overtaken` tells, when called,
    that it was read for fewer addresses than are ours now, and may lack a payment to a new one:
    what was read for somebody (`watchers/interest.py`) holds strangers only by chance.
    """

    ref: BlockRef
    transfers: tuple[Transfer, ...]
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    strays: Callable[[], Iterable[Transfer]] = field(default=_no_strays, compare=False)
    internal: bool = False
    provider: str = ""
    overtaken: Callable[[], bool] = field(default=_never, compare=False)


class ChainReader(Protocol):
    """Eyes of one network."""

    async def check_identity(self) -> None:
        """Compare the node's chain id or genesis with the pinned one; raise `WrongChain`."""
        ...

    async def tip(self) -> Tip:
        """Return head and final height, or raise `Incomplete` where the node has no final block."""
        ...

    async def read(self, height: int) -> Block:
        """Return the first block at or above `height`, complete, or raise `Incomplete`.

        On Ethereum and Tron that is the block at `height` itself. On Solana slots may be
        skipped; a higher slot proves the skip only through its parent hash, which the caller
        compares with the last block it processed. A block that cannot be proved complete
        (counts, ids and hashes of the answers agree) is never returned.
        """
        ...

    async def ref_at(self, height: int) -> BlockRef:
        """Return the identity of the block now standing at `height`, or raise `Incomplete`."""
        ...

    async def balance(self, address: str, asset: str) -> int:
        """Return the balance of `address` in base units (Solana tokens: of the canonical ATA)."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


@runtime_checkable
class SlotLister(Protocol):
    """A reader of a network with empty slots that can say which are not; only a hint."""

    async def produced(self, first: int, last: int) -> Sequence[int]:
        """Return the slots from `first` to `last` that hold a block, ascending."""
        ...
