"""A person's word that an order on a nonce lane did not land before this database knew of it.

An older copy has forgotten the order, and our blocks do not go back to when it was made, or have a
gap there: nothing of ours tells whether the scan passed it. Nodes may not contradict. Nothing is
given back by this word alone: it lets the order be taken back on the value that its lane holds
now, and only when that advance is final the order can never land, and is over.
"""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit import service as audit
from gateway.db import CROSS_TENANT, Database
from gateway.domain.actor import Actor
from gateway.domain.moment import Moment
from gateway.models import Attempt, Cursor, Withdrawal
from watchers.network import ChainReader
from watchers.pay import cancels, transactions
from watchers.pay.judged import Judgement, Locate, NotSettled, require_unknown
from watchers.pay.keepers import CANCEL
from watchers.pay.own_bytes import Edited
from watchers.pay.present import passed

LET_GO = "is taken back: it is over when a transaction that moves nothing is final"


async def waits(database: Database, network: str, order_id: str) -> bool:
    """Tell whether an order on a lane waits, of which the scan may have passed something."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        return _waits(await transactions.of_order(session, order_id), network)


async def believe(
    database: Database,
    readers: Iterable[ChainReader],
    judgement: Judgement,
    moment: Moment,
    locate: Locate,
    *,
    edited: Edited,
) -> None:
    """Let the order be taken back; raise `NotSettled` where it must not be on a person's word."""
    id_, nodes = judgement.order_id, list(readers)
    async with database.unit_of_work(CROSS_TENANT) as session:
        seen = await transactions.of_order(session, id_)
        asked_for = await cancels.wanted(session, judgement.network)
    if id_ not in asked_for and seen[-1].purpose != CANCEL:
        raise NotSettled(
            f"{id_}: first watchers cancel: our own blocks may tell what became of it"
        )
    for attempt in seen:
        if (fault := edited(attempt)) is not None:
            raise NotSettled(f"{id_}: {fault}")
        await require_unknown(nodes, attempt, locate, paid=judgement.paid)
    async with database.unit_of_work(CROSS_TENANT) as session:
        await _carry_out(session, judgement, len(seen), moment)


async def _carry_out(
    session: AsyncSession, judgement: Judgement, count: int, moment: Moment
) -> None:
    # Every transaction of the watcher shares this row: none of them runs beside this one.
    cursor = select(Cursor).where(Cursor.network_id == judgement.network).with_for_update()
    await session.scalars(cursor.execution_options(populate_existing=True))
    order = await transactions.locked(session, judgement.order_id)
    if len(order) != count or not _waits(order, judgement.network):
        raise NotSettled(f"{judgement.order_id}: it moved meanwhile")
    before = max(attempt.passed_height or 0 for attempt in order)
    for attempt in order:
        attempt.passed_height = None
    withdrawal = None
    if order[0].withdrawal_id is not None:
        withdrawal = await session.get_one(Withdrawal, order[0].withdrawal_id)
    await audit.record(
        session,
        Actor(f"operator:{judgement.person}", None, frozenset(), livemode=False),
        moment,
        action="order.said_unpaid",
        subject=judgement.order_id,
        merchant_id=None if withdrawal is None else withdrawal.merchant_id,
        before={"passed_height": before},
        after={"passed_height": None, "reason": judgement.reason},
    )


def _waits(order: list[Attempt], network: str) -> bool:
    return (
        bool(order)
        and order[0].network_id == network
        and order[0].nonce_value is not None
        and {attempt.state for attempt in order} <= {"signed", "prepared"}
        and passed(order)
    )
