"""The socket for money out: `ChainWriter`, and what it is told and tells.

`watchers.network` shows it to everybody else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


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


@dataclass(frozen=True, slots=True)
class Place:
    """Where one transaction alone can land: a nonce of its sender, or a value of a nonce account."""

    sender: str
    nonce: int | None
    nonce_account: str | None = None
    nonce_value: str | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """Whose transaction took which place, and the block that holds it, in the chain's spelling.

    `gone_at` is the height at which the node that was asked shows a nonce account's value to be
    gone, 0 where the transaction's own bytes prove that it spent it.
    """

    sender: str
    nonce: int | None
    height: int
    block_hash: str
    nonce_account: str | None = None
    nonce_value: str | None = None
    gone_at: int = field(default=0, compare=False)

    @property
    def place(self) -> Place:
        """Return what was taken."""
        return Place(self.sender, self.nonce, self.nonce_account, self.nonce_value)


class ChainWriter(Protocol):
    """Hands of one network. It never sees a key and decides nothing about money."""

    async def next_nonce(self, address: str) -> int:
        """Return the count of transactions `address` has on chain; 0 where there is no nonce."""
        ...

    async def prepare(self, order: PayoutOrder, slot: Slot) -> Mapping[str, Any]:
        """Return the wire intent for `keystore.api`: order, slot and chain facts.

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
    """Hands of a network where one transaction may take another's place before it lands.

    On EVM any with higher fees, on Solana one that advances the nonce value and does no more.
    """

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
        """Return an intent that moves nothing and outbids `intent` in its place.

        Raises `Refused` where the ceiling leaves no room.
        """
        ...


class NonceLanes(Protocol):
    """Where a payout stands on a durable-nonce account (Solana), the account is made once."""

    async def nonce_account_state(self, address: str) -> str | None:
        """Return the value now stored in a lane's account; None where it is not made yet."""
        ...

    async def nonce_account_seen(self, address: str) -> tuple[str | None, int]:
        """Return that value with the height up to which it stood there."""
        ...

    def lane_address(self, hot: str, lane: int) -> str:
        """Return the account of one of a hot wallet's lanes."""
        ...

    async def nonce_setup(self, hot: str, lane: int) -> Mapping[str, Any] | None:
        """Return the facts for `keystore.api.SignNonceSetupRequest`, or None where it exists."""
        ...
