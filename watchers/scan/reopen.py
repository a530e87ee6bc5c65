"""The way out where a chain was rewritten below what was final: go back to where it left ours.

The nodes are asked first, and one transaction does the rest. No row of evidence is deleted: blocks and
sightings become orphaned. A final deposit that the new chain shows in a final block keeps its credit,
any other is taken back and comes back when the scan finds it. What we paid in those blocks is
judged again from its own signed bytes.
"""

from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit import service as audit
from gateway.db import CROSS_TENANT, Database
from gateway.deposits import leaving, writing
from gateway.deposits.forgetting import forget
from gateway.deposits.service import Desk
from gateway.domain.actor import Actor
from gateway.domain.moment import Moment
from gateway.invoices.standing import Confirmations
from gateway.models import Block, Cursor, Deposit, Stray
from watchers import store
from watchers.pay import again, inclusion
from watchers.pay.again import Ended
from watchers.scan import blocks, strays
from watchers.scan.doubted import Doubted, confirmed_above, doubted
from watchers.scan.forks import CannotReopen, Fork, fork_of
from watchers.scan.track import Track
from watchers.store import Position


@dataclass(frozen=True, slots=True)
class Plan:
    """What reopening would do. It is carried out only while the cursor is at `position`."""

    position: Position
    fork: Fork
    blocks: int
    kept: tuple[Doubted, ...]
    gone: tuple[Doubted, ...]
    orders: tuple[Ended, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants it, and why."""

    person: str
    reason: str
    public_url: str

    @property
    def actor(self) -> Actor:
        """Return who stands in the audit log."""
        return Actor(f"operator:{self.person}", None, frozenset(), livemode=False)


async def planned(track: Track) -> Plan:
    """Ask the nodes; raise `CannotReopen` where the network is not halted, or they do not agree."""
    position = track.position
    if position.halted is None:
        raise CannotReopen(f"{track.network}: it is not halted, nothing has to be forgotten")
    fork = await fork_of(track)
    async with track.database.unit_of_work(CROSS_TENANT) as session:
        forgotten = select(func.count()).where(
            Block.network_id == track.network,
            Block.height >= fork.first,
            Block.orphaned.is_(False),
        )
        count = await session.scalar(forgotten) or 0
        deposits = await confirmed_above(session, track.network, fork.base.height)
        orders = await again.ended_above(session, track.network, fork.base.height)
    found = await doubted(track, fork, deposits)
    kept = tuple(each for each in found if each.stands is not None)
    gone = tuple(each for each in found if each.stands is None)
    return Plan(position, fork, count, kept, gone, tuple(orders))


async def carry_out(database: Database, plan: Plan, order: Order, moment: Moment) -> None:
    """Do it in one transaction; raise `CannotReopen` where anything moved since it was planned.

    The lease's epoch is over with it: the watcher that runs ends, and begins again.
    """
    network, base = plan.position.network, plan.fork.base
    heads = Confirmations({network: base.height})
    async with database.unit_of_work(CROSS_TENANT) as session:
        await _go_back(session, plan, moment)
        found = await confirmed_above(session, network, base.height)
        if {each.id for each in found} != {each.claim.id for each in (*plan.kept, *plan.gone)}:
            raise CannotReopen(f"{network}: its deposits changed meanwhile, look again")
        desk = Desk(session, moment, order.public_url)
        await blocks.orphan_blocks(session, network, base.height)
        await leaving.orphan(desk, network, base.height, heads)
        await strays.orphan(session, network, base.height)
        await _orphan_final_strays(session, network, base.height)
        await inclusion.orphan(session, network, base.height, moment)
        await again.reopen(session, network, base.height, order.person, moment)
        await writing.orphan_sightings(session, [each.id for each in found])
        await _keep(session, plan)
        for each in plan.gone:
            await _forget(desk, each, order)
        await _record(session, plan, order, moment)


async def _go_back(session: AsyncSession, plan: Plan, moment: Moment) -> None:
    """Lock the cursor, prove that it stands where it stood, and put it below the fork."""
    query = select(Cursor).where(Cursor.network_id == plan.position.network)
    locked = query.with_for_update().execution_options(populate_existing=True)
    cursor = (await session.scalars(locked)).one()
    if await store.position_of(session, cursor.network_id) != plan.position:
        raise CannotReopen(f"{cursor.network_id}: the watcher moved meanwhile, look again")
    base = plan.fork.base
    cursor.height, cursor.hash, cursor.final_height = base.height, base.hash, base.height
    cursor.halted, cursor.updated_at = None, moment.at
    cursor.epoch, cursor.holder, cursor.leased_until = cursor.epoch + 1, None, None
    await session.flush()


async def _orphan_final_strays(session: AsyncSession, network: str, above: int) -> None:
    """Take final strays away too: they are in no ledger, and a new sighting brings them back."""
    await session.execute(
        update(Stray)
        .where(
            Stray.network_id == network,
            Stray.status == "confirmed",
            Stray.block_height > above,
        )
        .values(status="reorged", confirmed_at=None)
    )


async def _keep(session: AsyncSession, plan: Plan) -> None:
    """Let what the new chain shows too stand where it shows it; no money moves."""
    for each in plan.kept:
        if each.stands is not None:
            await session.execute(
                update(Deposit)
                .where(Deposit.id == each.claim.id)
                .values(
                    block_height=each.stands.height,
                    block_hash=each.stands.hash,
                    block_time=each.stands.time,
                )
            )


async def _forget(desk: Desk, doubted_one: Doubted, order: Order) -> None:
    """Take one deposit back, on record."""
    session = desk.session
    row = await session.get_one(Deposit, doubted_one.claim.id, with_for_update=True)
    await forget(desk, row)
    await audit.record(
        session,
        order.actor,
        desk.moment,
        action="deposit.reversed",
        subject=row.id,
        merchant_id=row.merchant_id,
        before={"status": "confirmed", "block": doubted_one.claim.block_hash},
        after={"status": row.status, "reason": order.reason},
    )


async def _record(session: AsyncSession, plan: Plan, order: Order, moment: Moment) -> None:
    old, base = plan.position, plan.fork.base
    await audit.record(
        session,
        order.actor,
        moment,
        action="network.reopened",
        subject=old.network,
        before={
            "height": old.height,
            "hash": old.hash,
            "final_height": old.final_height,
            "halted": old.halted,
        },
        after={
            "height": base.height,
            "hash": base.hash,
            "blocks": plan.blocks,
            "kept": len(plan.kept),
            "reversed": len(plan.gone),
            "orders": len(plan.orders),
            "reason": order.reason,
        },
    )
