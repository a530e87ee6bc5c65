"""What a lie is: what a node says instead of the truth, and what becomes of a payout meanwhile."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tests.hostile.liar import Twist
from tests.hostile.machine import Machine

Tell = Callable[[Machine, str], Twist]
"""Makes the lie for a machine and the destination that is being paid."""
End = Literal["waits", "paid", "failed"]
"""Waits with a reason until the node is honest; is paid all the same; lands without effect."""


@dataclass(frozen=True)
class Lie:
    """One lie about a payout of `kind`; `said` is part of the reason that people read."""

    name: str
    kind: str
    tell: Tell
    said: str
    end: End = "waits"

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


def answering(change: Callable[[Any, Any], Any], *methods: str) -> Tell:
    """Answer these methods with what `change(params, honest result)` returns."""

    def twist(method: str, params: Any, result: Any) -> Any:
        return change(params, result) if method in methods else result

    return lambda _machine, _destination: twist


def always(answer: Any, *methods: str) -> Tell:
    """Answer these methods with one and the same."""
    return answering(lambda _params, _result: answer, *methods)


def together(*tells: Tell) -> Tell:
    """Tell several lies at once."""

    def tell(machine: Machine, destination: str) -> Twist:
        twists = [each(machine, destination) for each in tells]

        def twist(method: str, params: Any, result: Any) -> Any:
            for each in twists:
                result = each(method, params, result)
            return result

        return twist

    return tell


@dataclass
class Counted:
    """A twist that counts the answers which were not the truth."""

    twist: Twist
    told: int = 0

    def __call__(self, method: str, params: Any, result: Any) -> Any:
        """Answer."""
        answer = self.twist(method, params, copy.deepcopy(result))
        self.told += answer != result
        return answer


def chosen(lies: Sequence[Lie], *, long: bool) -> list[tuple[Lie, ...]]:
    """Return which are told together: each alone in a campaign, else those that hinder nothing."""
    if long:
        return [(each,) for each in lies]
    harmless: dict[str, list[Lie]] = {}
    for each in lies:
        if each.end == "paid":
            harmless.setdefault(each.kind, []).append(each)
    return [(each,) for each in lies if each.end != "paid"] + [*map(tuple, harmless.values())]
