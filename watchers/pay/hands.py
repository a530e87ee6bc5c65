"""Signing what is prepared and sending what is signed, whatever it is for.

The intent is committed before the keystore is asked, and the signed bytes before they are first
sent. Whatever dies in between, the next run finds the same intent, asks again, gets the same
bytes and sends the same transaction. What nodes answer is kept for people and decides nothing.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter

import structlog
from sqlalchemy import func, update

from gateway.db import CROSS_TENANT, Database
from gateway.models import Attempt
from keystore.api import Signed
from keystore.client import KeystoreClient, KeystoreRefused, KeystoreUnavailable
from watchers import crash, store
from watchers.chain import Chain
from watchers.clock import now
from watchers.network import BroadcastRejected, Incomplete, NodeUnavailable
from watchers.pay import approved, slots, transactions
from watchers.pay.keepers import CANCEL, keeper_of
from watchers.pay.numbers import highest_known, note
from watchers.pay.replacing import fault
from watchers.pay.unwanted import ACCEPTED, Unwanted, newest
from watchers.store import Position

log = structlog.get_logger()
UNDECIDED = frozenset({"database_behind", "journal_behind", "slot_taken", "intent_conflict"})
"""Refusals about what was signed before: the intent stays, and nobody takes its place."""
REBROADCAST = timedelta(seconds=15)
ANSWER_MAX = 500
LOST = "lost"
HELD = "held"


class Objection(ValueError):
    """The rows contradict the intent: it is not shown to the keystore."""


class Held(Exception):
    """Nothing is signed for this order now: it gives its place back and waits for its turn."""


@dataclass(slots=True)
class Hands:
    """Signs and sends one network's transactions, oldest nonce first."""

    name: str
    chain: Chain
    database: Database
    keystore: KeystoreClient
    position: Position
    unwanted: Unwanted = field(default_factory=Unwanted)

    async def sign(self) -> None:
        """Ask for the bytes of everything that is prepared, and commit them."""
        for attempt in await self._in_state("prepared"):
            if attempt.place > 1 and await self._stands(attempt.order_id):
                continue  # its place is taken, unless the chain thinks again
            if _stale(attempt, now().at):
                await self.give_up(attempt, "", "it expired before it was signed")
                continue
            try:
                signed = await self.signed(attempt)
            except KeystoreRefused as refusal:
                reason = f"keystore: {refusal}"
                if refusal.code in UNDECIDED or attempt.purpose == "setup":
                    await self._wait(attempt, reason)
                else:
                    await self.give_up(attempt, refusal.code, reason)
            except Held as held:
                await self.give_up(attempt, HELD, str(held))
            except (KeystoreUnavailable, ValueError) as trouble:
                log.warning("not signed", attempt=attempt.id, reason=str(trouble))
                await self._wait(attempt, f"keystore: {trouble}")
            else:
                await self._keep(attempt, signed)

    async def signed(self, attempt: Attempt) -> Signed:
        """Return the bytes of an intent, read back: any that say something else are refused.

        Raises `ValueError` naming what differs, `Held`, `KeystoreRefused`, `KeystoreUnavailable`.
        """
        if attempt.purpose == "setup":
            facts = {key: value for key, value in attempt.intent.items() if key != "family"}
            crash.reach("lane.asking")
            setup = await self.keystore.sign_nonce_setup(**facts)
            crash.reach("lane.answered")
            return setup
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            keeper = await keeper_of(session, attempt)
            objection = await keeper.objection(session, attempt)
            siblings = await transactions.of_order(session, attempt.order_id)
            held = await keeper.held(session, attempt) if attempt.place == 1 else None
            proofs = await approved.proofs_of(session, attempt.order_id)
            known = await highest_known(session, self.name)
        objection = objection or fault(siblings, attempt)
        if objection is not None:
            raise Objection(objection)
        if held is not None:
            raise Held(held)
        order, approvals = proofs
        crash.reach("keystore.asking")
        signed = await self.keystore.sign(
            attempt.intent, known=known, order=order, approvals=approvals
        )
        crash.reach("keystore.answered")
        tx_hash = self.chain.writer.verify(attempt.intent, bytes.fromhex(signed.raw))
        if (tx_hash, attempt.sender) != (signed.tx_hash, signed.sender):
            raise Objection(f"{attempt.id}: the keystore names another hash or sender")
        return signed

    async def give_up(self, attempt: Attempt, code: str, reason: str) -> None:
        """End an intent that was never signed: its place is free, no bytes exist."""
        moment = now()
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            crash.around_commit(session, "payout.refused")
            row = await session.get_one(Attempt, attempt.id, with_for_update=True)
            if row.state != "prepared":
                return
            row.state, row.last_answer, row.ended_at = "refused", reason, moment.at
            keeper = await keeper_of(session, row)
            if row.place > 1:
                await session.flush()
                await keeper.waiting(session, row, reason, moment)
                return
            await slots.give_back(session, row)
            await session.flush()
            await keeper.refused(session, row, code, reason, moment)

    async def send(self) -> None:
        """Hand every transaction that may still land to the nodes again, when its time has come."""
        due = now().at - REBROADCAST
        head: int | None = None
        wanted = list(worth_sending(await self._in_state("signed")))
        foremost = newest(wanted)
        self.unwanted.keep(foremost)
        for attempt in wanted:
            if attempt.last_broadcast_at is not None and attempt.last_broadcast_at > due:
                continue
            if attempt.sent_height is None and attempt.nonce is not None and head is None:
                head = await self._head()
            crash.reach("broadcast.sending")
            said: Exception | None = None
            try:
                await self.chain.writer.broadcast(attempt.raw or b"")
            except (BroadcastRejected, NodeUnavailable) as trouble:
                said = trouble
            crash.reach("broadcast.sent")
            await self._note(attempt, said, head, foremost)

    async def _note(
        self,
        attempt: Attempt,
        said: Exception | None,
        head: int | None,
        foremost: Collection[str],
    ) -> None:
        """Keep what nodes answered; None: one of them took it."""
        moment = now()
        answer = ACCEPTED if said is None else str(said) or type(said).__name__
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            crash.around_commit(session, "payout.noted")
            await session.execute(
                update(Attempt)
                .where(Attempt.id == attempt.id)
                .values(
                    broadcasts=Attempt.broadcasts + 1,
                    sent_height=func.coalesce(Attempt.sent_height, head),
                    last_broadcast_at=moment.at,
                    last_answer=answer[:ANSWER_MAX],
                )
            )
            if attempt.id in foremost and not isinstance(said, NodeUnavailable):
                refusal = None if said is None else answer
                await self.unwanted.hear(session, attempt, refusal, moment)

    async def _stands(self, order_id: str) -> bool:
        """Tell whether a transaction of this order stands in a block."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            order = await transactions.of_order(session, order_id)
        return any(attempt.state == "included" for attempt in order)

    async def _head(self) -> int | None:
        """Return the node's height, from which a transaction's patience is counted."""
        try:
            return (await self.chain.reader.tip()).head
        except (Incomplete, NodeUnavailable):
            return None

    async def _wait(self, attempt: Attempt, reason: str) -> None:
        moment = now()
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                update(Attempt)
                .where(Attempt.id == attempt.id, Attempt.state == "prepared")
                .values(last_answer=reason[:ANSWER_MAX])
            )
            keeper = await keeper_of(session, attempt)
            await keeper.waiting(session, attempt, reason, moment)

    async def _keep(self, attempt: Attempt, signed: Signed) -> None:
        """Commit bytes and hash, before the first broadcast."""
        moment = now()
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            crash.around_commit(session, "payout.signed")
            row = await session.get_one(Attempt, attempt.id, with_for_update=True)
            if row.state != "prepared":
                return
            row.raw, row.tx_hash = bytes.fromhex(signed.raw), signed.tx_hash
            row.state, row.last_answer = "signed", None
            await session.flush()
            await note(session, self.name, row.order_id, signed, moment)
            keeper = await keeper_of(session, row)
            await keeper.signed(session, row, moment)

    async def _in_state(self, state: str) -> list[Attempt]:
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            return await transactions.in_state(session, self.name, state)


def worth_sending(signed: Sequence[Attempt]) -> Iterable[Attempt]:
    """Leave out what must not land: payments that are being canceled, and those nobody asks for."""
    by_order = sorted(signed, key=attrgetter("order_id"))
    taken_back = {
        order
        for order, each in groupby(by_order, key=attrgetter("order_id"))
        if any(attempt.purpose == CANCEL for attempt in each)
    }
    for attempt in signed:
        unwanted = attempt.purpose == LOST
        if attempt.purpose == CANCEL or not (unwanted or attempt.order_id in taken_back):
            yield attempt


def _stale(attempt: Attempt, at: datetime) -> bool:
    """Tell whether a transaction could no longer land by the time it was signed (Tron)."""
    expiration = attempt.intent.get("expiration_ms")
    return expiration is not None and int(expiration) <= int(at.timestamp() * 1000)
