"""Places on the chain: the next nonce of a sender, a free durable-nonce lane; taken, given back.

No gap can arise. A sender has at most one transaction that is not signed yet, and its nonce is
the highest: where it is refused the nonce goes back, and where it is signed the bytes stay and
are sent until one transaction of that nonce lands. Where rows were lost all the same, the next
transaction of that sender takes the nonce that nobody holds.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from gateway.db import CROSS_TENANT, Database
from gateway.models import ApplicationWallet, Attempt, Cursor
from watchers.chain import Chain
from watchers.network import Refused, Slot

OPEN = ("prepared", "signed", "included")


class SlotTaken(Exception):
    """Somebody else was quicker, or waits for the keystore: look again."""


@dataclass(frozen=True, slots=True)
class Slots:
    """The free places of one network."""

    name: str
    chain: Chain
    database: Database

    async def next(self, sender: str) -> Slot | None:
        """Return the place that this sender's next transaction takes; None: wait for others.

        Raises `Refused` where the chain counts more than our own book: the key was used
        elsewhere, and nothing may leave that wallet.
        """
        if self.chain.numbered:
            return await self._numbered(sender)
        if self.chain.lanes is None:
            return Slot()
        return await self._lane()

    async def _numbered(self, sender: str) -> Slot | None:
        counted = await self.chain.writer.next_nonce(sender)
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            if await unsigned(session, self.name, sender):
                return None
            book = await booked(session, self.name, sender)
            hole = await hole_below(session, self.name, sender, counted)
        if counted > book:
            raise Refused(
                f"the chain counts {counted} transactions of {sender}, our book "
                f"{book}: its key was used elsewhere, or the database is older"
            )
        return Slot(nonce=book if hole is None else hole)

    async def _lane(self) -> Slot | None:
        """Return a lane that stands, is free, and whose value was never signed for."""
        lanes = self.chain.lanes
        if lanes is None:
            return None
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            free = await free_lanes(session, self.name)
            spent = await spent_values(session, self.name)
        for lane in free:
            value = await lanes.nonce_account_state(lane)
            if value is not None and (lane, value) not in spent:
                return Slot(nonce_account=lane)
        return None


async def booked(session: AsyncSession, network: str, sender: str) -> int:
    """Return the nonce after the highest that was ever given to a transaction of `sender`."""
    wallet = select(ApplicationWallet.next_nonce).where(
        ApplicationWallet.network_id == network, ApplicationWallet.address == sender
    )
    highest = await session.scalar(_highest(network, sender))
    return max(await session.scalar(wallet) or 0, 0 if highest is None else highest + 1)


async def hole_below(
    session: AsyncSession, network: str, sender: str, counted: int
) -> int | None:
    """Return a nonce between two of ours that no row holds, which the chain waits for; or None.

    `counted` is how many the node says have landed. All of our later transactions would wait for
    a hole, so the next one takes it.
    """
    landed = await session.scalar(
        _highest(network, sender).where(Attempt.block_height.is_not(None))
    )
    above = select(Attempt.nonce).where(
        *_first_of(network, sender), Attempt.nonce >= (0 if landed is None else landed)
    )
    held = {each for each in await session.scalars(above) if each is not None}
    if not held or counted < min(held):
        return None
    return next((each for each in range(counted, max(held)) if each not in held), None)


def _first_of(network: str, sender: str) -> tuple[ColumnElement[bool], ...]:
    """Select the first transactions of orders: the others stand in their places."""
    return (
        Attempt.network_id == network,
        Attempt.sender == sender,
        Attempt.place == 1,
        Attempt.nonce.is_not(None),
    )


def _highest(network: str, sender: str) -> Select[int | None]:
    return select(func.max(Attempt.nonce)).where(*_first_of(network, sender))


async def free_lanes(session: AsyncSession, network: str) -> list[str]:
    """Return the durable-nonce accounts that no order of ours waits on.

    One of which something stands in a final block has spent its value, however it ended: whoever
    has to bear that end out keeps its money back, and not its lane.
    """
    landed = aliased(Attempt)
    final = select(Cursor.final_height).where(Cursor.network_id == network).scalar_subquery()
    spent = select(landed.id).where(
        landed.order_id == Attempt.order_id,
        landed.state == "included",
        landed.block_height <= final,
    )
    busy = select(Attempt.nonce_account).where(
        Attempt.network_id == network,
        Attempt.state.in_(OPEN),
        Attempt.nonce_account.is_not(None),
        ~spent.exists(),
    )
    query = (
        select(ApplicationWallet.address)
        .where(
            ApplicationWallet.network_id == network,
            ApplicationWallet.purpose == "nonce",
            ApplicationWallet.address.not_in(busy),
        )
        .order_by(ApplicationWallet.id)
    )
    return list(await session.scalars(query))


async def spent_values(session: AsyncSession, network: str) -> set[tuple[str, str]]:
    """Return the newest values of each lane that something was signed for."""
    query = (
        select(Attempt.nonce_account, Attempt.nonce_value)
        .where(Attempt.network_id == network, Attempt.nonce_value.is_not(None))
        .order_by(Attempt.id.desc())
        .limit(SPENT_VALUES)
    )
    return {(row.nonce_account, row.nonce_value) for row in await session.execute(query)}


SPENT_VALUES = 500
"""How far a node may be behind, in payments; the rows themselves refuse an older value."""


async def take(
    session: AsyncSession, network: str, sender: str, slot: Slot, value: str | None
) -> None:
    """Claim a place inside the transaction that writes its first intent.

    Two rounds of this process may want the same one; the wallet's row lets one in at a time.
    Raises `SlotTaken`.
    """
    place = slot.nonce_account or sender
    wallet = await session.scalar(
        select(ApplicationWallet)
        .where(ApplicationWallet.network_id == network, ApplicationWallet.address == place)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if slot.nonce is not None:
        await _take_nonce(session, network, sender, slot.nonce, wallet)
    if slot.nonce_account is not None:
        await _take_lane(session, network, slot.nonce_account, value)


async def _take_nonce(
    session: AsyncSession,
    network: str,
    sender: str,
    nonce: int,
    wallet: ApplicationWallet | None,
) -> None:
    if await unsigned(session, network, sender):
        raise SlotTaken(f"{sender}: a transaction waits for its signature")
    book = await booked(session, network, sender)
    held = select(Attempt.id).where(*_first_of(network, sender), Attempt.nonce == nonce)
    if nonce > book or await session.scalar(held.limit(1)) is not None:
        raise SlotTaken(f"{sender}: nonce {nonce} is no longer the next one")
    if wallet is not None and (wallet.next_nonce is None or wallet.next_nonce == nonce):
        wallet.next_nonce = nonce + 1
        await session.flush()


async def _take_lane(session: AsyncSession, network: str, lane: str, value: str | None) -> None:
    if lane not in await free_lanes(session, network):
        raise SlotTaken(f"lane {lane} is taken")
    spent = select(Attempt.id).where(
        Attempt.network_id == network,
        Attempt.nonce_account == lane,
        Attempt.nonce_value == value,
    )
    if await session.scalar(spent.limit(1)) is not None:
        raise Refused(f"the node shows a value of lane {lane} that was used before")


async def give_back(session: AsyncSession, attempt: Attempt) -> None:
    """Free the place of a first intent that was never signed: it is the newest of its sender."""
    nonce, attempt.nonce, attempt.nonce_value = attempt.nonce, None, None
    if nonce is None:
        return
    await session.execute(
        update(ApplicationWallet)
        .where(
            ApplicationWallet.network_id == attempt.network_id,
            ApplicationWallet.address == attempt.sender,
            ApplicationWallet.next_nonce == nonce + 1,
        )
        .values(next_nonce=nonce)
    )


async def unsigned(session: AsyncSession, network: str, sender: str) -> bool:
    """Tell whether a transaction of this sender waits for its signature."""
    waiting = select(Attempt.id).where(*_first_of(network, sender), Attempt.state == "prepared")
    return await session.scalar(waiting.limit(1)) is not None
