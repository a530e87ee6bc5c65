"""What a payment on Tron costs in sun: burnt bandwidth and energy, and the activation of an address.

The usual token payment goes to a holder, the dearest to an address that holds none; both are
simulated, so the penalty of busy contracts is in the figures.
"""

from dataclasses import dataclass, field
from hashlib import sha256

from gateway.settings import NetworkSettings
from watchers.network import NATIVE
from watchers.networks.tron.address import PREFIX, to_base58
from watchers.networks.tron.answers import Resources
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
from watchers.networks.tron.transaction import transfer_words
from watchers.quotes import FeeQuoter, Quote
from watchers.rpc import Endpoints

ENERGY_HOLDER, ENERGY_NEW = 65_000, 130_000
"""What a token's transfer takes, where the payer holds nothing that could be tried."""


@dataclass(frozen=True, slots=True)
class TronQuoter:
    """`FeeQuoter` of one Tron network."""

    endpoints: Endpoints
    _node: TronNode = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_node", TronNode(self.endpoints))

    async def quote(self, asset: str, source: str) -> Quote:
        """Return what a payment burns after the payer's own resources; at most, without them."""
        prices = prices_of(await self._node.parameters())
        resources = await self._node.resources(source)
        if asset == NATIVE:
            return _native(resources, prices)
        known, new = await self._energy(asset, source)
        bandwidth = bandwidth_burn(TOKEN_BYTES, resources, prices)
        parts = {
            "energy": str(known),
            "energy_to_new_holder": str(new),
            "energy_price": str(prices.energy),
            "bandwidth": str(TOKEN_BYTES),
            "bandwidth_price": str(prices.byte),
        }
        burn = energy_burn_at_most(known * prices.energy, resources, prices)
        return Quote(
            burn + bandwidth, energy_limit(new, prices) + TOKEN_BYTES * prices.byte, parts
        )

    async def _energy(self, asset: str, source: str) -> tuple[int, int]:
        """Return what a transfer to a holder takes, and one to an address that holds none."""
        if not await self._node.token_balance(asset, source):
            return ENERGY_HOLDER, ENERGY_NEW
        nobody = to_base58(PREFIX + sha256(source.encode()).digest()[:20])
        known = await self._used(asset, source, source) or ENERGY_HOLDER
        new = await self._used(asset, source, nobody) or ENERGY_NEW
        return known, max(known, new)

    async def _used(self, asset: str, source: str, to: str) -> int | None:
        words = transfer_words(to, 1)
        answer = await self._node.call(source, asset, "transfer(address,uint256)", words)
        return None if call_failure(answer) else answer.energy_used


def quoter(settings: NetworkSettings, endpoints: Endpoints) -> FeeQuoter:
    """Build what knows the costs through these endpoints."""
    del settings
    return TronQuoter(endpoints)


def _native(resources: Resources, prices: Prices) -> Quote:
    burn = NATIVE_BYTES * prices.byte
    parts = {
        "bandwidth": str(NATIVE_BYTES),
        "bandwidth_price": str(prices.byte),
        "activation": str(prices.activation),
    }
    typical = bandwidth_burn(NATIVE_BYTES, resources, prices)
    return Quote(typical, max(burn, prices.activation), parts)
