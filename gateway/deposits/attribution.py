"""Whose a deposit is, and from when on small ones count.

A deposit below its currency's minimum waits without an owner. Once everything that stands at
its address reaches the minimum it counts for the address's invoice or customer; once everything
that is final there does, its money leaves suspense. Until then its reason stays `below_minimum`:
by that mark the few that may still change are found among all that ever came to the address.
"""

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
OWNED = ("invoice", "customer")
"""Purposes of what counts for whom the address was given to."""


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
    session: AsyncSession, network: str, touched: Collection[Deposit], moment: Moment
) -> Weighed:
    """Bring the small deposits where these stand to where they belong now; credit what waited.

    What of these has just become final is not posted yet. Of a flood of dust the largest pieces
    add up, and so many are moved at a time.
    """
    weighed = Weighed()
    owners = await places.owners_at(session, network, {each.address for each in touched})
    wanted = {each.place for each in touched if each.address in owners}
    free = {each.id: each for each in touched if _is_free(each) and each.place in wanted}
    for deposit in await places.marked_at(session, network, wanted):
        free[deposit.id] = deposit
    if not free:
        return weighed
    refs = await places.in_suspense(session, list(free.values()))
    wanted = {each.place for each in free.values()}
    for place, (standing, final) in (await places.sums_at(session, network, wanted)).items():
        minimum = (await session.get_one(Currency, place[1])).minimum_deposit_units
        scale = Weight(standing, final, minimum)
        small = [each for each in free.values() if each.place == place]
        _place(small, scale, owners[place[0]], weighed)
        if scale.pays:
            weighed.credited += [each for each in small if each.id in refs]
    await session.flush()
    await charge(session, weighed.credited)
    leaving = [_out_of_suspense(deposit, refs[deposit.id]) for deposit in weighed.credited]
    await post_many(session, leaving, moment)
    return weighed


def _is_free(deposit: Deposit) -> bool:
    """Tell whether a small deposit stands there and is not credited yet."""
    standing = deposit.status in ("pending", "confirmed")
    return standing and deposit.reason == SMALL and deposit.purpose in places.WEIGHED


def _place(small: Sequence[Deposit], scale: Weight, owner: Owner, weighed: Weighed) -> None:
    """Give the small deposits of one place to its owner, or take them away."""
    for deposit in small:
        if owner.has(deposit) != scale.counts:
            _turn(deposit, owner if scale.counts else None)
            if owner.invoice is not None:
                weighed.invoices.add(owner.invoice.id)
        if deposit.status == "confirmed" and scale.pays:
            deposit.reason = None
        elif deposit.status == "confirmed":
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
    deposit.purpose = "unattributed"
    deposit.merchant_id = deposit.invoice_id = deposit.customer_id = None
    deposit.late = False


def ref_of(deposit: Deposit) -> str:
    """Return a deposit's identity as its journals name it."""
    d = deposit
    return posting.deposit_ref(d.network_id, d.tx_hash, d.kind, d.ordinal, d.reversals)
