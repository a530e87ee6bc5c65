"""Hands on an EVM chain: fees, simulation, the second look at signed bytes, broadcast."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from watchers.network import (
    NATIVE,
    BroadcastRejected,
    NodeUnavailable,
    PayoutOrder,
    Refused,
    Slot,
)
from watchers.networks.ethereum.address import ZERO, canonical
from watchers.networks.ethereum.erc20 import transfer_call
from watchers.networks.ethereum.fees import (
    HISTORY_BLOCKS,
    REWARD_PERCENTILE,
    Fees,
    Market,
    RawFeeHistory,
    gas_limit_for,
    market_fees,
    offer_of,
    outbidding,
    within_ceiling,
)
from watchers.networks.ethereum.node import Node, reverted
from watchers.networks.ethereum.signed import verify_signed
from watchers.networks.ethereum.wire import quantity
from watchers.rpc import JsonRpc, RpcError

TRUE_WORD = "0x" + "1".rjust(64, "0")
EMPTY = "0x"


@dataclass(frozen=True, slots=True)
class EthereumWriter:
    """`ChainWriter` of one EVM chain. `network` is the name in our configuration."""

    rpc: JsonRpc
    chain_id: int
    network: str
    _node: Node = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_node", Node(self.rpc))

    async def next_nonce(self, address: str) -> int:
        """Return how many transactions of `address` stand in the latest block."""
        return await self._node.number("eth_getTransactionCount", [address, "latest"])

    async def prepare(self, order: PayoutOrder, slot: Slot) -> Mapping[str, Any]:
        """Return an `EthereumIntent` after a simulation on the latest block.

        Raises `Refused` naming why: destination, simulation, funds or fee ceiling.
        """
        if slot.nonce is None:
            raise ValueError("nonce: an Ethereum payout takes a nonce as its slot")
        call = _call(order)
        await self._refuse_without_funds(order)
        gas_limit = gas_limit_for(await self._simulated(order.asset, call), _data(call))
        fees = await self._fees(gas_limit, order.fee_ceiling_units)
        await self._refuse_without_gas(order, gas_limit * fees.max_fee_wei)
        return {
            "family": "ethereum",
            "withdrawal_id": order.withdrawal_id,
            "network": self.network,
            "asset": order.asset,
            "to": canonical(order.destination),
            "units": str(order.units),
            "chain_id": self.chain_id,
            "nonce": slot.nonce,
            "gas_limit": gas_limit,
            **_offered(fees),
        }

    async def outbid(
        self, intent: Mapping[str, Any], *, ceiling_units: int, overdue: bool
    ) -> Mapping[str, Any] | None:
        """Return the intent with raised fees; None while its offer stands a chance.

        Raises `Refused` where the ceiling leaves no room.
        """
        market = await self._market()
        offer = offer_of(intent)
        if not overdue and market.base_wei <= offer.max_fee_wei:
            return None
        fees = outbidding(offer, market.fees, intent["gas_limit"], ceiling_units)
        return {**intent, **_offered(fees)}

    async def vacate(
        self, intent: Mapping[str, Any], sender: str, *, ceiling_units: int
    ) -> Mapping[str, Any]:
        """Return an intent of 0 wei to the sender itself that outbids `intent` on its nonce."""
        to = canonical(sender)
        call = {"from": to, "to": to, "value": "0x0"}
        gas_limit = gas_limit_for(await self._simulated(NATIVE, call))
        market = await self._market()
        fees = outbidding(offer_of(intent), market.fees, gas_limit, ceiling_units)
        plain = {name: value for name, value in intent.items() if name != "pool_index"}
        nothing = {"asset": NATIVE, "to": to, "units": "0", "gas_limit": gas_limit}
        return {**plain, **nothing, **_offered(fees)}

    def verify(self, intent: Mapping[str, Any], raw: bytes) -> str:
        """Return the hash of bytes that say exactly what the intent says; else `ValueError`."""
        return verify_signed(intent, raw).tx_hash

    async def broadcast(self, raw: bytes) -> None:
        """Hand the bytes to every node; one that takes them is enough.

        Else `BroadcastRejected` carries a node's words: bytes that wait or stand already are
        "already known" or "nonce too low" in one spelling or another.
        """
        said = await self.rpc.call_everywhere("eth_sendRawTransaction", ["0x" + raw.hex()], str)
        if any(isinstance(each, str) for each in said):
            return
        for each in said:
            if isinstance(each, RpcError):
                raise BroadcastRejected(each.message) from each
        raise NodeUnavailable("; ".join(map(str, said)))

    async def aclose(self) -> None:
        """Close the connections."""
        await self.rpc.endpoints.aclose()

    async def _refuse_without_funds(self, order: PayoutOrder) -> None:
        held = await self._node.balance(order.source, order.asset)
        if held < order.units:
            raise Refused(f"{order.source} holds {held} of {order.asset}, {order.units} asked")

    async def _refuse_without_gas(self, order: PayoutOrder, fee_wei: int) -> None:
        needed = fee_wei + (order.units if order.asset == NATIVE else 0)
        held = await self._node.balance(order.source, NATIVE)
        if held < needed:
            raise Refused(f"{order.source} holds {held} wei, payment and gas need {needed}")

    async def _simulated(self, asset: str, call: Mapping[str, str]) -> int:
        """Return the gas estimate of a call that was seen to succeed."""
        try:
            if asset != NATIVE:
                answer = await self.rpc.call("eth_call", [call, "latest"], str)
                # Older tokens answer nothing where they succeed; `false` moves nothing.
                if answer not in {EMPTY, TRUE_WORD}:
                    raise Refused(f"simulation: the token answered {answer[:80]!r}")
            return quantity(await self.rpc.call("eth_estimateGas", [call], str))
        except RpcError as refusal:
            if reverted(refusal):
                raise Refused(f"simulation: {refusal.message}") from refusal
            raise NodeUnavailable(f"simulation: {refusal}") from refusal
        except ValueError as trouble:
            raise NodeUnavailable(f"eth_estimateGas: {trouble}") from trouble

    async def _fees(self, gas_limit: int, ceiling_wei: int) -> Fees:
        market = await self._market()
        return within_ceiling(market.fees, market.base_wei, gas_limit, ceiling_wei)

    async def _market(self) -> Market:
        params = [hex(HISTORY_BLOCKS), "latest", [REWARD_PERCENTILE]]
        history = await self._node.ask("eth_feeHistory", params, RawFeeHistory)
        try:
            base = quantity(history.base_fee_per_gas[-1])
            tips = [quantity(block[0]) for block in history.reward or ()]
        except (ValueError, IndexError) as trouble:
            raise NodeUnavailable(f"eth_feeHistory: {trouble}") from trouble
        return Market(base, market_fees(base, tips))


def _data(call: Mapping[str, str]) -> bytes:
    return bytes.fromhex(call.get("data", "0x").removeprefix("0x"))


def _offered(fees: Fees) -> dict[str, str]:
    return {
        "max_fee_per_gas": str(fees.max_fee_wei),
        "max_priority_fee_per_gas": str(fees.tip_wei),
    }


def _call(order: PayoutOrder) -> dict[str, str]:
    """Return the call object of the payout; refuse destinations that burn the money."""
    try:
        to = canonical(order.destination)
    except ValueError as trouble:
        raise Refused(f"destination: {trouble}") from trouble
    if to in {ZERO, order.asset}:
        raise Refused(f"destination: {to} would burn it")
    if order.asset == NATIVE:
        return {"from": order.source, "to": to, "value": hex(order.units)}
    data = "0x" + transfer_call(to, order.units).hex()
    return {"from": order.source, "to": order.asset, "data": data}
