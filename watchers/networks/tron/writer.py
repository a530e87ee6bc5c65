"""Hands on Tron: facts for an intent, a second look at signed bytes, broadcast.

The node is asked for prices, balances and a simulation, never for a transaction: whoever builds
it chooses the recipient.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from keystore.api import TronIntent
from watchers.network import (
    NATIVE,
    Incomplete,
    PayoutOrder,
    Refused,
    Slot,
)
from watchers.networks.tron import resource
from watchers.networks.tron.address import from_base58
from watchers.networks.tron.broadcast import broadcast
from watchers.networks.tron.fees import (
    NATIVE_BYTES,
    TOKEN_BYTES,
    Prices,
    bandwidth_burn,
    energy_burn_at_most,
    energy_limit,
    prices_of,
)
from watchers.networks.tron.node import TronNode, call_failure
from watchers.networks.tron.times import LIFETIME_HOURS, times_of
from watchers.networks.tron.transaction import decode_signed, transfer_words
from watchers.rpc import Endpoints

BLOCK_ID_BYTES = 32
LIFETIME_HOURS_MAX = 23
"""A node refuses an expiration more than 24 hours after its newest block."""


@dataclass(slots=True)
class TronWriter:
    """Writes to one Tron network.

    `network` is its key in the configuration; `clock_ms` returns Unix milliseconds. A payment
    may land until `lifetime_hours` after it was prepared, and never afterwards.
    """

    endpoints: Endpoints
    network: str
    clock_ms: Callable[[], int]
    lifetime_hours: int = LIFETIME_HOURS
    _node: TronNode = field(init=False)

    def __post_init__(self) -> None:
        if not 1 <= self.lifetime_hours <= LIFETIME_HOURS_MAX:
            raise ValueError(f"lifetime_hours: 1 to {LIFETIME_HOURS_MAX}")
        self._node = TronNode(self.endpoints)

    async def next_nonce(self, address: str) -> int:  # noqa: ARG002 - the socket's signature
        """Return 0: Tron counts nothing per account."""
        return 0

    async def prepare(self, order: PayoutOrder, slot: Slot) -> Mapping[str, Any]:  # noqa: ARG002
        """Return the intent for the keystore; raise `Refused` where it cannot succeed now.

        Raises `Incomplete` where our clock and the chain's differ too much.
        """
        _require_payable(order)
        prices = prices_of(await self._node.parameters())
        if order.asset == NATIVE:
            fee_limit = 0
            await self._require_native(order, prices)
        else:
            fee_limit = await self._token_fee_limit(order, prices)
        intent = TronIntent(
            withdrawal_id=order.withdrawal_id,
            network=self.network,
            asset=order.asset,
            to=order.destination,
            units=str(order.units),
            fee_limit=fee_limit,
            **await times_of(self._node, self.clock_ms, self.lifetime_hours),
        )
        facts: Mapping[str, Any] = msgspec.to_builtins(intent)
        return facts

    def verify(self, intent: Mapping[str, Any], raw: bytes) -> str:
        """Decode signed bytes, compare every field with the intent, return the transaction id."""
        if intent.get("family") == "tron_resource":
            return resource.verify(intent, raw)
        try:
            wanted = msgspec.convert(intent, TronIntent)
        except msgspec.ValidationError as trouble:
            raise ValueError(f"intent: {trouble}") from trouble
        signed = decode_signed(raw)
        reference = _block_octets(wanted.ref_block_id)
        pairs: dict[str, tuple[object, object]] = {
            "owner": (signed.owner, signed.signer),
            "asset": (signed.asset, wanted.asset),
            "to": (signed.to, wanted.to),
            "units": (str(signed.units), wanted.units),
            "ref_block_id": (
                signed.ref_block_bytes + signed.ref_block_hash,
                reference[6:8] + reference[8:16],
            ),
            "expiration_ms": (signed.expiration_ms, wanted.expiration_ms),
            "timestamp_ms": (signed.timestamp_ms, wanted.timestamp_ms),
            "fee_limit": (signed.fee_limit, wanted.fee_limit),
        }
        for name, (found, expected) in pairs.items():
            if found != expected:
                raise ValueError(f"{name}: signed bytes say {found!r}, expected {expected!r}")
        return signed.tx_hash

    async def broadcast(self, raw: bytes) -> None:
        """Hand the bytes to every node; one that takes them is enough."""
        await broadcast(self.endpoints, raw)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.endpoints.aclose()

    async def _require_native(self, order: PayoutOrder, prices: Prices) -> None:
        destination = await self._node.account(order.destination)
        if destination.type == "Contract":
            raise Refused(f"destination {order.destination} is a contract")
        if destination.address:
            resources = await self._node.resources(order.source)
            fee = bandwidth_burn(NATIVE_BYTES, resources, prices)
        else:
            fee = prices.activation
        _require_ceiling(order, fee)
        held = (await self._node.account(order.source)).balance
        if held < order.units + fee:
            raise Refused(
                f"{order.source} holds {held} sun, the payment takes {order.units} and {fee} fee"
            )

    async def _token_fee_limit(self, order: PayoutOrder, prices: Prices) -> int:
        held = await self._node.token_balance(order.asset, order.source)
        if held < order.units:
            raise Refused(f"{order.source} holds {held} units, the payment takes {order.units}")
        words = transfer_words(order.destination, order.units)
        answer = await self._node.call(
            order.source, order.asset, "transfer(address,uint256)", words
        )
        if failure := call_failure(answer):
            raise Refused(f"the transfer would fail: {failure}")
        if answer.energy_used <= 0:
            raise Incomplete("the node simulates a transfer without energy")
        fee_limit = energy_limit(answer.energy_used, prices)
        resources = await self._node.resources(order.source)
        bandwidth = bandwidth_burn(TOKEN_BYTES, resources, prices)
        _require_ceiling(order, fee_limit + bandwidth)
        burn = energy_burn_at_most(fee_limit, resources, prices) + bandwidth
        balance = (await self._node.account(order.source)).balance
        if balance < burn:
            raise Refused(f"{order.source} holds {balance} sun, fees may take {burn}")
        return fee_limit


def _block_octets(block_id: str) -> bytes:
    try:
        octets = bytes.fromhex(block_id)
    except ValueError:
        octets = b""
    if len(octets) != BLOCK_ID_BYTES:
        raise ValueError(f"ref_block_id: {block_id!r} is no block id")
    return octets


def _require_payable(order: PayoutOrder) -> None:
    """Refuse what no chain state could make right."""
    addresses = {"destination": order.destination, "source": order.source}
    if order.asset != NATIVE:
        addresses["asset"] = order.asset
    for name, address in addresses.items():
        try:
            from_base58(address)
        except ValueError as wrong:
            raise Refused(f"{name}: {wrong}") from wrong
    if order.destination in {order.source, order.asset}:
        raise Refused("destination: the payer itself or the token's own contract")
    if order.units <= 0:
        raise Refused("units: must be positive")


def _require_ceiling(order: PayoutOrder, fee: int) -> None:
    if fee > order.fee_ceiling_units:
        raise Refused(f"fees may take {fee} sun, the ceiling is {order.fee_ceiling_units}")
