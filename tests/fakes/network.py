"""Eyes and hands of a `FakeChain`."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.fakes.chain import BASE_FEE_WEI, GAS_NATIVE, GAS_TOKEN, TIP_WEI, FakeChain
from watchers.network import (
    NATIVE,
    Block,
    BlockRef,
    BroadcastRejected,
    NodeUnavailable,
    PayoutOrder,
    Refused,
    Slot,
    Tip,
    WrongChain,
)
from watchers.networks.ethereum.fees import Fees, market_fees, offer_of, outbidding
from watchers.networks.ethereum.signed import decode_signed, verify_signed


class Broadcast(StrEnum):
    """What a fake node does with bytes, and what it says about them."""

    TAKE = "take"
    DROP = "says yes, forgets them"
    REFUSE = "says no, forgets them"
    LIE = "says no, takes them"
    LOSE_ANSWER = "takes them, the answer is lost"


@dataclass(slots=True)
class FakeReader:
    """`ChainReader` that pins `chain_id` and lists `tokens`."""

    chain: FakeChain
    chain_id: int
    tokens: frozenset[str]
    closed: bool = False

    async def check_identity(self) -> None:
        """Raise `WrongChain` where the pinned id is another."""
        self._reach()
        if self.chain.chain_id != self.chain_id:
            raise WrongChain(f"chain id {self.chain.chain_id}, configured {self.chain_id}")

    async def tip(self) -> Tip:
        """Return head and final height."""
        self._reach()
        return Tip(self.chain.head, self.chain.final)

    async def read(self, height: int) -> Block:
        """Return the block at `height` or raise `Incomplete`."""
        self._reach()
        return self.chain.block(height).seen(self.tokens)

    async def ref_at(self, height: int) -> BlockRef:
        """Return the identity of the block at `height` or raise `Incomplete`."""
        self._reach()
        return self.chain.block(height).ref

    async def balance(self, address: str, asset: str) -> int:
        """Return the balance at the head."""
        self._reach()
        return self.chain.state.held(address, asset)

    async def aclose(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def _reach(self) -> None:
        if self.chain.down:
            raise NodeUnavailable("the fake node is down")


@dataclass(slots=True)
class FakeWriter:
    """`ChainWriter` and `Outbidder`; `manner` says how it treats broadcasts.

    `base_fee_wei` is what it tells about the next block; the chain itself takes any fee.
    """

    chain: FakeChain
    network: str
    manner: Broadcast = Broadcast.TAKE
    closed: bool = False
    base_fee_wei: int = BASE_FEE_WEI

    async def next_nonce(self, address: str) -> int:
        """Return the nonce of `address` at the head."""
        self._reach()
        return self.chain.state.nonces.get(address, 0)

    async def prepare(self, order: PayoutOrder, slot: Slot) -> Mapping[str, Any]:
        """Return an `EthereumIntent`; refuse missing funds and fees above the ceiling."""
        self._reach()
        if slot.nonce is None:
            raise ValueError("nonce: an Ethereum payout takes a nonce as its slot")
        gas = GAS_NATIVE if order.asset == NATIVE else GAS_TOKEN
        max_fee = 2 * BASE_FEE_WEI + TIP_WEI
        if gas * max_fee > order.fee_ceiling_units:
            raise Refused(f"{gas * max_fee} wei is above the ceiling")
        wei = gas * max_fee + (order.units if order.asset == NATIVE else 0)
        for asset, units in ((order.asset, order.units), (NATIVE, wei)):
            if self.chain.state.held(order.source, asset) < units:
                raise Refused(f"{order.source} holds less than {units} of {asset}")
        return {
            "family": self.chain.family,
            "withdrawal_id": order.withdrawal_id,
            "network": self.network,
            "asset": order.asset,
            "to": order.destination,
            "units": str(order.units),
            "chain_id": self.chain.chain_id,
            "nonce": slot.nonce,
            "gas_limit": gas,
            "max_fee_per_gas": str(max_fee),
            "max_priority_fee_per_gas": str(TIP_WEI),
        }

    async def outbid(
        self, intent: Mapping[str, Any], *, ceiling_units: int, overdue: bool
    ) -> Mapping[str, Any] | None:
        """Return the intent with raised fees; None while its offer stands a chance."""
        self._reach()
        offer = offer_of(intent)
        if not overdue and self.base_fee_wei <= offer.max_fee_wei:
            return None
        return {**intent, **self._above(offer, intent["gas_limit"], ceiling_units)}

    async def vacate(
        self, intent: Mapping[str, Any], sender: str, *, ceiling_units: int
    ) -> Mapping[str, Any]:
        """Return an intent of nothing to the sender itself on the same nonce."""
        self._reach()
        nothing = {"asset": NATIVE, "to": sender, "units": "0", "gas_limit": GAS_NATIVE}
        fees = self._above(offer_of(intent), GAS_NATIVE, ceiling_units)
        return {**intent, **nothing, **fees}

    def _above(self, offer: Fees, gas: int, ceiling: int) -> dict[str, str]:
        market = market_fees(self.base_fee_wei, [TIP_WEI])
        fees = outbidding(offer, market, gas, ceiling)
        return {
            "max_fee_per_gas": str(fees.max_fee_wei),
            "max_priority_fee_per_gas": str(fees.tip_wei),
        }

    def verify(self, intent: Mapping[str, Any], raw: bytes) -> str:
        """Return the hash of bytes that say what the intent says."""
        return verify_signed(intent, raw).tx_hash

    async def broadcast(self, raw: bytes) -> None:
        """Treat the bytes as `manner` says; `broadcasts` of the chain remembers them anyway."""
        self._reach()
        sent = decode_signed(raw)
        self.chain.broadcasts[sent.tx_hash] = raw
        if self.manner in {Broadcast.DROP, Broadcast.REFUSE}:
            if self.manner is Broadcast.REFUSE:
                raise BroadcastRejected("no room for it")
            return
        self._refuse_what_nodes_refuse(sent.tx_hash, sent.sender, sent.nonce)
        self.chain.receive(raw)
        if self.manner is Broadcast.LIE:
            raise BroadcastRejected("internal error")
        if self.manner is Broadcast.LOSE_ANSWER:
            raise NodeUnavailable("the answer was lost")

    async def aclose(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def _refuse_what_nodes_refuse(self, tx_hash: str, sender: str, nonce: int) -> None:
        if nonce < self.chain.state.nonces.get(sender, 0):
            raise BroadcastRejected("nonce too low")
        if tx_hash in self.chain.pool:
            raise BroadcastRejected("already known")

    def _reach(self) -> None:
        if self.chain.down:
            raise NodeUnavailable("the fake node is down")
