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
from typing import Any, Protocol, runtime_checkable

import msgspec

NATIVE = "native"
"""The asset reference of a chain's own coin; every other asset is its contract or mint."""


def printable(text: str) -> str:
    """Return the text without what a column, a log line or a terminal cannot hold.

    Nodes and contracts choose their words: a merchant's own contract may put a NUL into the reason
    why it reverted.
    """
    return "".join(letter if letter.isprintable() else " " for letter in text)


class _InWords(Exception):
    """A reason that may hold somebody else's words."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(printable(reason))


class Incomplete(_InWords):
    """The node does not know (yet): absent, empty, short or contradictory answers. Ask again."""


class Untraced(Incomplete):
    """The node has the block, and does not tell how its transactions ran."""


class NodeUnavailable(_InWords):
    """The node did not answer in time or not in its protocol. The world's fault: retry."""


class WrongChain(Exception):
    """The node serves another chain than the configuration pins. Never retried."""


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


@dataclass(frozen=True, slots=True)
class PayoutOrder:
    """A payout that was approved, before the chain's own facts are added.

    `fee_ceiling_units` is the most the operator allows the network to take, in the native coin.
    """

    withdrawal_id: str
    asset: str
    decimals: int
    destination: str
    units: int
    source: str
    fee_ceiling_units: int


@dataclass(frozen=True, slots=True)
class Slot:
    """The one place on the chain that a withdrawal may take.

    Ethereum: `nonce` from our own book. Solana: `nonce_account`. Tron has none: the raw
    transaction's own bytes and expiration are the slot.
    """

    nonce: int | None = None
    nonce_account: str | None = None


class Refused(_InWords):
    """The chain cannot carry this payout as it stands (no funds for it, no such token account)."""


class ChainWriter(Protocol):
    """Hands of one network. It never sees a key and decides nothing about money."""

    async def next_nonce(self, address: str) -> int:
        """Return the count of transactions `address` has on chain; 0 where there is no nonce."""
        ...

    async def prepare(self, order: PayoutOrder, slot: Slot) -> Mapping[str, Any]:
        """Return the wire intent for `keystore.api` (`intent_v1`): order, slot and chain facts.

        Facts are fees, gas or energy limits, reference block and expiration, nonce value.
        Raises `Refused` where a simulation shows that it cannot succeed now.
        """
        ...

    def verify(self, intent: Mapping[str, Any], raw: bytes) -> str:
        """Decode signed bytes again; return the transaction hash.

        Raises `ValueError` naming the field where recipient, amount, asset, chain or slot in the
        bytes differ from the intent.
        """
        ...

    async def broadcast(self, raw: bytes) -> None:
        """Hand signed bytes to the node; safe to repeat.

        The answer proves nothing: a rejection is logged by the caller, never believed.
        Raises `NodeUnavailable` where the node could not be reached, `BroadcastRejected` with
        its words where it declined.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


@runtime_checkable
class Outbidder(Protocol):
    """Hands of a network where one transaction may take another's place before it lands (EVM)."""

    async def outbid(
        self, intent: Mapping[str, Any], *, ceiling_units: int, overdue: bool
    ) -> Mapping[str, Any] | None:
        """Return the intent with both fees raised as far as nodes ask, and the market.

        None where the offer still stands a chance: it is not `overdue`, and the next block does
        not ask for more. Raises `Refused` where the ceiling leaves no room.
        """
        ...

    async def vacate(
        self, intent: Mapping[str, Any], sender: str, *, ceiling_units: int
    ) -> Mapping[str, Any]:
        """Return an intent of nothing to the sender itself that outbids `intent` in its place.

        Raises `Refused` where the ceiling leaves no room.
        """
        ...


class NonceLanes(Protocol):
    """Where a payout stands on a durable-nonce account (Solana), the account is made once."""

    async def nonce_account_state(self, address: str) -> str | None:
        """Return the value now stored in a lane's account; None where it is not made yet."""
        ...

    def lane_address(self, hot: str, lane: int) -> str:
        """Return the account of one of a hot wallet's lanes."""
        ...

    async def nonce_setup(self, hot: str, lane: int) -> Mapping[str, Any] | None:
        """Return the facts for `keystore.api.SignNonceSetupRequest`, or None where it exists."""
        ...


class BroadcastRejected(_InWords):
    """The node declined the bytes. It proves nothing about whether they land."""
