"""What the keystore signed and this database does not know: read, and taken over.

A database put back to an older copy has forgotten payments, and would begin them again. The
keystore numbers what it signs; before anything new is asked for, every number that is not here
is read and its bytes are kept as our own attempt, so that the settler follows it like any other.
The same path takes over bytes whose commit was lost when a process died.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.domain.moment import Moment
from gateway.models import ApplicationWallet, Attempt, Currency, Signature, Withdrawal
from gateway.withdrawals import repository as withdrawals
from gateway.withdrawals.moves import move
from keystore.api import Remembered, Signed
from keystore.client import KeystoreClient
from watchers import store
from watchers.chain import Chain
from watchers.clock import now
from watchers.network import ChainReader, Incomplete, NodeUnavailable
from watchers.pay import settler
from watchers.pay.claims import contradiction
from watchers.store import Position

log = structlog.get_logger()
APPROVER = "keystore-journal"
"""Who approved a payment whose approval the database has forgotten: it was signed."""
ROAD = {"pending": ("approved", "signing"), "approved": ("signing",), "signing": ()}
SLOT_GONE = "its slot on the chain was given to another payment before it was signed"
Locate = Callable[[str], Awaitable[int | None]]


async def looked_up(
    find: Callable[[ChainReader, str], Awaitable[int | None]],
    readers: Iterable[ChainReader],
    tx_hash: str,
) -> int | None:
    """Return where a transaction stands, by the first node that knows; None where none does.

    One that does not answer might know: its trouble is raised where no other does. What is
    taken for missing may be called expired, and its money given back.
    """
    trouble: Exception | None = None
    for reader in readers:
        try:
            height = await find(reader, tx_hash)
        except (NodeUnavailable, Incomplete) as fault:
            trouble = fault
            continue
        if height is not None:
            return height
    if trouble is not None:
        raise trouble
    return None


async def highest_known(session: AsyncSession, network: str) -> int:
    """Return the highest number of this network's payments that the database knows."""
    query = select(func.max(Signature.number)).where(Signature.network_id == network)
    return await session.scalar(query) or 0


async def note(
    session: AsyncSession, network: str, withdrawal_id: str, signed: Signed, moment: Moment
) -> None:
    """Remember a number together with what it stands for."""
    await session.execute(
        insert(Signature)
        .values(
            network_id=network,
            number=signed.number,
            withdrawal_id=withdrawal_id,
            tx_hash=signed.tx_hash,
            noted_at=moment.at,
        )
        .on_conflict_do_nothing()
    )


