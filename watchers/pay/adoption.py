"""What the keystore signed and this database does not know: read, and taken over.

A database put back to an older copy has forgotten payments, and would begin them again. The
keystore numbers what it signs; before anything new is asked for, every number that is not here
is read and its bytes are kept as our own attempt, so that the settler follows it like any other.
The same path takes over bytes whose commit was lost when a process died.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.domain.moment import Moment
from gateway.models import Attempt
from keystore.api import Remembered
from keystore.client import KeystoreClient
from watchers import crash, store
from watchers.chain import Chain
from watchers.clock import now
from watchers.network import ChainReader, Incomplete, NodeUnavailable, WrongChain
from watchers.pay.forgotten import Found, kept
from watchers.pay.numbers import highest_known, note
from watchers.pay.overlooked import Locate, Overlooked, bear_silence, seen_in
from watchers.pay.passed import Passed
from watchers.store import Position

log = structlog.get_logger()


async def looked_up(
    find: Callable[[ChainReader, str], Awaitable[int | None]],
    readers: Iterable[ChainReader],
    tx_hash: str,
) -> int | None:
    """Return where a transaction stands, by the first node that knows; None where none does.

    One that does not answer might know: its trouble is raised where no other does. What is
    taken for missing may be called expired, and its money given back. A node of another chain has
    no say, unless there is no other.
    """
    trouble: Exception | None = None
    strangers: list[WrongChain] = []
    readers = list(readers)
    for reader in readers:
        try:
            height = await find(reader, tx_hash)
        except WrongChain as stranger:
            strangers.append(stranger)
            continue
        except (NodeUnavailable, Incomplete) as fault:
            trouble = fault
            continue
        if height is not None:
            return height
    if trouble is not None:
        raise trouble
    if strangers and len(strangers) == len(readers):
        raise strangers[0]
    return None


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
    passed: Passed = field(init=False)
    overlooked: Overlooked = field(init=False)

    def __post_init__(self) -> None:
        mine = (self.name, self.chain, self.database, self.position)
        self.passed, self.overlooked = Passed(*mine), Overlooked(*mine)

    async def round(self) -> None:
        """Read the history until there is nothing new in it, then the blocks it may stand in."""
        await self._read_history()
        await self.passed.round()

    async def _read_history(self) -> None:
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            known = await highest_known(session, self.name)
        crash.reach("adoption.reading")
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
        found = Found(self.name, msgspec.to_builtins(payment.intent), payment.signed)
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            await bear_silence(session)
            crash.around_commit(session, "adoption.taken")
            await note(session, self.name, found.order_id, found.signed, moment)
            attempt = await kept(session, self.chain, found, moment)
            if attempt is not None and attempt.state == "signed":
                await self._look_back(session, attempt, moment)
        if attempt is not None:
            log.warning(
                "taken over",
                network=self.name,
                order=attempt.order_id,
                purpose=attempt.purpose,
                tx=found.signed.tx_hash,
            )

    async def look_again(self) -> None:
        """Look for what landed in a block that the scan had passed, where no node said so then."""
        if self.locate is not None:
            await self.overlooked.round(self.locate)

    async def _look_back(self, session: AsyncSession, attempt: Attempt, moment: Moment) -> None:
        """Observe a transaction in a block that was scanned before it was known to be ours.

        Where no block of ours is named in which it stands, what expires has them all read again.
        What stands on a nonce lane is taken back on its own value alone: it may have landed in a
        block that the scan had passed, and then the lane moved by it. On its own value nothing
        lands that it did not outrun, so that a payment and its cancel never both do. `overlooked`
        finds it as soon as a node tells of it.
        """
        tx_hash = attempt.tx_hash or ""
        cursor = await store.position_of(session, self.name)
        scanned = self.position.height if cursor is None else cursor.height
        height = None if self.locate is None else await self.locate(tx_hash)
        passed = height is not None and height <= scanned
        if passed and await seen_in(session, self.chain, attempt, height or 0, moment):
            return
        if attempt.intent.get("expiration_ms") is not None:
            attempt.passed_height = scanned
            return
        if attempt.nonce_value is not None:
            attempt.passed_height = scanned
        if passed:
            raise Incomplete(
                f"{tx_hash}: said to stand in block {height}, ours does not show it"
            )
