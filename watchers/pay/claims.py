"""Which approved withdrawal is paid next, and the intent that is committed for it.

The intent is compared with the row it pays, the ledger must hold its amount, and its slot on
the chain must be free, before anything is signed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.domain.money import to_units
from gateway.models import ApplicationWallet, Attempt, Currency, Journal, Withdrawal
from gateway.settings import NetworkSettings
from gateway.withdrawals import repository as withdrawals
from gateway.withdrawals.moves import move
from watchers import store
from watchers.chain import Chain, asset_key
from watchers.clock import now
from watchers.network import NATIVE, Incomplete, NodeUnavailable, PayoutOrder, Refused, Slot
from watchers.pay import holds
from watchers.store import Position

BLOCKED_RETRY = timedelta(seconds=5)


def contradiction(
    intent: Mapping[str, Any], withdrawal: Withdrawal, currency: Currency
) -> str | None:
    """Name the field in which an intent is not what the withdrawal asked for."""
    asked = {
        "withdrawal_id": withdrawal.id,
        "network": withdrawal.network_id,
        "asset": asset_key(currency.contract or NATIVE),
        "to": asset_key(withdrawal.destination),
        "units": str(withdrawal.units),
    }
    for name, value in asked.items():
        if asset_key(str(intent.get(name))) != value:
            return f"the intent's {name} is not the withdrawal's: needs a person"
    return None


@dataclass(slots=True)
class Claims:
    """Takes one network's approved withdrawals, one at a time, and commits their intents."""

    name: str
    settings: NetworkSettings
    chain: Chain
    database: Database
    position: Position

    async def claim(self) -> bool:
        """Prepare the next approved withdrawal; return whether one was prepared."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            withdrawal = await self._next_approved(session)
            wallets = await self._wallets(session)
            if withdrawal is None or "hot" not in wallets:
                return False
            hot = wallets["hot"]
            held = await holds.reason_against(session, withdrawal.currency_id, hot.address)
            if held is not None:
                withdrawal.blocked_reason, withdrawal.updated_at = held, now().at
                return True
            slot = await self._slot(session, wallets)
            order = await self._order(session, withdrawal, hot)
            promised = await self._promised(session, order)
        if slot is None:
            await self.block(withdrawal.id, "waiting for the payout before it")
            return False
        try:
            await self._require_free_funds(order, promised)
            await self._require_book(hot, slot)
            intent = await self.chain.writer.prepare(order, slot)
        except (Incomplete, NodeUnavailable) as trouble:
            await self.block(withdrawal.id, str(trouble))
            return False
        except Refused as refusal:
            await self.block(withdrawal.id, str(refusal))
            return True
        return await self._begin(withdrawal.id, hot, slot, intent)

    async def _promised(self, session: AsyncSession, order: PayoutOrder) -> dict[str, int]:
        """Return what signed payouts that stand in no block yet will take, by asset."""
        query = select(Attempt.intent).where(
            Attempt.network_id == self.name, Attempt.state.in_(["prepared", "signed"])
        )
        promised = {NATIVE: 0, order.asset: 0}
        for intent in await session.scalars(query):
            promised[NATIVE] += order.fee_ceiling_units
            asset = intent.get("asset", NATIVE)
            promised[asset] = promised.get(asset, 0) + int(intent.get("units", 0))
        return promised

    async def _require_free_funds(self, order: PayoutOrder, promised: dict[str, int]) -> None:
        """Refuse to promise the hot wallet's funds twice."""
        for asset in {order.asset, NATIVE}:
            wanted = promised[asset] + (order.units if asset == order.asset else 0)
            held = await self.chain.reader.balance(order.source, asset_key(asset))
            if promised[asset] and held < wanted:
                raise Refused(
                    f"the hot wallet holds {held} of {asset}, "
                    f"{promised[asset]} of it is promised to payouts under way"
                )

    async def _require_book(self, hot: ApplicationWallet, slot: Slot) -> None:
        """Refuse to go on where the chain has counted more than our own nonce book."""
        if slot.nonce is None:
            return
        counted = await self.chain.writer.next_nonce(hot.address)
        if counted > slot.nonce:
            raise Refused(
                f"the chain counts {counted} transactions of {hot.address}, our book "
                f"{slot.nonce}: its key was used elsewhere, or the database is older"
            )

    async def _next_approved(self, session: AsyncSession) -> Withdrawal | None:
        query = (
            select(Withdrawal)
            .where(
                Withdrawal.network_id == self.name,
                Withdrawal.status == "approved",
                (Withdrawal.blocked_reason.is_(None))
                | (Withdrawal.updated_at < now().at - BLOCKED_RETRY),
            )
            .order_by(
                Withdrawal.blocked_reason.is_not(None), Withdrawal.approved_at, Withdrawal.id
            )
            .limit(1)
        )
        return (await session.scalars(query)).one_or_none()

    async def _wallets(self, session: AsyncSession) -> dict[str, ApplicationWallet]:
        query = select(ApplicationWallet).where(ApplicationWallet.network_id == self.name)
        fresh = query.execution_options(populate_existing=True)
        return {wallet.purpose: wallet for wallet in await session.scalars(fresh)}

    async def _slot(
        self, session: AsyncSession, wallets: Mapping[str, ApplicationWallet]
    ) -> Slot | None:
        """Return the place on chain that the next payout takes; None while there is none."""
        if self.chain.numbered:
            return Slot(nonce=wallets["hot"].next_nonce)
        if self.chain.lanes is None:
            return Slot()
        lane = wallets.get("nonce")
        if lane is None or await self._lane_is_busy(session, lane.address):
            return None
        return Slot(nonce_account=lane.address)

    async def _lane_is_busy(self, session: AsyncSession, lane: str) -> bool:
        """Tell whether the lane's value is promised to a payout that has not ended."""
        promised = select(Attempt.id).where(
            Attempt.network_id == self.name,
            Attempt.nonce_account == lane,
            Attempt.state.in_(["prepared", "signed", "included"]),
        )
        return await session.scalar(promised.limit(1)) is not None

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
            await session.execute(
                update(Withdrawal)
                .where(
                    Withdrawal.id == withdrawal_id,
                    Withdrawal.status.in_(["approved", "signing"]),
                )
                .values(blocked_reason=reason[:300], updated_at=now().at)
            )

    async def _begin(
        self, withdrawal_id: str, hot: ApplicationWallet, slot: Slot, intent: Mapping[str, Any]
    ) -> bool:
        """Commit the intent and take its slot; nothing is signed yet."""
        moment = now()
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            withdrawal = await withdrawals.locked(session, withdrawal_id)
            if withdrawal is None or withdrawal.status != "approved":
                return False
            currency = await session.get_one(Currency, withdrawal.currency_id)
            fault = contradiction(intent, withdrawal, currency)
            fault = fault or await self._unsound(session, withdrawal, intent)
            fault = fault or await holds.reason_against(session, currency.id, hot.address)
            if fault is not None:
                withdrawal.blocked_reason, withdrawal.updated_at = fault, moment.at
                return True
            if slot.nonce is not None:
                await self._take_nonce(session, hot.id, slot.nonce)
            session.add(
                Attempt(
                    id=moment.id("att"),
                    network_id=self.name,
                    purpose="payout",
                    withdrawal_id=withdrawal_id,
                    order_id=withdrawal_id,
                    intent=dict(intent),
                    sender=hot.address,
                    nonce=slot.nonce,
                    nonce_account=slot.nonce_account,
                    nonce_value=intent.get("nonce_value"),
                    state="prepared",
                    broadcasts=0,
                    created_at=moment.at,
                )
            )
            await move(session, withdrawal, "signing", moment)
        return True

    async def _unsound(
        self, session: AsyncSession, withdrawal: Withdrawal, intent: Mapping[str, Any]
    ) -> str | None:
        """Say why the rows do not allow this payout: its hold, or its slot on the chain."""
        kinds = select(Journal.kind).where(
            Journal.ref == withdrawal.id, Journal.kind.in_(["hold", "release", "settle"])
        )
        if set(await session.scalars(kinds)) != {"hold"}:
            return "the ledger does not hold its amount: needs a person"
        if intent.get("nonce_value") is None:
            return None
        spent = select(Attempt.id).where(
            Attempt.network_id == self.name,
            Attempt.nonce_account == intent["nonce_account"],
            Attempt.nonce_value == intent["nonce_value"],
        )
        taken = await session.scalar(spent.limit(1)) is not None
        return "the node shows a nonce value that was used before" if taken else None

    async def _take_nonce(self, session: AsyncSession, wallet_id: str, nonce: int) -> None:
        taken = await session.scalar(
            update(ApplicationWallet)
            .where(ApplicationWallet.id == wallet_id, ApplicationWallet.next_nonce == nonce)
            .values(next_nonce=nonce + 1)
            .returning(ApplicationWallet.id)
        )
        if taken is None:
            raise store.LeaseLost(f"{self.name}: nonce {nonce} was taken by somebody else")
