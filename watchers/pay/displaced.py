"""An order whose place on the chain another transaction took: it can never land.

The wallet's key was used elsewhere. A person names the transaction that stands there instead, and
our own final block has to hold it: then the order has failed, and its hold is given back; where
that very transaction paid it, it is paid. No count, no missing transaction and no clock ends it.
The keystore's history has to be read before: what it signed for the order is no stranger's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit import service as audit
from gateway.db import CROSS_TENANT, Database
from gateway.domain.actor import Actor
from gateway.domain.moment import Moment
from gateway.models import Attempt, Cursor, Withdrawal
from watchers import store
from watchers.network import Block, ChainReader, Place, Placed
from watchers.pay import inclusion, settler, transactions
from watchers.pay.judged import NotSettled, ask, booking
from watchers.pay.keepers import End, keeper_of

DISPLACED = "another transaction took its place on the chain: {tx_hash}"


@dataclass(frozen=True, slots=True)
class Displacement:
    """Which transaction stands in the place of which order, by the nodes; who says so and why.

    `paid`: it paid what the order asked for.
    """

    network: str
    order_id: str
    tx_hash: str
    placed: Placed
    paid: bool
    person: str
    reason: str


def agreed(said: Mapping[str, Placed | Exception | None], needed: int) -> Placed:
    """Return what all nodes that know a transaction tell of it, `needed` of them at least."""
    known = {label: each for label, each in said.items() if isinstance(each, Placed)}
    if len(known) < needed:
        troubles = [
            f"{label}: {each}" for label, each in said.items() if isinstance(each, Exception)
        ]
        shown = f"{len(known)} of {needed} nodes show that transaction in a block"
        raise NotSettled("; ".join([shown, *troubles]))
    if len(set(known.values())) > 1:
        raise NotSettled(f"the nodes do not agree about it: {', '.join(sorted(known))}")
    first = next(iter(known.values()))
    return replace(first, gone_at=max(each.gone_at for each in known.values()))


async def place_of(database: Database, network: str, order_id: str) -> Place:
    """Return the place that an order waits for; raise `NotSettled` where it waits for none."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        return _place(await _waiting(session, network, order_id))


async def reached(database: Database, network: str, height: int) -> bool:
    """Tell whether our own scan is final up to a height."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        return (await session.get_one(Cursor, network)).final_height >= height


async def settle(
    database: Database, readers: Iterable[ChainReader], told: Displacement, moment: Moment
) -> None:
    """End the order, once; raise what `booking` does, `NotSettled` where its place is not proved taken."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        seen = await _displaced(session, told)
    height = told.placed.height
    await ask(readers, told.order_id, height, lambda block: contradiction(told, seen, block))
    async with booking(database, told.order_id) as session:
        await _carry_out(session, told, moment)


async def _carry_out(session: AsyncSession, told: Displacement, moment: Moment) -> None:
    # Every transaction of the watcher shares this row: none of them runs beside this one.
    cursor = select(Cursor).where(Cursor.network_id == told.network).with_for_update()
    await session.scalars(cursor.execution_options(populate_existing=True))
    first = await _displaced(session, told)
    await settler.replace(session, told.order_id, moment)
    reason = None if told.paid else DISPLACED.format(tx_hash=told.tx_hash)
    end = End("succeeded" if told.paid else "failed", reason=reason)
    withdrawal = None
    if first.withdrawal_id is not None:
        withdrawal = await session.get_one(Withdrawal, first.withdrawal_id)
    if withdrawal is not None and told.paid:
        withdrawal.tx_hash = told.tx_hash  # its event tells what paid it
    await (await keeper_of(session, first)).ended(session, first, end, moment)
    await _record(session, told, first, withdrawal, moment)
    await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))


def contradiction(told: Displacement, first: Attempt, block: Block) -> str | None:
    """Say what in a node's block speaks against what a person says; None: nothing."""
    outcome = block.outcomes.get(told.tx_hash)
    if block.ref.hash != told.placed.block_hash or outcome is None:
        return f"block {told.placed.height} does not hold {told.tx_hash}"
    if outcome.payer not in {"", told.placed.sender}:
        return f"{told.tx_hash} is of {outcome.payer}"
    pays = first.purpose == "payout" and inclusion.paid(block, first, told.tx_hash)
    if pays == told.paid:
        return None
    shown = "shows the very" if pays else "does not show the"
    return f"{told.tx_hash} {shown} transfer that was asked for"


async def _waiting(session: AsyncSession, network: str, order_id: str) -> Attempt:
    """Return the first transaction of an order that waits for a place of its own."""
    order = await transactions.of_order(session, order_id)
    if not order or order[0].network_id != network:
        raise NotSettled(f"{order_id}: there is no such order on {network}")
    first = order[0]
    if (first.nonce, first.nonce_value) == (None, None) or first.state != "signed":
        raise NotSettled(f"{order_id}: it does not wait for a nonce of its own")
    # What was reopened may have a cancel beside it that is `replaced`, and only looked for.
    if any(each.state not in {"signed", "prepared", "replaced"} for each in order):
        raise NotSettled(f"{order_id}: one of its transactions stands in a block")
    return first


def _place(first: Attempt) -> Place:
    return Place(first.sender, first.nonce, first.nonce_account, first.nonce_value)


async def _displaced(session: AsyncSession, told: Displacement) -> Attempt:
    """Return the order's first transaction; locked where the cursor is."""
    first = await _waiting(session, told.network, told.order_id)
    own = select(Attempt.order_id).filter_by(network_id=told.network, tx_hash=told.tx_hash)
    if (owner := await session.scalar(own.limit(1))) is not None:
        raise NotSettled(f"{told.order_id}: that transaction is our own, of {owner}")
    waits, taken = _place(first), told.placed.place
    if taken != waits:
        raise NotSettled(
            f"{told.order_id}: takes nonce {_named(waits)}, that transaction nonce {_named(taken)}"
        )
    await _require_final(session, told)
    return first


def _named(place: Place) -> str:
    if place.nonce_account is None:
        return f"{place.nonce} of {place.sender}"
    return f"{place.nonce_value} of {place.nonce_account}"


async def _require_final(session: AsyncSession, told: Displacement) -> None:
    """Refuse a block that is not ours, or not final."""
    cursor = await session.get_one(Cursor, told.network)
    needed = max(told.placed.height, told.placed.gone_at)
    if cursor.halted is not None or needed > cursor.final_height:
        raise NotSettled(f"{told.order_id}: block {needed} is not final yet")
    ours = await store.block_at_or_below(session, told.network, told.placed.height)
    if ours is None or (ours.height, ours.hash) != (
        told.placed.height,
        told.placed.block_hash,
    ):
        raise NotSettled(f"{told.order_id}: block {told.placed.height} is not one of ours")


async def _record(
    session: AsyncSession,
    told: Displacement,
    first: Attempt,
    withdrawal: Withdrawal | None,
    moment: Moment,
) -> None:
    """Write it into the audit log."""
    await audit.record(
        session,
        Actor(f"operator:{told.person}", None, frozenset(), livemode=False),
        moment,
        action="order.displaced",
        subject=told.order_id,
        merchant_id=None if withdrawal is None else withdrawal.merchant_id,
        before={"tx_hash": first.tx_hash, "nonce": _named(_place(first))},
        after={"taken_by": told.tx_hash, "paid": told.paid, "reason": told.reason},
    )