@dataclass(slots=True)
class Adoption:
    """Takes over what one network's payments the database has forgotten."""

    name: str
    chain: Chain
    database: Database
    keystore: KeystoreClient
    position: Position
    locate: Locate | None = None
    """Where a transaction stands that the scan may have passed already."""

    async def round(self) -> None:
        """Read the history until there is nothing new in it."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            known = await highest_known(session, self.name)
        while payments := await self.keystore.history(self.name, known):
            for payment in payments:
                await self._take(payment)
                known = payment.signed.number

    async def _take(self, payment: Remembered) -> None:
        """Keep one payment and see where it stands: both, or neither and it is asked for again.

        The lease's lock holds the scan back meanwhile: it neither passes the payment unseen nor
        calls it expired before this look.
        """
        moment = now()
        intent: dict[str, Any] = msgspec.to_builtins(payment.intent)
        signed = payment.signed
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            await note(session, self.name, intent["withdrawal_id"], signed, moment)
            await self._raise_nonce(session, signed.sender, intent)
            attempt = await self._kept(session, intent, signed, moment)
            if attempt is not None:
                await self._look_back(session, attempt, moment)
        if attempt is not None:
            log.warning(
                "taken over",
                network=self.name,
                withdrawal=attempt.withdrawal_id,
                tx=signed.tx_hash,
            )

    async def _kept(
        self, session: AsyncSession, intent: dict[str, Any], signed: Signed, moment: Moment
    ) -> Attempt | None:
        """Keep the bytes as our own attempt; None where the rows have them or cannot carry them."""
        raw = bytes.fromhex(signed.raw)
        attempt = await self._attempt(session, intent["withdrawal_id"])
        withdrawal = await withdrawals.locked(session, intent["withdrawal_id"])
        if withdrawal is None:
            self._report(intent, "no row asks for it: needs a person")
            return None
        fault = await self._fault(session, intent, withdrawal, attempt)
        if fault is not None:
            self._report(intent, fault)
            return None
        if attempt is not None and attempt.state != "prepared":
            return None
        self.chain.writer.verify(intent, raw)
        if attempt is None:
            await self._make_room(session, intent, signed.sender, moment)
            attempt = self._forgotten(intent, signed, moment)
            session.add(attempt)
        attempt.raw, attempt.tx_hash, attempt.state = raw, signed.tx_hash, "signed"
        await session.flush()
        await self._move(session, withdrawal, signed, moment)
        return attempt

    async def _fault(
        self,
        session: AsyncSession,
        intent: dict[str, Any],
        withdrawal: Withdrawal,
        attempt: Attempt | None,
    ) -> str | None:
        """Say why the rows cannot carry what was signed."""
        currency = await session.get_one(Currency, withdrawal.currency_id)
        fault = contradiction(intent, withdrawal, currency)
        if fault is None and attempt is None and withdrawal.status not in ROAD:
            return f"its withdrawal is {withdrawal.status}: needs a person"
        return fault

    async def _attempt(self, session: AsyncSession, withdrawal_id: str) -> Attempt | None:
        query = select(Attempt).where(Attempt.withdrawal_id == withdrawal_id).with_for_update()
        return (await session.scalars(query)).one_or_none()

    def _forgotten(self, intent: dict[str, Any], signed: Signed, moment: Moment) -> Attempt:
        return Attempt(
            id=moment.id("att"),
            network_id=self.name,
            purpose="payout",
            withdrawal_id=intent["withdrawal_id"],
            order_id=intent["withdrawal_id"],
            intent=intent,
            sender=signed.sender,
            nonce=intent.get("nonce"),
            nonce_account=intent.get("nonce_account"),
            nonce_value=intent.get("nonce_value"),
            broadcasts=0,
            created_at=moment.at,
        )

    async def _move(
        self, session: AsyncSession, withdrawal: Withdrawal, signed: Signed, moment: Moment
    ) -> None:
        if withdrawal.status == "pending":
            withdrawal.approved_by, withdrawal.approved_at = APPROVER, moment.at
        for status in (*ROAD[withdrawal.status], "broadcast"):
            withdrawal.tx_hash = signed.tx_hash
            await move(session, withdrawal, status, moment)

    async def _raise_nonce(
        self, session: AsyncSession, sender: str, intent: dict[str, Any]
    ) -> None:
        """Never give a nonce again that was signed for."""
        if intent.get("nonce") is None:
            return
        await session.execute(
            update(ApplicationWallet)
            .where(
                ApplicationWallet.network_id == self.name,
                ApplicationWallet.address == sender,
                ApplicationWallet.next_nonce <= intent["nonce"],
            )
            .values(next_nonce=intent["nonce"] + 1)
        )

    async def _make_room(
        self, session: AsyncSession, intent: dict[str, Any], sender: str, moment: Moment
    ) -> None:
        """End an unsigned intent that holds this slot: the keystore gave it to what it signed."""
        names = (
            ("nonce",) if intent.get("nonce") is not None else ("nonce_account", "nonce_value")
        )
        slot = {name: intent.get(name) for name in names}
        if None in slot.values():
            return  # Tron has no slots
        query = select(Attempt).filter_by(
            network_id=self.name, state="prepared", purpose="payout", sender=sender, **slot
        )
        for other in (await session.scalars(query.with_for_update())).all():
            other.nonce, other.nonce_value = None, None
            other.state, other.last_answer, other.ended_at = "refused", SLOT_GONE, moment.at
            await session.flush()
            withdrawal = await withdrawals.locked(session, other.withdrawal_id or "")
            if withdrawal is not None:
                withdrawal.failure_reason = SLOT_GONE
                await move(session, withdrawal, "failed", moment)

    async def _look_back(self, session: AsyncSession, attempt: Attempt, moment: Moment) -> None:
        """Observe a transaction in a block that was scanned before it was known to be ours."""
        tx_hash = attempt.tx_hash or ""
        height = None if self.locate is None else await self.locate(tx_hash)
        if height is None:
            return
        block = await self.chain.reader.read(height)
        standing = await store.block_at_or_below(session, self.name, height)
        if standing is None or standing.hash != block.ref.hash:
            return  # not scanned yet: the scanner will see it
        await settler.observe(session, [block], {tx_hash: attempt.id}, moment)

    def _report(self, intent: dict[str, Any], reason: str) -> None:
        log.error(
            "a signed payment is not taken over",
            network=self.name,
            withdrawal=intent["withdrawal_id"],
            reason=reason,
        )
