"""The socket a family plugs into to have its pool addresses emptied.

A sweep takes up to four steps, each one transaction of ours: gas sent ahead (`funding`), energy
lent (`lending`), the money itself (`moving`), energy taken back (`returning`). A family says
which of them a job needs; the engine commits each intent and waits for its finality.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from watchers.network import Refused, Slot

Step = Literal["funding", "lending", "moving", "returning"]
STEPS: tuple[Step, ...] = ("funding", "lending", "moving", "returning")


class Underfunded(Exception):
    """What was sent ahead no longer covers the transfer: it has to be funded once more."""


class Held(Refused):
    """Something of ours keeps it where it is, for as long as it takes: a hold, a pause."""


@dataclass(frozen=True, slots=True)
class Source:
    """One pool address and the base units of the asset that it holds."""

    index: int
    address: str
    units: int


@dataclass(frozen=True, slots=True)
class Job:
    """What one sweep is about. `sources` are several only where a family takes a batch.

    `asset` is `NATIVE` or the contract or mint as configured. `cost_max` is the most that one
    of its transactions may take, in native base units. With `beside` its one source keeps what
    lies in another account of its than the one that sweeps reach, and has it there afterwards.
    """

    asset: str
    decimals: int
    hot: str
    gas: str
    cost_max: int
    sources: tuple[Source, ...]
    beside: bool = False

    @property
    def source(self) -> Source:
        """Return the only source, where a family takes no batch."""
        return self.sources[0]


class Hands(Protocol):
    """What sweeping needs to know of one network. `steps` are those that its sweeps may take."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """Return the steps that may be needed, in their order."""
        ...

    def batch(self, asset: str) -> int:
        """Return how many addresses one transaction empties at most."""
        ...

    def sender(self, step: Step, job: Job) -> str:
        """Return who pays the network for a step: its slot is that address's."""
        ...

    def purpose(self, step: Step) -> str:
        """Return the `attempt.purpose` of a step."""
        ...

    async def gas_price(self) -> int:
        """Return what the network asks per unit of gas now; 0 where it has no such price."""
        ...

    async def cost(self, asset: str, address: str, gas: str) -> int:
        """Return what a sweep of this asset from this address takes, in native base units.

        `gas` is the gas wallet, which may have something to lend.
        """
        ...

    async def prepare(
        self, step: Step, job: Job, order_id: str, slot: Slot
    ) -> Mapping[str, Any] | None:
        """Return the intent of a step for `keystore.api`; None where the job does not need it.

        Raises `Refused` saying what stands in the way, `Underfunded` where `funding` must come
        again before `moving`.
        """
        ...


@runtime_checkable
class Lender(Protocol):
    """Hands of a network where staked coins yield what transfers cost (Tron). Units are coins."""

    async def stake(self, units: int, order_id: str) -> Mapping[str, Any]:
        """Return the intent that stakes coins of the gas wallet."""
        ...

    async def borrowers(self, gas: str) -> list[str]:
        """Return the addresses that the gas wallet lends to."""
        ...


def require_held(job: Job, held: int) -> None:
    """Refuse where the chain shows another balance than our final rows do."""
    if held != job.source.units:
        raise Refused(
            f"{job.source.address} holds {held} of {job.asset}, final are {job.source.units}"
        )


def stays(intent: Mapping[str, Any]) -> bool:
    """Tell whether an intent moves tokens within their own address, to where a sweep reaches them."""
    return any(each.get("account") for each in intent.get("sources", []))


def units_of(intent: Mapping[str, Any]) -> Sequence[int]:
    """Return the base units that an intent moves, one number for each of its sources."""
    if "sources" in intent:
        return [int(each["units"]) for each in intent["sources"]]
    return [int(intent["units"])]
