"""Money out, safe to kill anywhere: claim, prepare, sign, persist, broadcast.

The intent is committed before the keystore is asked, and the signed bytes before they are first
sent. Whatever dies in between, the next run finds the same intent, asks again, gets the same
bytes and sends the same transaction. Broadcast answers are kept for people and decide nothing;
`settler` decides from our own scan.
"""

from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from sqlalchemy import select, update

from gateway.db import CROSS_TENANT, Database
from gateway.models import ApplicationWallet, Attempt, Currency, Withdrawal
from gateway.settings import NetworkSettings
from gateway.withdrawals import repository as withdrawals
from gateway.withdrawals.moves import move
from keystore.api import Signed
from keystore.client import KeystoreClient, KeystoreRefused, KeystoreUnavailable
from watchers import store
from watchers.chain import Chain
from watchers.clock import now
from watchers.network import (
    BroadcastRejected,
    NodeUnavailable,
)
from watchers.pay.adoption import Adoption, Locate, highest_known, note
from watchers.pay.claims import Claims, contradiction
from watchers.store import Position

log = structlog.get_logger()
HOPELESS = frozenset(
    {"bad_amount", "bad_asset", "bad_destination", "own_destination", "bad_field", "bad_range"}
)
"""Refusals that no time and no person changes. A taken slot or id is not among them."""
REBROADCAST = timedelta(seconds=15)
CLAIMS_PER_ROUND = 20
BLOCKED_RETRY = timedelta(seconds=5)


@dataclass(slots=True)
class Payouts:
    """Pays one network's approved withdrawals from its hot wallet."""

    name: str
    settings: NetworkSettings
    chain: Chain
    database: Database
    keystore: KeystoreClient
    position: Position
    locate: Locate | None = None
    claims: Claims = field(init=False)
    adoption: Adoption = field(init=False)

    def __post_init__(self) -> None:
        self.claims = Claims(self.name, self.settings, self.chain, self.database, self.position)
        self.adoption = Adoption(
            self.name, self.chain, self.database, self.keystore, self.position, self.locate
        )

    async def round(self) -> None:
        """Take over what was forgotten, finish what was begun, begin what is approved, send.

        Nothing is claimed while an intent waits for the keystore: one that is refused is then
        always the newest, and gives its nonce back without leaving a gap.
        """
        try:
            await self.adoption.round()
        except KeystoreUnavailable:
            await self._broadcast_signed()  # what is signed needs no keystore
            raise
        await self._sign_prepared()
        for _ in range(CLAIMS_PER_ROUND):
            if await self._attempts("prepared") or not await self.claims.claim():
                break
            await self._sign_prepared()
        await self._broadcast_signed()

    async def _sign_prepared(self) -> None:
        for attempt in await self._attempts("prepared"):
            try:
                signed = await self._signed(attempt)
            except KeystoreRefused as refusal:
                if refusal.code in HOPELESS:
                    await self._give_up(attempt, f"keystore: {refusal}")
                else:
                    await self._wait(attempt, f"keystore: {refusal}")
            except (KeystoreUnavailable, ValueError) as trouble:
                log.warning("not signed", attempt=attempt.id, reason=str(trouble))
                await self._wait(attempt, f"keystore: {trouble}")
            else:
                await self._keep(attempt, signed)

    async def _wait(self, attempt: Attempt, reason: str) -> None:
        if attempt.withdrawal_id is not None:
            await self.claims.block(attempt.withdrawal_id, reason)

    async def _give_up(self, attempt: Attempt, reason: str) -> None:
        """End an intent that can never be signed: nonce back, hold back, no bytes exist."""
        moment = now()
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            row = await session.get_one(Attempt, attempt.id, with_for_update=True)
            nonce, row.nonce, row.nonce_value = row.nonce, None, None
            row.state, row.last_answer, row.ended_at = "refused", reason, moment.at
            if nonce is not None:
                await session.execute(
                    update(ApplicationWallet)
                    .where(
                        ApplicationWallet.network_id == self.name,
                        ApplicationWallet.address == row.sender,
                        ApplicationWallet.next_nonce == nonce + 1,
                    )
                    .values(next_nonce=nonce)
                )
            if row.withdrawal_id is not None:
                withdrawal = await withdrawals.locked(session, row.withdrawal_id)
                if withdrawal is not None:
                    withdrawal.failure_reason = reason
                    await move(session, withdrawal, "failed", moment)

    async def _signed(self, attempt: Attempt) -> Signed:
        if attempt.purpose == "setup":
            facts = {key: value for key, value in attempt.intent.items() if key != "family"}
            return await self.keystore.sign_nonce_setup(**facts)
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            withdrawal = await session.get_one(Withdrawal, attempt.withdrawal_id)
            currency = await session.get_one(Currency, withdrawal.currency_id)
            known = await highest_known(session, self.name)
        fault = contradiction(attempt.intent, withdrawal, currency)
        if fault is not None:
            raise ValueError(fault)
        signed = await self.keystore.sign(attempt.intent, known=known)
        # Read back what was signed: bytes that say anything but the intent are never stored.
        tx_hash = self.chain.writer.verify(attempt.intent, bytes.fromhex(signed.raw))
        if (tx_hash, attempt.sender) != (signed.tx_hash, signed.sender):
            raise ValueError(f"{attempt.id}: the keystore names another hash or sender")
        return signed

    async def _keep(self, attempt: Attempt, signed: Signed) -> None:
        """Commit bytes and hash, before the first broadcast."""
        moment = now()
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            row = await session.get_one(Attempt, attempt.id, with_for_update=True)
            if row.state != "prepared":
                return
            row.raw, row.tx_hash = bytes.fromhex(signed.raw), signed.tx_hash
            row.state = "signed"
            await session.flush()
            if row.withdrawal_id is not None:
                withdrawal = await withdrawals.locked(session, row.withdrawal_id)
                if withdrawal is None:
                    raise LookupError(f"{row.id} names a withdrawal that is not there")
                await note(session, self.name, withdrawal.id, signed, moment)
                withdrawal.tx_hash = signed.tx_hash
                await move(session, withdrawal, "broadcast", moment)

    async def _broadcast_signed(self) -> None:
        due = now().at - REBROADCAST
        for attempt in await self._attempts("signed"):
            if attempt.last_broadcast_at is not None and attempt.last_broadcast_at > due:
                continue
            try:
                await self.chain.writer.broadcast(attempt.raw or b"")
                answer = "accepted"
            except (BroadcastRejected, NodeUnavailable) as trouble:
                answer = str(trouble) or type(trouble).__name__
            async with self.database.unit_of_work(CROSS_TENANT) as session:
                await session.execute(
                    update(Attempt)
                    .where(Attempt.id == attempt.id)
                    .values(
                        broadcasts=Attempt.broadcasts + 1,
                        last_broadcast_at=now().at,
                        last_answer=answer[:500],
                    )
                )

    async def _attempts(self, state: str) -> list[Attempt]:
        query = (
            select(Attempt)
            .where(Attempt.network_id == self.name, Attempt.state == state)
            .order_by(Attempt.nonce, Attempt.id)
        )
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            return list(await session.scalars(query))
