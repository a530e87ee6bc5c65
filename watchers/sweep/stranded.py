"""Gas for what takes a sweep back from where nothing is left: its chain was rewritten, and its coins are gone.

The sweep's bytes hold the address's next nonce for good, and nobody can send them. What an operator
puts in their place (`watchers cancel`) moves nothing and costs gas, which the gas wallet sends ahead.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT
from gateway.models import AddressPool, Attempt
from watchers.clock import now
from watchers.network import NATIVE, Incomplete, NodeUnavailable, Refused
from watchers.pay.keepers import CANCEL
from watchers.pay.outbids import REFUSED_RETRY
from watchers.pay.replacing import bid
from watchers.pay.slots import SlotTaken
from watchers.sweep import rows
from watchers.sweep.payments import TOP_UP, Payments
from watchers.sweep.upkeep import Differs

log = structlog.get_logger()


@dataclass(slots=True)
class Stranded:
    """Sends one network's pool addresses what their cancels take, one at a time (EVM)."""

    payments: Payments
    _told: str | None = field(default=None, init=False)

    async def round(self) -> None:
        """Look at the cancels that pool addresses have to pay; say once why one waits."""
        try:
            await self._look()
            self._told = None
        except (Refused, SlotTaken, Incomplete, NodeUnavailable) as trouble:
            if self._told != str(trouble):
                log.warning(
                    "waiting", network=self.payments.name, task=TOP_UP, reason=str(trouble)
                )
            self._told = str(trouble)

    async def _look(self) -> None:
        name, chain = self.payments.name, self.payments.chain
        async with self.payments.database.unit_of_work(CROSS_TENANT) as session:
            found = await _cancels(session, name) if chain.numbered else []
            gas = (await rows.wallets(session, name)).get("gas")
            if not found or gas is None:
                return
            resting = await rows.awaited(session, name)
            sent = await _sent(session, name, {attempt.sender for attempt, _ in found})
        resting |= _refused_since(sent, now().at - REFUSED_RETRY)
        newest = {attempt.order_id: (attempt, index) for attempt, index in found}
        differs: Differs | None = None
        for attempt, index in newest.values():
            balance = await chain.reader.balance(attempt.sender, NATIVE)
            try:
                units = lacking(attempt, balance, sent)
            except Differs as trouble:
                differs = trouble
                continue
            if units > 0 and attempt.sender not in resting:
                await self.payments.top_up(gas, attempt.sender, index, units)
                return
        if differs is not None:
            raise differs


def lacking(cancel: Attempt, balance: int, sent: Iterable[Attempt]) -> int:
    """Return what an address lacks for its cancel, in base units of the coin.

    `sent` are top-ups: all of this address together come to no more than the dearest bid of its
    cancel, whatever a node says that it holds. Raises `Differs` where it should have enough.
    """
    needed = bid(cancel.intent)
    brought = sum(
        int(each.intent["units"])
        for each in sent
        if each.intent["to"] == cancel.sender and each.state == "succeeded"
    )
    if balance < needed <= brought:
        raise Differs(f"{cancel.sender} was sent {brought}, and the node shows {balance}")
    return needed - max(balance, brought)


def _refused_since(sent: Iterable[Attempt], since: datetime) -> set[str]:
    """Return the addresses whose top-up the keystore refused lately: each try is a row of its journal."""
    return {
        str(each.intent["to"])
        for each in sent
        if each.state == "refused" and each.ended_at is not None and each.ended_at > since
    }


async def _sent(
    session: AsyncSession, network: str, addresses: Collection[str]
) -> Sequence[Attempt]:
    """Return the top-ups of these addresses since the oldest of their cancels that wait was made."""
    began = (
        select(func.min(Attempt.created_at))
        .where(
            Attempt.network_id == network,
            Attempt.purpose == CANCEL,
            Attempt.state == "signed",
            Attempt.sender.in_(addresses),
        )
        .scalar_subquery()
    )
    query = select(Attempt).where(
        Attempt.network_id == network,
        Attempt.purpose == TOP_UP,
        Attempt.intent["to"].astext.in_(addresses),
        Attempt.created_at >= began,
    )
    return (await session.scalars(query)).all()


async def _cancels(session: AsyncSession, network: str) -> list[Row[Attempt, int]]:
    """Return signed cancels of pool addresses that stand in no block, by place, with their indexes."""
    query = (
        select(Attempt, AddressPool.index)
        .join(
            AddressPool,
            (AddressPool.network_id == Attempt.network_id)
            & (AddressPool.address == Attempt.sender),
        )
        .where(
            Attempt.network_id == network,
            Attempt.purpose == CANCEL,
            Attempt.state == "signed",
        )
        .order_by(Attempt.place, Attempt.id)
    )
    return list(await session.execute(query))
