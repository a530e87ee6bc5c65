"""What may go wrong with one call, and how a seed decides it. Pure."""

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Fault(StrEnum):
    """One way of a node to fail, or to lie."""

    DELAY = "delay"
    RESET = "reset"
    HALF_BODY = "half body"
    WRONG_JSON = "wrong JSON"
    HTML = "HTML with 200"
    THROTTLED = "429"
    THROTTLED_FOR = "429 with Retry-After"
    STALE = "stale head"
    FORKED = "forked head"
    EMPTY = "empty for full"
    SWAPPED = "swapped answers"
    PARTIAL_BATCH = "partial batch"
    LIE = "lie"
    EDITED = "edited"


TRANSPORT = frozenset(
    {
        Fault.DELAY,
        Fault.RESET,
        Fault.HALF_BODY,
        Fault.WRONG_JSON,
        Fault.HTML,
        Fault.THROTTLED,
        Fault.THROTTLED_FOR,
    }
)
"""Faults that no reader can take for an answer."""
HONEST = TRANSPORT | {Fault.STALE, Fault.EMPTY, Fault.SWAPPED, Fault.PARTIAL_BATCH}
"""Faults of a node that means no harm: what it says may be old or misplaced, never invented."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as the proxy saw it, counted from 0.

    `method` is the JSON-RPC method, `batch` for several, or the last part of a Tron path;
    `params` are its parameters or the Tron question.
    """

    number: int
    path: str
    method: str
    params: Any
    request: Any

    @property
    def question(self) -> str:
        """Tell the same question by the same text."""
        return f"{self.path} {self.method} {self.params!r}"


Plan = Callable[[Call], Fault | None]
"""Decides what happens to a call; None is nothing."""


def seeded(seed: int, rate: float, faults: Collection[Fault]) -> Plan:
    """Return a plan that bends about `rate` of all calls, the same ones for the same seed."""
    chosen = sorted(faults)

    def plan(call: Call) -> Fault | None:
        dice = random.Random(f"{seed}/{call.number}")
        return dice.choice(chosen) if chosen and dice.random() < rate else None

    return plan


def scripted(*steps: tuple[str, Fault | None]) -> Plan:
    """Return a plan that bends, in this order, the next call of each method named.

    None lets a call of that method pass. Calls of other methods pass.
    """
    waiting: list[tuple[str, Fault | None]] = list(steps)

    def plan(call: Call) -> Fault | None:
        for place, (method, fault) in enumerate(waiting):
            if method == call.method:
                del waiting[place]
                return fault
        return None

    return plan


def always(fault: Fault, *methods: str) -> Plan:
    """Return a plan that bends every call of these methods, or of all where none is named."""

    def plan(call: Call) -> Fault | None:
        return fault if not methods or call.method in methods else None

    return plan


def first_of(*plans: Plan) -> Plan:
    """Return a plan that does what the first of these does that does anything."""

    def plan(call: Call) -> Fault | None:
        return next((fault for each in plans if (fault := each(call)) is not None), None)

    return plan


def only(plan: Plan, *methods: str) -> Plan:
    """Return a plan that lets calls of other methods pass."""

    def narrowed(call: Call) -> Fault | None:
        return plan(call) if call.method in methods else None

    return narrowed


def none_at_all(_call: Call) -> Fault | None:
    """Let every call pass."""
    return None


def described(number: int, path: str, request: Any) -> Call:
    """Describe a parsed request body."""
    if isinstance(request, list):
        methods: Sequence[Any] = [each.get("method") for each in request]
        return Call(number, path, "batch", methods, request)
    if isinstance(request, dict) and "method" in request:
        return Call(number, path, request["method"], request.get("params"), request)
    return Call(number, path, path.rsplit("/", 1)[-1], request, request)
