"""What only a person can judge: a transaction whose end nothing books by itself.

It succeeded without the transfer that was asked for, the ledger refused to settle it, or nothing
bears out that it failed or expired. A person says how it ended; every node that still has its
block is asked first, and none may contradict.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit import service as audit
from gateway.db import CROSS_TENANT, Database
from gateway.domain.actor import Actor
from gateway.domain.errors import Conflict
from gateway.domain.moment import Moment
from gateway.models import Attempt, Cursor, Withdrawal
from gateway.withdrawals import repository as withdrawals
from gateway.withdrawals.recall import Busy
from watchers import store
from watchers.contention import TryAgain
from watchers.network import Block, ChainReader, Incomplete, NodeUnavailable, WrongChain
from watchers.pay import inclusion, settler, transactions
from watchers.pay.keepers import CANCEL
from watchers.pay.own_bytes import Edited

NOT_PAID = "an operator found that its transaction paid nothing"
Locate = Callable[[ChainReader, str], Awaitable[int | None]]
"""Asks one node in which block a transaction stands; None where it knows of none."""


class NotSettled(Exception):
    """Why an order is not ended by a person, in one line."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Who says of an order whether it was carried out, and why he says so.

    `order_id` is a withdrawal's, or that of an order of the house.
    """

    network: str
    order_id: str
    paid: bool
    person: str
    reason: str


async def settle(
    database: Database,
    readers: Iterable[ChainReader],
    judgement: Judgement,
    moment: Moment,
    locate: Locate | None = None,
    *,
    edited: Edited,
) -> None:
    """End the order with the journals of any other; raise what `booking` does, or where it must not be."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        attempt = await _parked(session, judgement, moment)
    if not judgement.paid and (fault := edited(attempt)) is not None:
        raise NotSettled(f"{attempt.order_id}: {fault}")
    if attempt.block_height is None:
        await require_unknown(readers, attempt, locate, paid=judgement.paid)
    else:
        await ask(
            readers,
            attempt.order_id,
            attempt.block_height,
            lambda block: contradiction(attempt, block, paid=judgement.paid),
        )
    async with booking(database, judgement.order_id) as session:
        await _carry_out(session, judgement, attempt, moment)


@asynccontextmanager
async def booking(database: Database, order_id: str) -> AsyncIterator[AsyncSession]:
    """Open the transaction that ends an order on a person's word.

    Raises `NotSettled` where the ledger refuses it, `TryAgain` where somebody has what it changes.
    """
    try:
        async with database.unit_of_work(CROSS_TENANT) as session:
            yield session
    except Busy as busy:
        raise TryAgain(f"{order_id}: {busy}") from busy
    except (IntegrityError, Conflict) as refusal:
        raise NotSettled(f"{order_id}: the ledger refuses it") from refusal


def contradiction(attempt: Attempt, block: Block, *, paid: bool) -> str | None:
    """Say what in the transaction's block speaks against a judgement; None: nothing."""
    height, outcome = block.ref.height, block.outcomes.get(attempt.tx_hash or "")
    if block.ref.hash != attempt.block_hash or outcome is None:
        return f"the node shows another block {height} than ours"
    if attempt.purpose == CANCEL:
        return "what landed moves nothing: it was not paid" if paid else None
    if paid and not outcome.success:
        return "its transaction failed on chain"
    if not paid and outcome.success and inclusion.paid(block, attempt):
        return f"block {height} shows the very transfer that was asked for"
    return None


async def ask(
    readers: Iterable[ChainReader],
    order_id: str,
    height: int,
    against: Callable[[Block], str | None],
) -> None:
    """Look at a block by every node; one must show it, and none may contradict."""
    heard, troubles = 0, []
    for reader in readers:
        try:
            # How far its head is tells a node's reader what old blocks lack.
            await reader.tip()
            fault = against(await reader.read(height))
        except (Incomplete, NodeUnavailable, WrongChain) as trouble:
            troubles.append(str(trouble))
            continue
        if fault is not None:
            raise NotSettled(f"{order_id}: {fault}")
        heard += 1
    if not heard:
        raise NotSettled(f"{order_id}: no node shows its block: {'; '.join(troubles)}")


