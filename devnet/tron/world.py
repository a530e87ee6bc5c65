"""What the chain knows besides EVM state: accounts, contracts, stakes and used resources.

Values are frozen, so that a copy of the dictionaries is a snapshot. TRX balances, code and
storage live in the EVM.
"""

from dataclasses import dataclass, field

from devnet.tron.parameters import (
    RECOVERY_MS,
    SUN_PER_TRX,
    TOTAL_BANDWIDTH,
    TOTAL_BANDWIDTH_STAKE,
    TOTAL_ENERGY,
    TOTAL_ENERGY_STAKE,
)
from devnet.tron.protobuf import Message

BANDWIDTH, ENERGY = 0, 1
"""Numbers of `ResourceCode`."""
RESOURCE_NAMES = {BANDWIDTH: "bandwidth", ENERGY: "energy"}


@dataclass(frozen=True, slots=True)
class Account:
    """An activated account."""

    created_ms: int
    is_contract: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a resource was in use at a moment; it fades over `RECOVERY_MS`."""

    amount: int
    at_ms: int

    def left_at(self, now_ms: int) -> int:
        """Return what is still in use."""
        remaining_ms = max(0, RECOVERY_MS - (now_ms - self.at_ms))
        return self.amount * remaining_ms // RECOVERY_MS


@dataclass(frozen=True, slots=True)
class Stake:
    """Sun that one account has staked for one resource, lent out and borrowed."""

    own: int = 0
    lent: int = 0
    borrowed: int = 0

    @property
    def effective_trx(self) -> int:
        """Return the whole TRX that earn the resource."""
        return (self.own - self.lent + self.borrowed) // SUN_PER_TRX


@dataclass(frozen=True, slots=True)
class Unfreezing:
    """Sun on the way back to the balance."""

    resource: int
    amount: int
    due_ms: int


@dataclass(slots=True)
class World:
    """One state of the chain; `copy` makes a snapshot."""

    accounts: dict[bytes, Account] = field(default_factory=dict)
    contracts: dict[bytes, Message] = field(default_factory=dict)
    usage: dict[tuple[bytes, str], Usage] = field(default_factory=dict)
    stakes: dict[tuple[bytes, int], Stake] = field(default_factory=dict)
    loans: dict[tuple[bytes, bytes, int], int] = field(default_factory=dict)
    unfreezing: dict[bytes, tuple[Unfreezing, ...]] = field(default_factory=dict)
    assets: dict[str, Message] = field(default_factory=dict)
    holdings: dict[tuple[bytes, str], int] = field(default_factory=dict)
    factors: dict[bytes, int] = field(default_factory=dict)
    """Penalties of busy contracts, in ten-thousandths; set from outside, equal in every state."""

    def copy(self) -> "World":
        """Return a state that later changes of this one do not touch."""
        return World(
            dict(self.accounts),
            dict(self.contracts),
            dict(self.usage),
            dict(self.stakes),
            dict(self.loans),
            dict(self.unfreezing),
            dict(self.assets),
            dict(self.holdings),
            self.factors,
        )

    def activate(self, address: bytes, now_ms: int, *, is_contract: bool = False) -> None:
        """Make an account exist; one that exists stays as it is."""
        self.accounts.setdefault(address, Account(now_ms, is_contract))

    def stake(self, address: bytes, resource: int) -> Stake:
        """Return the stake of an account, empty where it has none."""
        return self.stakes.get((address, resource), Stake())

    def holding(self, address: bytes, asset_id: str) -> int:
        """Return the units of a TRC-10 asset that an account holds."""
        return self.holdings.get((address, asset_id), 0)

    def used(self, address: bytes, meter: str, now_ms: int) -> int:
        """Return what is in use on a meter: `free`, `bandwidth` or `energy`."""
        usage = self.usage.get((address, meter))
        return usage.left_at(now_ms) if usage else 0

    def use(self, address: bytes, meter: str, amount: int, now_ms: int) -> None:
        """Add to a meter."""
        total = self.used(address, meter, now_ms) + amount
        self.usage[address, meter] = Usage(total, now_ms)

    def bandwidth_limit(self, address: bytes) -> int:
        """Return the bytes a day that the account's stake earns."""
        trx = self.stake(address, BANDWIDTH).effective_trx
        return trx * TOTAL_BANDWIDTH // TOTAL_BANDWIDTH_STAKE

    def energy_limit(self, address: bytes) -> int:
        """Return the energy a day that the account's stake earns."""
        return self.stake(address, ENERGY).effective_trx * TOTAL_ENERGY // TOTAL_ENERGY_STAKE

    def energy_left(self, address: bytes, now_ms: int) -> int:
        """Return the staked energy not in use."""
        return max(0, self.energy_limit(address) - self.used(address, ENERGY_METER, now_ms))


FREE_METER, BANDWIDTH_METER, ENERGY_METER = "free", "bandwidth", "energy"
