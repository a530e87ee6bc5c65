"""Transactions of ours in blocks that the scan passed before it knew them, looked for until found.

A database that was put back takes over what the keystore signed since. Where no node could say
then in which block that stands, it waits to land although it has: its nonce, or the value of its
nonce lane, is spent by itself. So nodes are asked again, as long as the order waits. What one
shows counts only where the block is ours and holds the transaction. That none shows it proves
nothing and ends nothing: nothing is given back, and nothing is paid again.

Tron needs none of this: there `passed` reads every block again, and what is in none expires.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database, send
from gateway.domain.moment import Moment
from gateway.models import Attempt
from watchers import crash, store
from watchers.chain import Chain
from watchers.clock import now
from watchers.network import Incomplete
from watchers.pay import inclusion, transactions
from watchers.store import Position

log = structlog.get_logger()
Locate = Callable[[str], Awaitable[int | None]]
"""Says in which block a transaction stands; None where no node knows."""
PAUSE = timedelta(seconds=30)
_BEAR = "SET LOCAL idle_in_transaction_session_timeout = '120s'"


async def bear_silence(session: AsyncSession) -> None:
    """Let this transaction wait for nodes, each of which may take its time-out, longer than others do.

    It holds the scan back meanwhile; a watcher that freezes here keeps the next one out as long.
    """
    await send(session, _BEAR, {})


async def seen_in(
    session: AsyncSession, chain: Chain, attempt: Attempt, height: int, moment: Moment
) -> bool:
    """Observe a transaction in a block that the scan has passed; tell whether ours shows it."""
    tx_hash = attempt.tx_hash or ""
    block = await chain.reader.read(height)
    standing = await store.block_at_or_below(session, attempt.network_id, height)
    if standing is None or standing.hash != block.ref.hash or tx_hash not in block.outcomes:
        return False
    await inclusion.observe(session, [block], {tx_hash: attempt.id}, moment)
    return True


@dataclass(slots=True)
class Overlooked:
    """Looks for one network's transactions whose place on the chain is spent."""

    name: str
    chain: Chain
    database: Database
    position: Position
    pause: timedelta = PAUSE
    _looked_at: datetime | None = None
    _gone: dict[str, int] = field(default_factory=dict)
    """The node's head when an order's place was first seen to be spent, by order."""

    async def round(self, locate: Locate) -> None:
        """Look, now and then. Raises the trouble of nodes: they are asked again."""
        at = now().at
        if self._looked_at is not None and at < self._looked_at + self.pause:
            return
        self._looked_at = at
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            orders = await transactions.waiting(session, self.name)
            cursor = await store.position_of(session, self.name)
        here = {order[0].order_id for order in orders}
        self._gone = {order: head for order, head in self._gone.items() if order in here}
        scanned = self.position.height if cursor is None else cursor.height
        for order in orders:
            if await self._is_passed(order[0], scanned):
                for attempt in order:
                    await self._look(locate, attempt, scanned)

    async def _is_passed(self, first: Attempt, scanned: int) -> bool:
        """Tell whether the place is spent, and our scan has come to where that was seen."""
        if not await self._is_spent(first):
            self._gone.pop(first.order_id, None)
            return False
        if first.order_id not in self._gone:
            self._gone[first.order_id] = (await self.chain.reader.tip()).head
        return scanned >= self._gone[first.order_id]

    async def _is_spent(self, first: Attempt) -> bool:
        if first.nonce is not None:
            return await self.chain.writer.next_nonce(first.sender) > first.nonce
        if self.chain.lanes is None or first.nonce_account is None:
            return False
        value = await self.chain.lanes.nonce_account_state(first.nonce_account)
        return value is not None and value != first.nonce_value

    async def _look(self, locate: Locate, seen: Attempt, scanned: int) -> None:
        height = await locate(seen.tx_hash or "")
        if height is None or height > scanned:
            return
        moment = now()
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            await bear_silence(session)
            crash.around_commit(session, "adoption.taken")
            attempt = await session.get_one(Attempt, seen.id, with_for_update=True)
            if attempt.state != "signed":
                return
            if not await seen_in(session, self.chain, attempt, height, moment):
                raise Incomplete(
                    f"{seen.tx_hash}: said to stand in block {height}, ours does not show it"
                )
        log.warning("found", network=self.name, order=seen.order_id, tx=seen.tx_hash)
