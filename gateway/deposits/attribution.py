"""Whose a deposit is, and from when on small ones count.

A deposit below its currency's minimum waits without an owner. Once everything that stands at
its address reaches the minimum it counts for the address's invoice or customer; once everything
that is final there does, its money leaves suspense.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.deposits import places
from gateway.deposits.fees import charge
from gateway.deposits.owners import Owner
from gateway.domain import posting
from gateway.domain.moment import Moment
from gateway.ledger.service import post_many
from gateway.models import Currency, Deposit

WRONG_ASSET = "wrong_asset"
UNASSIGNED = "address_not_assigned"
UNVERIFIED = "address_unverified"
SMALL = "below_minimum"

Place = tuple[str, str]
"""Address and currency: small deposits add up there."""


def purpose(
    *,
    capital: bool,
    genuine: bool,
    assigned: bool,
    accepted: bool,
    small: bool,
    theirs: str = "invoice",
) -> tuple[str, str | None]:
    """Return what a new deposit is for, and the reason where it is nobody's.

    `theirs` is what it is for where it counts for whom the address was given to.
    """
    if capital:
        return "capital", None
    if not genuine:
        return "unattributed", UNVERIFIED
    if not assigned:
        return "unattributed", UNASSIGNED
    if not accepted:
        return "unattributed", WRONG_ASSET
    return ("unattributed", SMALL) if small else (theirs, None)


@dataclass(frozen=True, slots=True)
class Weight:
    """What stands at one place and what of it is final, in base units."""

    standing: int
    final: int
    minimum: int

    @property
    def counts(self) -> bool:
        """Tell whether small deposits there count for the owner."""
        return self.standing >= self.minimum

    @property
    def pays(self) -> bool:
        """Tell whether they may be credited."""
        return self.final >= self.minimum


def weight(deposits: Sequence[Deposit], minimum: int) -> Weight:
    """Add up the deposits of one place."""
    final = sum(deposit.units for deposit in deposits if deposit.status == "confirmed")
    return Weight(sum(deposit.units for deposit in deposits), final, minimum)


@dataclass(slots=True)
class Weighed:
    """What weighing changed.

    `invoices` have other deposits now; `waiting` are final deposits whose money waits; `credited`
    are deposits that were taken out of suspense.
    """

    invoices: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    credited: list[Deposit] = field(default_factory=list)


async def weigh(
    session: AsyncSession,
    network: str,
    wanted: Collection[Place],
    moment: Moment,
    *,
    fresh: Collection[str] = (),
) -> Weighed:
    """Bring the small deposits of these places to where they belong now; credit what waited.

    `fresh` are deposits that have just become final and are not posted yet.
    """
    weighed = Weighed()
    if not wanted:
        return weighed
    found = await places.standing_at(session, network, wanted)
    by_place: defaultdict[Place, list[Deposit]] = defaultdict(list)
    for deposit in found:
        by_place[deposit.address, deposit.currency_id].append(deposit)
    owners = await places.owners_at(session, network, {place[0] for place in by_place})
    refs = await places.in_suspense(session, found)
    for (address, currency_id), deposits in by_place.items():
        minimum = (await session.get_one(Currency, currency_id)).minimum_deposit_units
        small = [deposit for deposit in deposits if deposit.units < minimum]
        if address in owners:
            scale, owner = weight(deposits, minimum), owners[address]
            # What was credited to a merchant stays where it is, whoever credited it.
            free = [d for d in small if d.status == "pending" or d.id in refs or d.id in fresh]
            _place(free, scale, owner, weighed)
            if scale.pays:
                weighed.credited += [deposit for deposit in free if deposit.id in refs]
    await session.flush()
    await charge(session, weighed.credited)
    leaving = [_out_of_suspense(deposit, refs[deposit.id]) for deposit in weighed.credited]
    await post_many(session, leaving, moment)
    return weighed


def _place(small: Sequence[Deposit], scale: Weight, owner: Owner, weighed: Weighed) -> None:
    """Give the small deposits of one place to its owner, or take them away."""
    for deposit in small:
        mine = owner.has(deposit)
        if mine != scale.counts and (mine or deposit.reason == SMALL):
            _turn(deposit, owner if scale.counts else None)
            if owner.invoice is not None:
                weighed.invoices.add(owner.invoice.id)
        if deposit.status == "confirmed" and not scale.pays:
            weighed.waiting.add(deposit.id)


def _out_of_suspense(deposit: Deposit, ref: str) -> posting.JournalEntry:
    """Return the journal that gives a deposit to its owner; `ref` is the one that parked it."""
    if deposit.merchant_id is None:
        raise ValueError(f"deposit {deposit.id} leaves suspense for nobody")
    return posting.assign(
        ref,
        deposit.merchant_id,
        deposit.currency_id,
        deposit.units,
        customer_id=deposit.customer_id,
        fee_units=deposit.fee_units,
    )


def _turn(deposit: Deposit, owner: Owner | None) -> None:
    """Give a deposit to an owner, or take it away."""
    if owner is not None:
        owner.take(deposit)
        return
    deposit.purpose, deposit.reason = "unattributed", SMALL
    deposit.merchant_id = deposit.invoice_id = deposit.customer_id = None
    deposit.late = False


def ref_of(deposit: Deposit) -> str:
    """Return a deposit's identity as its journals name it."""
    return posting.deposit_ref(
        deposit.network_id, deposit.tx_hash, deposit.kind, deposit.ordinal
    )
