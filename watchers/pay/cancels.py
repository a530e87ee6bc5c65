"""An operator takes an order back: the wish is a row, and the payer's round carries it out.

What was never signed is given up at once. What was signed can only be outrun: a transaction that
moves nothing takes its place, and when that one is final the hold is released. If the payment
lands first, it was paid.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.domain.moment import Moment
from gateway.models import Attempt, CancelRequest
from watchers import crash, store
from watchers.clock import now
from watchers.pay import transactions
from watchers.pay.again import LANDED_FIRST
from watchers.pay.hands import Hands
from watchers.pay.keepers import CANCEL

GIVEN_UP = "canceled by an operator before it was signed"
SIGNED_ELSE = "keystore: intent_conflict"
TAKEN = "a transaction of no order took its place"


class NotCanceled(Exception):
    """Why an order cannot be taken back, in one line."""


async def ask(
    session: AsyncSession,
    network: str,
    order_id: str,
    asked_by: str,
    moment: Moment,
    *,
    patience: timedelta,
) -> None:
    """Write the wish; raise `NotCanceled` where it cannot be carried out, or comes too early."""
    order = await transactions.of_order(session, order_id)
    barred = order_id in await transactions.barred(session, network)
    fault = _fault(order, network, moment, patience, barred=barred)
    if fault is not None:
        raise NotCanceled(f"{order_id}: {fault}")
    standing = select(CancelRequest.id).where(
        CancelRequest.order_id == order_id, CancelRequest.ended_at.is_(None)
    )
    if await session.scalar(standing) is not None:
        raise NotCanceled(f"{order_id}: is being canceled already")
    session.add(
        CancelRequest(
            id=moment.id("cnr"),
            network_id=network,
            order_id=order_id,
            asked_by=asked_by,
            asked_at=moment.at,
        )
    )


def _fault(
    order: list[Attempt], network: str, moment: Moment, patience: timedelta, *, barred: bool
) -> str | None:
    """Say why it cannot be taken back; `barred` has a cancel that would not be sent without a wish."""
    if not order or order[0].network_id != network:
        return f"there is no transaction of it on {network}"
    live = [each for each in order if each.state != "replaced"]
    ended = not live or any(each.state in transactions.ENDED for each in live)
    if ended or (not barred and any(each.purpose == CANCEL for each in live)):
        return "has ended, or is being canceled already"
    if order[0].state == "prepared":
        undecided = (order[0].last_answer or "").startswith(SIGNED_ELSE)
        return "the keystore signed another intent for it" if undecided else None
    if order[0].nonce is None and order[0].nonce_value is None:
        return "a signed transaction of this network cannot be taken back"
    if order[0].created_at > moment.at - patience:
        minutes = int(patience.total_seconds() // 60)
        return f"waits since {order[0].created_at:%H:%M:%S} only, {minutes} minutes are needed"
    return None


async def wanted(session: AsyncSession, network: str) -> frozenset[str]:
    """Return the orders that somebody wants taken back."""
    query = select(CancelRequest.order_id).where(
        CancelRequest.network_id == network, CancelRequest.ended_at.is_(None)
    )
    return frozenset(await session.scalars(query))


@dataclass(slots=True)
class Cancels:
    """Ends wishes: gives up what was never signed, and notes what became of the others."""

    name: str
    database: Database
    hands: Hands

    async def round(self) -> None:
        """Look at every open wish. The keystore's history has been read before this."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            orders = sorted(await wanted(session, self.name))
        for order_id in orders:
            async with self.database.unit_of_work(CROSS_TENANT) as session:
                order = await transactions.of_order(session, order_id)
            if len(order) == 1 and order[0].state == "prepared":
                await self.hands.give_up(order[0], CANCEL, GIVEN_UP)
                await self._close(order_id, GIVEN_UP)
            elif (answer := _answer(order)) is not None:
                await self._close(order_id, answer)
            elif _unsent(order):
                await self._bring_back(order_id)

    async def _bring_back(self, order_id: str) -> None:
        """Let the cancels of a reopened order be sent: they were only looked for, until now."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.hands.position)
            for each in _unsent(await transactions.locked(session, order_id)):
                each.state, each.ended_at = "signed", None
                each.sent_height, each.last_broadcast_at = None, None

    async def _close(self, order_id: str, answer: str) -> None:
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            crash.around_commit(session, "cancel.closed")
            query = select(CancelRequest).where(
                CancelRequest.order_id == order_id, CancelRequest.ended_at.is_(None)
            )
            request = (await session.scalars(query.with_for_update())).one_or_none()
            if request is not None:
                request.answer, request.ended_at = answer, now().at


def _answer(order: list[Attempt]) -> str | None:
    """Say what became of a wish; None while it stands."""
    if not order:
        return "it was not signed and waits its turn again: reject it"
    for attempt in order:
        if attempt.state in {"succeeded", "failed"}:
            return "canceled" if attempt.purpose == CANCEL else LANDED_FIRST
    return TAKEN if all(attempt.state == "replaced" for attempt in order) else None


def _unsent(order: list[Attempt]) -> list[Attempt]:
    """Return the signed cancels that stand beside what is sent; none where anything has landed."""
    if {each.state for each in order} != {"signed", "replaced"}:
        return []
    return [each for each in order if each.state == "replaced" and each.purpose == CANCEL]
