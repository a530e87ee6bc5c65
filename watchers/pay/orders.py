"""Asking people: an order for every payout that the keystore's policy wants them for.

The watcher writes orders, never the API: it made no request, it knows the fee ceiling, and the
database lets nobody change one. An order counts for a day; after that people are asked again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.approvals import repository
from gateway.approvals.credentials import ACTOR
from gateway.audit.service import record
from gateway.db import CROSS_TENANT, Database
from gateway.domain.actor import Actor
from gateway.domain.moment import Moment
from gateway.domain.money import to_units
from gateway.domain.policy import Standing
from gateway.models import ApprovalOrder, Currency, OrderRefusal, PolicySnapshot, Withdrawal
from gateway.settings import NetworkSettings
from gateway.withdrawals import repository as withdrawals
from gateway.withdrawals.moves import move
from watchers import store
from watchers.chain import asset_of
from watchers.clock import now
from watchers.pay.approved import Word, stands, word_on
from watchers.store import Position

log = structlog.get_logger()
LIFETIME = timedelta(hours=24)
AT_ONCE = 200


@dataclass(slots=True)
class Orders:
    """One network's orders, under its lease."""

    network: str
    settings: NetworkSettings
    database: Database
    position: Position
    lifetime: timedelta = LIFETIME
    _seen: str = ""
    """Up to which withdrawal the last rounds have looked: however many wait, each has its turn."""

    async def round(self) -> None:
        """Carry out refusals, ask where somebody has to be asked, and publish who has answered."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            for withdrawal_id, refusal in await self._refused(session):
                await _reject(session, withdrawal_id, refusal, now())
            snapshot = await repository.snapshot_of(session, self.network)
            if snapshot is None:
                return
            for withdrawal in await self._waiting(session):
                await self._look(session, snapshot, withdrawal, now())

    async def _refused(self, session: AsyncSession) -> list[tuple[str, OrderRefusal]]:
        query = (
            select(ApprovalOrder.withdrawal_id, OrderRefusal)
            .join(ApprovalOrder, ApprovalOrder.id == OrderRefusal.order_id)
            .join(Withdrawal, Withdrawal.id == ApprovalOrder.withdrawal_id)
            .where(ApprovalOrder.network_id == self.network, Withdrawal.status == "approved")
            .limit(AT_ONCE)
        )
        return [(row[0], row[1]) for row in await session.execute(query)]

    async def _waiting(self, session: AsyncSession) -> Sequence[Withdrawal]:
        query = (
            select(Withdrawal)
            .where(
                Withdrawal.network_id == self.network,
                Withdrawal.status.in_(repository.WAITING),
                Withdrawal.id > self._seen,
            )
            .order_by(Withdrawal.id)
            .limit(AT_ONCE)
        )
        found = (await session.scalars(query)).all()
        self._seen = found[-1].id if len(found) == AT_ONCE else ""
        return found

    async def _look(
        self,
        session: AsyncSession,
        snapshot: PolicySnapshot,
        withdrawal: Withdrawal,
        moment: Moment,
    ) -> None:
        currency = await session.get_one(Currency, withdrawal.currency_id)
        unasked = stands(snapshot, withdrawal, currency, Word())
        if unasked is None or unasked.allowed or unasked.need == 0:
            await _publish(session, withdrawal, None)
            return
        word = await word_on(session, withdrawal.id, moment.at)
        if word.order is None and word.refusal is None:
            await self._ask(session, withdrawal, currency, moment)
        await _publish(session, withdrawal, stands(snapshot, withdrawal, currency, word))

    async def _ask(
        self,
        session: AsyncSession,
        withdrawal: Withdrawal,
        currency: Currency,
        moment: Moment,
    ) -> None:
        """Write the next revision of the withdrawal's order."""
        before = await repository.newest_order(session, withdrawal.id)
        native = await withdrawals.native_currency(session, self.network)
        order = ApprovalOrder(
            id=moment.id("aor"),
            withdrawal_id=withdrawal.id,
            revision=1 if before is None else before.revision + 1,
            network_id=self.network,
            asset=asset_of(currency),
            destination=withdrawal.destination,
            units=withdrawal.units,
            fee_ceiling_units=to_units(self.settings.fee_ceiling, native.decimals),
            merchant_id=withdrawal.merchant_id,
            requested_by=await _asker(session, withdrawal),
            expires_ms=repository.milliseconds(moment.at + self.lifetime),
            created_at=moment.at,
        )
        session.add(order)
        await session.flush()
        log.info(
            "approvals asked for",
            network=self.network,
            withdrawal=withdrawal.id,
            order=order.id,
            revision=order.revision,
        )


async def _asker(session: AsyncSession, withdrawal: Withdrawal) -> str:
    """Return who stands behind the key or the payout rule that asked."""
    return str(await session.scalar(select(func.one_who_asks(withdrawal.created_by))))


async def _publish(
    session: AsyncSession, withdrawal: Withdrawal, found: Standing | None
) -> None:
    """Write how many proofs there are and how many it takes, where that is news.

    What has enough is tried at once, whatever it waited for before.
    """
    have, need = (None, None) if found is None else (found.have, found.need)
    if (withdrawal.approvals_have, withdrawal.approvals_need) == (have, need):
        return
    tried = {"blocked_reason": None} if found is not None and found.allowed else {}
    await session.execute(
        update(Withdrawal)
        .where(Withdrawal.id == withdrawal.id)
        .values(approvals_have=have, approvals_need=need, **tried)
    )


async def _reject(
    session: AsyncSession, withdrawal_id: str, refusal: OrderRefusal, moment: Moment
) -> None:
    """End a withdrawal that a person refused; what is begun is no longer a person's to stop."""
    row = await withdrawals.locked(session, withdrawal_id)
    if row is None or row.status != "approved":
        return
    row.rejected_by = ACTOR + refusal.approver
    row.failure_reason = f"refused by {refusal.approver}: {refusal.reason}"
    await move(session, row, "rejected", moment)
    actor = Actor(row.rejected_by, None, frozenset(), livemode=row.livemode)
    await record(
        session,
        actor,
        moment,
        action="withdrawal.rejected",
        subject=row.id,
        merchant_id=row.merchant_id,
        before={"status": "approved"},
        after={"status": "rejected", "reason": refusal.reason, "order_id": refusal.order_id},
    )
