"""What rules say and what they look at: the types of a policy. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from keystore.approvals import Approver
from keystore.intents import Order
from keystore.movement import Kind
from keystore.shapes import Class, Purpose


@dataclass(frozen=True, slots=True)
class Window:
    """A rolling limit: at most `units` within `hours`, counted from the journal."""

    hours: int
    units: int

    @property
    def length(self) -> timedelta:
        """How far back it reaches."""
        return timedelta(hours=self.hours)


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the policy. An empty set of networks, assets or sources means any.

    An empty set of destinations means any too. In class `sweep`, a rule with destinations is for
    cold transfers alone, and one without is for everything else that the house moves.
    """

    name: str
    kind: Class
    networks: frozenset[str] = frozenset()
    assets: frozenset[str] = frozenset()
    destinations: frozenset[str] = frozenset()
    units_max: int | None = None
    window: Window | None = None
    fee_max: int | None = None
    """Most that the network may take, in its own base units."""
    fee_window: Window | None = None
    """The same, for all that the rule lets go within some hours."""
    approvals: int = 0
    approvers: frozenset[str] = frozenset()
    sources: frozenset[Purpose] = frozenset()


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules in order, and the people they name."""

    rules: tuple[Rule, ...]
    approvers: Mapping[str, Approver] = field(default_factory=dict)
    fingerprint: str = ""
    """SHA-256 of the file, for the log and the journal."""


@dataclass(frozen=True, slots=True)
class Payment:
    """An intent as the rules see it. `fee` is the most that the network could take.

    `counted` is what it takes from a window: its units, or 0 where it replaces a transaction
    whose units were counted. Of the fees in one `slot` the highest counts: one of them is paid.
    """

    network: str
    asset: str
    to: str
    units: int
    fee: int
    counted: int
    kind: Kind = "payout"
    source: Purpose = "hot"
    slot: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """The order that people approved, and the approvers whose proofs hold."""

    order: Order
    approvers: frozenset[str]


class Past(Protocol):
    """What rules have let go, by name, within the time before now."""

    def units(self, rule: str, time: timedelta) -> int:
        """Return the base units that left."""
        ...

    def fees(self, rule: str, time: timedelta, slot: str = "") -> tuple[int, int]:
        """Return the most that the network could take for all slots, and for this one of them."""
        ...