async def require_unknown(
    readers: Iterable[ChainReader], attempt: Attempt, locate: Locate | None, *, paid: bool
) -> None:
    """Refuse where a node knows what is said to have expired, or none says that it does not."""
    id_, answered, troubles = attempt.order_id, 0, []
    if paid or locate is None:
        raise NotSettled(f"{id_}: no block of ours shows its transaction: rescan its block")
    for reader in readers:
        try:
            height = await locate(reader, attempt.tx_hash or "")
        except (Incomplete, NodeUnavailable, WrongChain) as trouble:
            troubles.append(str(trouble))
            continue
        if height is not None:
            raise NotSettled(f"{id_}: a node shows it in block {height}")
        answered += 1
    if not answered:
        raise NotSettled(f"{id_}: no node answers: {'; '.join(troubles)}")


async def _parked(session: AsyncSession, judgement: Judgement, moment: Moment) -> Attempt:
    """Return the transaction that waits for a person; locked where the cursor is."""
    network, id_ = judgement.network, judgement.order_id
    order = await transactions.of_order(session, id_)
    if not order or order[0].network_id != network:
        raise NotSettled(f"{id_}: there is no transaction of such an order on {network}")
    cursor = await session.get_one(Cursor, network)
    final = await store.block_at_or_below(session, network, cursor.final_height)
    final_at = min(final.block_time if final else moment.at, moment.at)
    parked = [each for each in order if _waits(each, int(final_at.timestamp() * 1000))]
    if len(parked) != 1:
        raise NotSettled(f"{id_}: nothing of it waits for a person")
    if (parked[0].block_height or 0) > cursor.final_height:
        raise NotSettled(f"{id_}: its block is not final yet")
    return parked[0]


def _waits(attempt: Attempt, final_ms: int) -> bool:
    """Tell whether it has an end that nothing books, or that nothing bears out."""
    if attempt.state == "included":
        return attempt.success is None or settler.gives_back(attempt)
    return attempt.state == "signed" and settler.expired(attempt, final_ms)


async def _carry_out(
    session: AsyncSession, judgement: Judgement, seen: Attempt, moment: Moment
) -> None:
    # Every transaction of the watcher shares this row: none of them runs beside this one.
    cursor = select(Cursor).where(Cursor.network_id == judgement.network).with_for_update()
    await session.scalars(cursor.execution_options(populate_existing=True))
    attempt = await _parked(session, judgement, moment)
    if (attempt.id, attempt.block_hash) != (seen.id, seen.block_hash):
        raise NotSettled(f"{judgement.order_id}: it moved meanwhile")
    withdrawal = None
    if attempt.withdrawal_id is not None:
        withdrawal = await session.get_one(Withdrawal, attempt.withdrawal_id)
    before = _standing(attempt, withdrawal)
    if attempt.block_height is None:
        await settler.lapse(session, attempt, moment)
    else:
        await _end(session, attempt, moment, paid=judgement.paid)
    after = {"status": _standing(attempt, withdrawal)["status"], "reason": judgement.reason}
    await audit.record(
        session,
        Actor(f"operator:{judgement.person}", None, frozenset(), livemode=False),
        moment,
        action="order.settled_by_hand" if withdrawal is None else "withdrawal.settled_by_hand",
        subject=judgement.order_id,
        merchant_id=None if withdrawal is None else withdrawal.merchant_id,
        before=before,
        after=after,
    )
    await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))


async def _end(session: AsyncSession, attempt: Attempt, moment: Moment, *, paid: bool) -> None:
    native = await withdrawals.native_currency(session, attempt.network_id)
    attempt.success = paid or attempt.purpose == CANCEL
    reason = None if attempt.success else NOT_PAID
    await settler.end(session, attempt, native, moment, reason=reason)


def _standing(attempt: Attempt, withdrawal: Withdrawal | None) -> dict[str, str | None]:
    """Say how an order stands; of the house's own the transaction is all that tells."""
    if withdrawal is None:
        return {"status": attempt.state, "blocked_reason": attempt.last_answer}
    return {"status": withdrawal.status, "blocked_reason": withdrawal.blocked_reason}
