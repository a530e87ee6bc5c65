"""Which approved withdrawal is paid next, and the intent that is committed for it.

The intent is compared with the row it pays, the ledger must hold its amount, and its slot on
the chain must be free, before anything is signed.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.domain.money import to_units
from gateway.models import ApplicationWallet, Currency, Journal, Withdrawal
from gateway.settings import NetworkSettings
from gateway.withdrawals import repository as withdrawals
from gateway.withdrawals.moves import move
from watchers import crash, store
from watchers.chain import Chain
from watchers.clock import now
from watchers.network import NATIVE, Incomplete, NodeUnavailable, PayoutOrder, Refused, Slot
from watchers.pay import approved, holds, pauses, promises, withdrawing
from watchers.pay.slots import Slots, SlotTaken
from watchers.pay.transactions import HouseOrder, first, of_order
from watchers.pay.withdrawing import REASON_MAX, contradiction
from watchers.store import Position

BLOCKED_RETRY = timedelta(seconds=5)
REFUSED_RETRY = timedelta(seconds=60)
"""Pause after the keystore said no: each no is a row of its journal."""
WAITING = "waiting for the transaction before it"


@dataclass(slots=True)
class Claims:
    """Takes one network's approved withdrawals, one at a time, and commits their intents."""

    name: str
    settings: NetworkSettings
    chain: Chain
    database: Database
    position: Position
    slots: Slots = field(init=False)

    def __post_init__(self) -> None:
        self.slots = Slots(self.name, self.chain, self.database)

    async def claim(self) -> bool:
        """Prepare the next approved withdrawal; return whether there may be more to do."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            crash.around_commit(session, "payout.claim")
            withdrawal = await self._next_approved(session)
            hot = await self._hot(session)
            if withdrawal is None or hot is None:
                return False
            held = await self._reason_against(session, withdrawal, hot.address)
            if held is not None:
                withdrawal.blocked_reason, withdrawal.updated_at = held[:REASON_MAX], now().at
                return True
            order = await self._order(session, withdrawal, hot)
        return await self._prepare(order)

    async def _prepare(self, order: PayoutOrder) -> bool:
        """Find a place on the chain and the chain's facts for it, and commit the intent."""
        try:
            slot = await self.slots.next(order.source)
            if slot is None:
                await self.block(order.withdrawal_id, WAITING)
                return False
            async with self.database.unit_of_work(CROSS_TENANT) as session:
                promised = await promises.of_wallet(
                    session, self.name, order.source, order.fee_ceiling_units
                )
            await promises.require_free(self.chain.reader, order, promised)
            intent = await self.chain.writer.prepare(order, slot)
            return await self._begin(order, slot, intent, promised)
        except SlotTaken as trouble:
            await self.block(order.withdrawal_id, str(trouble))
            return False
        except (Incomplete, NodeUnavailable) as trouble:
            await self.block(order.withdrawal_id, str(trouble))
            return False
        except Refused as refusal:
            await self.block(order.withdrawal_id, str(refusal))
            return True

    async def _reason_against(
        self, session: AsyncSession, withdrawal: Withdrawal, sender: str
    ) -> str | None:
        """Return why this withdrawal is not begun now: a hold, a pause, what people say."""
        held = await holds.reason_against(session, withdrawal.currency_id, sender)
        held = held or await pauses.reason_against(
            session, self.name, withdrawal.currency_id, withdrawal.merchant_id
        )
        return held or await approved.reason_against(session, withdrawal)

    async def _next_approved(self, session: AsyncSession) -> Withdrawal | None:
        at = now().at
        query = (
            select(Withdrawal)
            .where(
                Withdrawal.network_id == self.name,
                Withdrawal.status == "approved",
                or_(
                    Withdrawal.blocked_reason.is_(None),
                    Withdrawal.updated_at < at - REFUSED_RETRY,
                    and_(
                        Withdrawal.updated_at < at - BLOCKED_RETRY,
                        Withdrawal.blocked_reason.not_like("keystore:%"),
                    ),
                ),
            )
            # Least recently tried first: however many wait, each has its turn.
            .order_by(
                Withdrawal.blocked_reason.is_not(None), Withdrawal.updated_at, Withdrawal.id
            )
            .limit(1)
        )
        return (await session.scalars(query)).one_or_none()

    async def _hot(self, session: AsyncSession) -> ApplicationWallet | None:
        query = select(ApplicationWallet).where(
            ApplicationWallet.network_id == self.name, ApplicationWallet.purpose == "hot"
        )
        return (await session.scalars(query)).one_or_none()

    async def _order(
        self, session: AsyncSession, withdrawal: Withdrawal, hot: ApplicationWallet
    ) -> PayoutOrder:
        currency = await session.get_one(Currency, withdrawal.currency_id)
        native = await withdrawals.native_currency(session, self.name)
        return PayoutOrder(
            withdrawal_id=withdrawal.id,
            asset=currency.contract or NATIVE,
            decimals=currency.decimals,
            destination=withdrawal.destination,
            units=withdrawal.units,
            source=hot.address,
            fee_ceiling_units=to_units(self.settings.fee_ceiling, native.decimals),
        )

    async def block(self, withdrawal_id: str, reason: str) -> None:
        """Say on the row why it waits; it is tried again."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await withdrawing.say(session, withdrawal_id, reason, now())

    async def _begin(
        self,
        order: PayoutOrder,
        slot: Slot,
        intent: Mapping[str, Any],
        promised: Counter[str],
    ) -> bool:
        """Commit the intent and take its place; nothing is signed yet."""
        moment = now()
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            crash.around_commit(session, "payout.prepared")
            withdrawal = await withdrawals.locked(session, order.withdrawal_id)
            if withdrawal is None or withdrawal.status != "approved":
                return False
            if not await promises.no_more(session, self.name, order, promised):
                raise SlotTaken("the wallet has promised something else meanwhile")
            currency = await session.get_one(Currency, withdrawal.currency_id)
            fault = contradiction(intent, withdrawal, currency)
            fault = fault or await self._unsound(session, withdrawal)
            fault = fault or await self._reason_against(session, withdrawal, order.source)
            if fault is not None:
                withdrawal.blocked_reason, withdrawal.updated_at = fault[:REASON_MAX], moment.at
                return True
            house = HouseOrder(withdrawal.id, "payout", intent, order.source, slot)
            await first(session, self.name, house, moment, withdrawal_id=withdrawal.id)
            await move(session, withdrawal, "signing", moment)
        return True

    async def _unsound(self, session: AsyncSession, withdrawal: Withdrawal) -> str | None:
        """Say why the rows do not allow this payout: its hold, or what was signed for it before."""
        kinds = select(Journal.kind).where(
            Journal.ref == withdrawal.id, Journal.kind.in_(["hold", "release", "settle"])
        )
        held = await withdrawals.held_units(session, withdrawal.id)
        # Others' holds lie in the same wallet: an edited amount would be paid out of them.
        right = held == withdrawal.units + withdrawal.fee_units
        if not right or set(await session.scalars(kinds)) != {"hold"}:
            return "the ledger does not hold its amount: needs a person"
        if await of_order(session, withdrawal.id):
            return "a transaction was signed for it before: needs a person"
        return None
