"""Whose a deposit is, and from when on small ones count.

A deposit below its currency's minimum waits without an invoice. Once everything that stands at
its address reaches the minimum it counts for the invoice; once everything that is final there
does, its money leaves suspense.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.deposits import places
from gateway.domain import posting
from gateway.domain.moment import Moment
from gateway.ledger.service import post
from gateway.models import Currency, Deposit, Invoice

WRONG_ASSET = "wrong_asset"
UNASSIGNED = "address_not_assigned"
UNVERIFIED = "address_unverified"
SMALL = "below_minimum"

Place = tuple[str, str]
"""Address and currency: small deposits add up there."""


def purpose(
    *, capital: bool, genuine: bool, assigned: bool, accepted: bool, small: bool
) -> tuple[str, str | None]:
    """Return what a new deposit is for, and the reason where it is nobody's."""
    if capital:
        return "capital", None
    if not genuine:
        return "unattributed", UNVERIFIED
    if not assigned:
        return "unattributed", UNASSIGNED
    if not accepted:
        return "unattributed", WRONG_ASSET
    return ("unattributed", SMALL) if small else ("invoice", None)


@dataclass(frozen=True, slots=True)
class Weight:
    """What stands at one place and what of it is final, in base units."""

    standing: int
    final: int
    minimum: int

    @property
    def counts(self) -> bool:
        """Tell whether small deposits there count for the invoice."""
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
    """What weighing changed: invoices whose deposits are others now; final deposits whose money waits."""

    invoices: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)


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
    owners = await places.invoices_at(session, network, {place[0] for place in by_place})
    credit = dict[str, posting.JournalEntry]()
    refs = await places.in_suspense(session, found)
    for (address, currency_id), deposits in by_place.items():
        minimum = (await session.get_one(Currency, currency_id)).minimum_deposit_units
        small = [deposit for deposit in deposits if deposit.units < minimum]
        if address in owners:
            scale, owner = weight(deposits, minimum), owners[address]
            # What was credited to a merchant stays where it is, whoever credited it.
            free = [d for d in small if d.status == "pending" or d.id in refs or d.id in fresh]
            _place(free, scale, owner, weighed)
            credit |= _credits(free, scale, owner, refs)
    await session.flush()
    for entry in credit.values():
        await post(session, entry, moment)
    return weighed


def _place(small: Sequence[Deposit], scale: Weight, invoice: Invoice, weighed: Weighed) -> None:
    """Give the small deposits of one place to its invoice, or take them away."""
    for deposit in small:
        mine = deposit.invoice_id == invoice.id
        if mine != scale.counts and (mine or deposit.reason == SMALL):
            _turn(deposit, invoice if scale.counts else None)
            weighed.invoices.add(invoice.id)
        if deposit.status == "confirmed" and not scale.pays:
            weighed.waiting.add(deposit.id)


def _credits(
    small: Sequence[Deposit], scale: Weight, invoice: Invoice, refs: Mapping[str, str]
) -> dict[str, posting.JournalEntry]:
    """Return what leaves suspense for the invoice's merchant; `refs` are the journals there."""
    if not scale.pays:
        return {}
    return {
        deposit.id: posting.assign(
            refs[deposit.id], invoice.merchant_id, deposit.currency_id, deposit.units
        )
        for deposit in small
        if deposit.id in refs
    }


def _turn(deposit: Deposit, invoice: Invoice | None) -> None:
    """Give a deposit to an invoice, or take it away."""
    deposit.purpose, deposit.reason = (
        ("invoice", None) if invoice is not None else ("unattributed", SMALL)
    )
    deposit.merchant_id = None if invoice is None else invoice.merchant_id
    deposit.invoice_id = None if invoice is None else invoice.id
    deposit.late = invoice is not None and deposit.block_time > invoice.expires_at


def ref_of(deposit: Deposit) -> str:
    """Return a deposit's identity as its journals name it."""
    return posting.deposit_ref(
        deposit.network_id, deposit.tx_hash, deposit.kind, deposit.ordinal
    )
