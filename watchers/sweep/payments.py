"""What the house pays between its own addresses, begun in one place: judged, committed, said.

Nothing is begun beside the same that is under way, nor soon after the keystore would not sign it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.domain.money import to_units
from gateway.models import Attempt, Currency
from gateway.settings import NetworkSettings
from watchers import crash, store
from watchers.chain import Chain
from watchers.clock import now
from watchers.network import NATIVE, PayoutOrder, Refused, Slot
from watchers.pay import holds, pauses, promises
from watchers.pay.outbids import REFUSED_RETRY
from watchers.pay.slots import Slots
from watchers.pay.transactions import HouseOrder, begin
from watchers.store import Position
from watchers.sweep import rows

log = structlog.get_logger()
TOP_UP = "top_up"
SAME = ("action", "asset", "to", "pool_index")
"""What two orders of one purpose have in common that ask for the same."""


@dataclass(frozen=True, slots=True)
class Payments:
    """Begins one network's payments of the house; `native` is its coin.

    Each raises `Refused` or `slots.SlotTaken` where it has to wait, and what a node raises.
    """

    name: str
    settings: NetworkSettings
    chain: Chain
    native: Currency
    database: Database
    position: Position

    @property
    def fee_ceiling(self) -> int:
        """Return the most that one transaction may take, in base units of the coin."""
        return to_units(self.settings.fee_ceiling, self.native.decimals)

    async def pay(
        self, purpose: str, currency: Currency, hot: str, to: str, units: int
    ) -> None:
        """Begin a payment from the hot wallet to another wallet, beside all that it has promised."""
        slot = await self._slot(currency, hot)
        if slot is None:
            return
        order = self._order("hou", currency, hot, to, units)
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            promised = await promises.of_wallet(session, self.name, hot, self.fee_ceiling)
        await promises.require_free(self.chain.reader, order, promised)
        intent = await self.chain.writer.prepare(order, slot)
        house = HouseOrder(order.withdrawal_id, purpose, intent, hot, slot)
        await self.begin(house, (order, promised))

    async def top_up(self, gas: str, address: str, index: int, units: int) -> None:
        """Begin a payment from the gas wallet to an address of the pool (EVM)."""
        slot = await self._slot(self.native, gas)
        if slot is None:
            return
        order = self._order("swo", self.native, gas, address, units)
        intent = await self.chain.writer.prepare(order, slot)
        intent = {**intent, "source": "gas", "pool_index": index}
        await self.begin(HouseOrder(order.withdrawal_id, TOP_UP, intent, gas, slot))

    async def begin(
        self, order: HouseOrder, judged: tuple[PayoutOrder, Counter[str]] | None = None
    ) -> None:
        """Commit an order, unless more is promised now than a payment was judged by."""
        moment = now()
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            crash.around_commit(session, "house.prepared")
            for each in await rows.under_way(session, self.name, order.purpose):
                if _same(each, order):
                    return
            for each in await _refused(session, self.name, order.purpose, moment.at):
                if _same(each, order):
                    raise Refused(each.last_answer or "")
            if judged is not None and not await promises.no_more(session, self.name, *judged):
                return
            await begin(session, self.name, order, moment)
        log.info("house order", network=self.name, purpose=order.purpose, order=order.order_id)

    async def _slot(self, currency: Currency, sender: str) -> Slot | None:
        """Return the next place of a wallet; None: wait for others."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            held = await holds.reason_against(session, currency.id, sender)
            held = held or await pauses.reason_against(session, self.name, currency.id, None)
        if held is not None:
            raise Refused(held)
        return await Slots(self.name, self.chain, self.database).next(sender)

    def _order(
        self, kind: str, currency: Currency, source: str, to: str, units: int
    ) -> PayoutOrder:
        return PayoutOrder(
            withdrawal_id=now().id(kind),
            asset=currency.contract or NATIVE,
            decimals=currency.decimals,
            destination=to,
            units=units,
            source=source,
            fee_ceiling_units=self.fee_ceiling,
        )


def _same(attempt: Attempt, order: HouseOrder) -> bool:
    return all(attempt.intent.get(name) == order.intent.get(name) for name in SAME)


async def _refused(
    session: AsyncSession, network: str, purpose: str, at: datetime
) -> Sequence[Attempt]:
    """Return what would not be signed lately: each try is a row of the keystore's journal."""
    query = select(Attempt).where(
        Attempt.network_id == network,
        Attempt.purpose == purpose,
        Attempt.state == "refused",
        Attempt.place == 1,
        Attempt.ended_at > at - REFUSED_RETRY,
    )
    return (await session.scalars(query.order_by(Attempt.id))).all()
