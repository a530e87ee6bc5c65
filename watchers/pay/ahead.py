"""A chain that counts more transactions of a wallet than our own book: taken over by an operator.

The wallet's key was used elsewhere. Nothing leaves it until a person has looked and says so: what
comes next would otherwise be built on a place that is not free.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit import service as audit
from gateway.domain.actor import Actor
from gateway.domain.moment import Moment
from gateway.models import ApplicationWallet, Attempt, Cursor
from watchers.pay import slots, transactions

PURPOSES = ("hot", "gas")


class NotAdopted(Exception):
    """Why the chain's count is not taken over, in one line."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """A wallet whose book now follows the chain; `dead` are our orders that lost their places."""

    address: str
    before: int
    after: int
    dead: tuple[str, ...]


def agreed(address: str, said: Mapping[str, int | Exception], needed: int) -> int:
    """Return the count that all answering nodes tell, `needed` of them at least."""
    counts = {label: each for label, each in said.items() if isinstance(each, int)}
    if len(counts) < needed:
        raise NotAdopted(f"{address}: {len(counts)} of {needed} nodes say how much they count")
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{label} {count}" for label, count in sorted(counts.items()))
        raise NotAdopted(f"{address}: the nodes do not agree: {told}")
    return next(iter(counts.values()))


async def wallets(session: AsyncSession, network: str) -> list[str]:
    """Return the addresses whose transactions we number."""
    query = select(ApplicationWallet.address).where(
        ApplicationWallet.network_id == network, ApplicationWallet.purpose.in_(PURPOSES)
    )
    return list(await session.scalars(query.order_by(ApplicationWallet.id)))


async def adopt(
    session: AsyncSession,
    network: str,
    counts: Mapping[str, int],
    moment: Moment,
    *,
    person: str,
    reason: str,
) -> list[Adopted]:
    """Let the books of these wallets follow what stands in final blocks, on record.

    Raises `NotAdopted` where no book is behind, or a transaction waits for its signature.
    """
    # Every transaction of the watcher shares this row: none of them runs beside this one.
    cursor = select(Cursor).where(Cursor.network_id == network).with_for_update()
    await session.scalars(cursor.execution_options(populate_existing=True))
    adopted = [
        await _follow(session, network, address, counted)
        for address, counted in counts.items()
        if counted > await slots.booked(session, network, address)
    ]
    if not adopted:
        raise NotAdopted(f"{network}: no wallet's book is behind what final blocks show")
    for each in adopted:
        await audit.record(
            session,
            Actor(f"operator:{person}", None, frozenset(), livemode=False),
            moment,
            action="nonce.adopted",
            subject=f"{network}:{each.address}",
            before={"next_nonce": each.before},
            after={"next_nonce": each.after, "reason": reason, "dead": list(each.dead)},
        )
    return adopted


async def _follow(session: AsyncSession, network: str, address: str, counted: int) -> Adopted:
    if await slots.unsigned(session, network, address):
        raise NotAdopted(f"{address}: a transaction waits for its signature")
    before = await slots.booked(session, network, address)
    lost = select(Attempt.order_id).where(
        Attempt.network_id == network,
        Attempt.sender == address,
        Attempt.state.in_(transactions.LIVE),
        Attempt.block_height.is_(None),
        Attempt.nonce < counted,
    )
    dead = sorted(set(await session.scalars(lost)))
    wallet = select(ApplicationWallet).where(
        ApplicationWallet.network_id == network, ApplicationWallet.address == address
    )
    row = (await session.scalars(wallet.with_for_update())).one()
    row.next_nonce = counted
    return Adopted(address, before, counted, tuple(dead))
