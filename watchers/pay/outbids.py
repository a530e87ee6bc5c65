"""Transactions that wait too long: outbid by ourselves, or taken back when an operator asks.

Only on networks where one transaction may take another's place before it lands: EVM, and Solana
for cancels alone. Each stands in the nonce, or on the nonce value, of its order's first one, so
that at most one of them lands whatever nodes, miners and crashes do. Fees rise for the lowest
nonce of a sender that is not mined: all others wait for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.domain.money import to_units
from gateway.models import Attempt
from gateway.settings import NetworkSettings
from gateway.withdrawals import repository as withdrawals
from watchers import crash, store
from watchers.chain import Chain
from watchers.clock import now
from watchers.network import NATIVE, Incomplete, NodeUnavailable, Outbidder, Refused
from watchers.pay import approved, cancels, transactions
from watchers.pay.hands import LOST
from watchers.pay.keepers import CANCEL, keeper_of
from watchers.pay.own_bytes import edited
from watchers.pay.passed import Passed
from watchers.pay.present import Present
from watchers.pay.replacing import bid
from watchers.store import Position

log = structlog.get_logger()
REFUSED_RETRY = timedelta(seconds=60)
"""Pause after the keystore would not sign a replacement: each try is a row of its journal."""
BARRED = "its cancel was signed before its chain was rewritten: no fee of it rises, cancel it or wait"


@dataclass(slots=True)
class Outbids:
    """Writes the replacements of one network's transactions; others sign and send them."""

    name: str
    settings: NetworkSettings
    chain: Chain
    database: Database
    position: Position
    passed: Passed | None = None
    _told: dict[str, str] = field(default_factory=dict)
    _barred: frozenset[str] = frozenset()
    present: Present = field(init=False)

    def __post_init__(self) -> None:
        self.present = Present(self.name, self.database, self.chain.lanes, self.passed)

    async def round(self) -> None:
        """Look at every order that may have to be replaced; trouble of one holds up no other."""
        if not isinstance(self.chain.writer, Outbidder):
            return
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            found = await transactions.waiting(session, self.name)
            wanted = await cancels.wanted(session, self.name)
            self._barred = await transactions.barred(session, self.name)
        open_orders = sorted(found, key=lambda each: (each[0].sender, each[0].nonce or 0))
        self.present.keep({order[0].order_id for order in open_orders})
        lowest = await self._lowest(open_orders)
        for order in open_orders:
            asked = order[0].order_id in wanted
            to_be_canceled = asked and order[-1].purpose != CANCEL
            if to_be_canceled or _has_turn(order, lowest):
                await self._look(order, asked=asked)

    async def _lowest(self, orders: Sequence[Sequence[Attempt]]) -> dict[str, int]:
        """Return the nonce that the chain waits for, by sender."""
        senders = {order[0].sender for order in orders if order[0].nonce is not None}
        return {sender: await self.chain.writer.next_nonce(sender) for sender in senders}

    async def _look(self, order: Sequence[Attempt], *, asked: bool) -> None:
        newest = order[-1]
        try:
            intent, purpose = await self._replacing(order, asked=asked)
        except Refused as refusal:
            await self._tell(newest, str(refusal))
        except (Incomplete, NodeUnavailable) as trouble:
            log.warning("fee not raised", order=newest.order_id, reason=str(trouble))
        else:
            if intent is not None:
                await self._begin(newest, intent, purpose)

    async def _replacing(
        self, order: Sequence[Attempt], *, asked: bool
    ) -> tuple[Mapping[str, Any] | None, str]:
        """Return the intent that shall take the place, or None, and its purpose."""
        writer, newest = self.chain.writer, order[-1]
        if not isinstance(writer, Outbidder):
            return None, newest.purpose
        if newest.order_id in self._barred:
            if await self._overdue(order[0]):
                raise Refused(BARRED)
            return None, newest.purpose
        ceiling = await self._ceiling(newest.order_id)
        intent: Mapping[str, Any] = newest.intent
        if newest.purpose in {LOST, CANCEL} or asked:
            self._require_unedited(order)
            intent = await self.present.intent_of(order)
        if (
            intent != newest.intent
            or newest.purpose == LOST
            or (asked and newest.purpose != CANCEL)
        ):
            vacated = await writer.vacate(intent, newest.sender, ceiling_units=ceiling)
            return vacated, CANCEL
        if newest.purpose == "sweep" and newest.intent.get("asset") == NATIVE:
            return None, newest.purpose  # it left its address nothing to pay more with
        # A pool address is given what its cancel takes; a wallet of the house has it, or is topped up.
        fed = order[0].purpose == "sweep" and newest.purpose == CANCEL
        overdue = await self._overdue(newest, fed=fed)
        raised = await writer.outbid(newest.intent, ceiling_units=ceiling, overdue=overdue)
        return raised, newest.purpose

    def _require_unedited(self, order: Sequence[Attempt]) -> None:
        """Refuse to take back what may have landed under a hash that its row does not name."""
        for attempt in order:
            if (fault := edited(self.chain.writer.verify, attempt)) is not None:
                raise Refused(fault)

    async def _overdue(self, newest: Attempt, *, fed: bool = False) -> bool:
        """Tell whether enough blocks have passed since it was first sent and, `fed`, could be paid."""
        if newest.sent_height is None:
            return False
        if fed and await self._waits_for_gas(newest):
            return False
        head = (await self.chain.reader.tip()).head
        return head - newest.sent_height >= self.settings.bump_blocks

    async def _waits_for_gas(self, cancel: Attempt) -> bool:
        """Tell whether its sender lacks the bid; then no node takes it, and its time begins anew.

        A bid that rose meanwhile would lack more, round by round, up to the ceiling.
        """
        held = await self.chain.reader.balance(cancel.sender, NATIVE)
        if held >= bid(cancel.intent):
            return False
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            await session.execute(
                update(Attempt)
                .where(Attempt.id == cancel.id, Attempt.state == "signed")
                .values(sent_height=None)
            )
        return True

    async def _ceiling(self, order_id: str) -> int:
        """Return the most that the network may take: the operator's limit, and the approved one."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            native = await withdrawals.native_currency(session, self.name)
            order, _ = await approved.proofs_of(session, order_id)
        ceiling = to_units(self.settings.fee_ceiling, native.decimals)
        return ceiling if order is None else min(ceiling, int(order.fee_ceiling))

    async def _begin(self, newest: Attempt, intent: Mapping[str, Any], purpose: str) -> None:
        """Commit the replacement, unless the order has moved on meanwhile."""
        moment = now()
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            crash.around_commit(session, "payout.prepared")
            order = await transactions.locked(session, newest.order_id)
            states = {attempt.state for attempt in order}
            if states != {"signed"} or order[-1].id != newest.id:
                return
            if await _refused_lately(session, newest.order_id, moment.at - REFUSED_RETRY):
                return
            await transactions.replacement(session, newest, intent, moment, purpose=purpose)
        self._told.pop(newest.order_id, None)
        log.info(
            "canceling" if purpose == CANCEL else "fee raised",
            network=self.name,
            order=newest.order_id,
            nonce=newest.nonce,
            lane=newest.nonce_account,
            fee=intent.get("max_fee_per_gas", intent.get("compute_unit_price_micro_lamports")),
        )

    async def _tell(self, newest: Attempt, reason: str) -> None:
        """Say once why it waits, where people look."""
        if self._told.get(newest.order_id) == reason:
            return
        moment = now()
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            keeper = await keeper_of(session, newest)
            await keeper.waiting(session, newest, reason, moment)
        self._told[newest.order_id] = reason
        log.error("a transaction waits", order=newest.order_id, reason=reason)


def _has_turn(order: Sequence[Attempt], lowest: Mapping[str, int]) -> bool:
    """Tell whether others wait for an order's nonce; a lane is taken back, payments there stay."""
    if order[0].nonce is None:
        return order[-1].purpose in {CANCEL, LOST}
    return order[0].nonce == lowest.get(order[0].sender)


async def _refused_lately(session: AsyncSession, order_id: str, since: datetime) -> bool:
    query = select(func.max(Attempt.ended_at)).where(
        Attempt.order_id == order_id, Attempt.state == "refused", Attempt.place > 1
    )
    last = await session.scalar(query)
    return last is not None and last > since
