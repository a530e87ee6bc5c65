"""Pure: what is swept now, and why the rest waits.

A sweep moves what is ours already, so it is never urgent: it waits until it is worth its cost,
or has waited long, and never touches what is held, in use, or not final. Amounts are base units;
costs and values are in the network's own coin.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

SLACK = 2


@dataclass(frozen=True, slots=True)
class Candidate:
    """Final money at one pool address in one asset.

    `value` is what it is worth in native base units, None where no price is known; `cost` is what
    moving it takes. `unsettled` says that something at this address is not final yet.
    """

    currency_id: str
    address: str
    index: int
    units: int
    since: datetime
    native: bool
    value: int | None
    cost: int
    unsettled: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """When one asset is worth sweeping."""

    minimum_units: int
    ratio: int
    age: timedelta
    cost_max: int
    """The most that a sweep may cost which has only waited long."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is true of the network now. `held` names assets, `frozen` (asset, address) pairs.

    `dear` says that the chain asks more than the operator's price: only what is old goes then.
    `keeping` names assets of which every transfer loses a part.
    """

    now: datetime
    live: Collection[str]
    held: Collection[str]
    frozen: Collection[tuple[str, str]]
    at_once: int
    dear: bool = False
    keeping: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """One candidate, whether it is swept now, and why.

    `cost_limit` is what a transaction of it may take when it is prepared; None: the fee ceiling.
    """

    candidate: Candidate
    sweep: bool
    reason: str
    cost_limit: int | None = None


def plan(
    candidates: Sequence[Candidate], terms: Mapping[str, Terms], standing: Standing
) -> list[Decision]:
    """Decide about every candidate; `terms` go by currency id.

    The oldest come first, tokens before the coin of the same address: it may pay their gas.
    """
    taken, places = set(standing.live), standing.at_once - len(standing.live)
    decisions = []
    for each in sorted(candidates, key=_order):
        worth, reason = judged(each, terms[each.currency_id], standing)
        if worth and each.address in taken:
            worth, reason = False, "another sweep of this address is under way"
        elif worth and places <= 0:
            worth, reason = False, f"{standing.at_once} sweeps are under way"
        if worth:
            taken.add(each.address)
            places -= 1
        limit = cost_limit(each, terms[each.currency_id], standing.now) if worth else None
        decisions.append(Decision(each, worth, reason, limit))
    return decisions


def judged(candidate: Candidate, terms: Terms, standing: Standing) -> tuple[bool, str]:
    """Return whether a candidate alone may and should be swept, and why."""
    obstacle = _withheld(candidate, standing) or _obstacle(candidate)
    if obstacle is not None:
        return False, obstacle
    if standing.now - candidate.since >= terms.age:
        return _aged(candidate, terms)
    if standing.dear:
        return False, "the network is dear now"
    return _worth(candidate, terms)


def cost_limit(candidate: Candidate, terms: Terms, now: datetime) -> int | None:
    """Return what moving it may take after all: the price may have risen since it was chosen.

    As much as it would still be chosen at. What is prepared counts with margins, so twice the
    cost it was chosen at is always allowed. None where it was not chosen by its cost.
    """
    value, most = candidate.value, SLACK * candidate.cost
    if now - candidate.since >= terms.age:
        worth = terms.cost_max if value is None else min(terms.cost_max, value - 1)
        return max(worth, most)
    if candidate.cost == 0 or value is None or terms.ratio == 0:
        return None
    return max(value // terms.ratio, most)


def native_value(
    units: int, decimals: int, price: Fraction, native: tuple[int, Fraction]
) -> int:
    """Return what a token amount is worth in native base units, rounded down.

    `price` is per whole token, `native` the coin's decimals and price in the same money.
    """
    native_decimals, native_price = native
    whole = Fraction(units, 10**decimals) * price / native_price
    return int(whole * 10**native_decimals)


def surplus(held: int, ceiling: int, target: int) -> int:
    """Return what the hot wallet sends to cold storage: nothing up to the ceiling."""
    return held - target if held > ceiling else 0


def shortage(held: int, low: int, high: int) -> int:
    """Return what the gas wallet is refilled by: nothing from the low mark on."""
    return high - held if held < low else 0


def _withheld(candidate: Candidate, standing: Standing) -> str | None:
    if candidate.currency_id in standing.keeping:
        return "the token keeps a part of every transfer"
    if candidate.currency_id in standing.held:
        return "the asset is held"
    if (candidate.currency_id, candidate.address) in standing.frozen:
        return "the address is frozen"
    return None


def _obstacle(candidate: Candidate) -> str | None:
    if candidate.unsettled:
        return "something at this address is not final yet"
    if candidate.units <= 0:
        return "nothing is left"
    if candidate.native and candidate.units <= candidate.cost:
        return f"{candidate.units} is not more than the {candidate.cost} that moving it costs"
    return None


def _aged(candidate: Candidate, terms: Terms) -> tuple[bool, str]:
    cost = candidate.cost
    if cost > terms.cost_max:
        return False, f"old, but {cost} is above the {terms.cost_max} that a sweep may cost"
    if candidate.value is not None and candidate.value <= cost:
        return False, f"old, but not worth more than the {cost} that moving it costs"
    return True, "waited long enough"


def _worth(candidate: Candidate, terms: Terms) -> tuple[bool, str]:
    cost = candidate.cost
    if candidate.units < terms.minimum_units:
        return False, f"less than {terms.minimum_units}, waits until it is old"
    if cost == 0:
        return True, "costs nothing"
    if candidate.value is None:
        if terms.minimum_units:
            return True, f"at least {terms.minimum_units}"
        return False, "no price is known, waits until it is old"
    if candidate.value >= terms.ratio * cost:
        return True, f"worth {candidate.value // cost} times its cost"
    return False, f"worth {candidate.value // cost} times its cost of {cost}, not {terms.ratio}"


def _order(candidate: Candidate) -> tuple[datetime, bool, str, str]:
    return candidate.since, candidate.native, candidate.address, candidate.currency_id
