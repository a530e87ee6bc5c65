"""The alarm for nonce lanes: a value that our order was signed for was spent, and not by us.

A lane that holds another value may have been moved by our own transaction, which our scan has
yet to read. Once the scan is final up to where the node's head was then, and the order still
stands in no block, somebody else spent the value: the key was used elsewhere. The order can never
land; a person ends it (`watchers settle --taken-by`).
"""

from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.models import Attempt, Cursor
from watchers.chain import Chain
from watchers.clock import now
from watchers.network import NonceLanes
from watchers.pay.keepers import keeper_of
from watchers.pay.slots import OPEN

log = structlog.get_logger()
ESTRANGED = (
    "the value of {lane} that it was signed for was spent by another transaction: the key was used "
    "elsewhere; or a node invented it. It can never land: watchers settle {network} {order} "
    "--taken-by HASH, or watchers cancel {network} {order}"
)


@dataclass(slots=True)
class Estranged:
    """Looks for lanes of one network that a stranger moved."""

    name: str
    chain: Chain
    database: Database
    _gone: dict[str, int] = field(default_factory=dict)
    """The node's head when an order's value was first missed, by order."""
    _told: set[str] = field(default_factory=set)

    async def look(self, lanes: NonceLanes) -> list[str]:
        """Return what there is to say of each order that lost its value; said on the order once."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            waiting = await _waiting(session, self.name)
            cursor = await session.get(Cursor, self.name)
            final = -1 if cursor is None else cursor.final_height
        here = {attempt.order_id for attempt in waiting}
        self._gone = {order: head for order, head in self._gone.items() if order in here}
        self._told &= here
        return [
            await self._say(attempt)
            for attempt in waiting
            if await self._is_lost(lanes, attempt, final)
        ]

    async def _is_lost(self, lanes: NonceLanes, attempt: Attempt, final: int) -> bool:
        lane, order = attempt.nonce_account or "", attempt.order_id
        if await lanes.nonce_account_state(lane) == attempt.nonce_value:
            self._gone.pop(order, None)
            return False
        if order not in self._gone:
            self._gone[order] = (await self.chain.reader.tip()).head
        return final >= self._gone[order]

    async def _say(self, attempt: Attempt) -> str:
        order = attempt.order_id
        reason = ESTRANGED.format(lane=attempt.nonce_account, network=self.name, order=order)
        if order not in self._told:
            moment = now()
            async with self.database.unit_of_work(CROSS_TENANT) as session:
                keeper = await keeper_of(session, attempt)
                await keeper.waiting(session, attempt, reason, moment)
            log.error("key used elsewhere", network=self.name, order=order, reason=reason)
            self._told.add(order)
        return reason


async def _waiting(session: AsyncSession, network: str) -> list[Attempt]:
    """Return the first signed transaction of each order on a lane that stands in no block."""
    query = (
        select(Attempt)
        .where(
            Attempt.network_id == network,
            Attempt.state.in_(OPEN),
            Attempt.nonce_value.is_not(None),
        )
        .order_by(Attempt.order_id, Attempt.place)
    )
    rows = (await session.scalars(query)).all()
    orders = [list(each) for _, each in groupby(rows, key=attrgetter("order_id"))]
    alive = [each for each in orders if all(row.state != "included" for row in each)]
    return [each[0] for each in alive if each[0].state == "signed"]
