"""Pure: what a payment will cost in sun, from the network's prices and the payer's resources.

Bandwidth comes whole from the staked or whole from the free allowance, else every byte burns
TRX. Energy comes from the staked allowance first; `fee_limit` bounds all of it, staked or not.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from watchers.network import Incomplete
from watchers.networks.tron.answers import Resources

NATIVE_BYTES = 280
"""Bandwidth of a TRX transfer: 265 to 270 bytes with its 64 reserved for the result."""
TOKEN_BYTES = 360
"""Bandwidth of a TRC-20 transfer: about 345 bytes; a large amount takes no more."""
MARGIN_PER_CENT = 120
"""Busy contracts cost more energy from one maintenance period to the next."""


@dataclass(frozen=True, slots=True)
class Prices:
    """The network's prices in sun; `activation` is what the first TRX to an address costs."""

    energy: int
    byte: int
    activation: int


def prices_of(parameters: Mapping[str, int]) -> Prices:
    """Pick the prices out of the chain parameters; a price that is absent is not zero."""
    try:
        prices = Prices(
            energy=parameters["getEnergyFee"],
            byte=parameters["getTransactionFee"],
            activation=parameters["getCreateNewAccountFeeInSystemContract"]
            + parameters["getCreateAccountFee"],
        )
    except KeyError as missing:
        raise Incomplete(f"the node does not state {missing}") from missing
    if prices.energy <= 0 or prices.byte <= 0 or prices.activation < 0:
        raise Incomplete(f"the node states {prices}")
    return prices


def bandwidth_burn(size: int, resources: Resources, prices: Prices) -> int:
    """Return the sun that `size` bytes burn."""
    staked = resources.net_limit - resources.net_used
    free = resources.free_net_limit - resources.free_net_used
    return 0 if max(staked, free) >= size else size * prices.byte


def energy_limit(energy: int, prices: Prices) -> int:
    """Return the `fee_limit` for a simulated use of energy, with its margin, rounded up."""
    return -(-energy * prices.energy * MARGIN_PER_CENT // 100)


def energy_burn_at_most(fee_limit: int, resources: Resources, prices: Prices) -> int:
    """Return the part of `fee_limit` that staked energy does not cover."""
    staked = max(0, resources.energy_limit - resources.energy_used)
    return max(0, fee_limit - staked * prices.energy)
