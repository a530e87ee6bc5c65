"""From what happened to who is told: events and changes become messages, each exactly once.

Feed and audit chain give a place to what was committed, in one order. A cursor moves over them in
the transaction that writes the messages, so neither a crash nor a second worker tells twice.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.domain.moment import Moment
from gateway.models import Merchant, MerchantSettings, Notification, NotificationTarget
from gateway.notifications.kinds import ALERT, KIND_OF_EVENT, channels
from gateway.notifications.outbox import Message, is_mail_address, row_of
from gateway.notifications.words import ALERTS, of_change, of_event

BATCH = 500

Emit = Callable[[AsyncSession, Moment, str, dict[str, Any]], Awaitable[None]]
"""Write the event of an alert to a merchant's endpoints."""

_CURSOR = text("SELECT place FROM notification_cursor WHERE source = :source FOR UPDATE")
_MOVE = text("UPDATE notification_cursor SET place = :place WHERE source = :source")
# The types are those of the partial index `event_told`, word by word.
_EVENTS = text("""
SELECT id, merchant_id, type, livemode, data, feed AS place FROM event
WHERE feed > :after AND feed IS NOT NULL AND type IN ('invoice.settled',
    'invoice.partially_paid', 'invoice.overpaid', 'invoice.paid_late', 'invoice.invalid',
    'withdrawal.completed', 'withdrawal.failed', 'webhook_endpoint.disabled')
ORDER BY feed LIMIT :batch
""")
_CHANGES = text("""
SELECT l.place, a.merchant_id, a.actor, a.action, a.subject, a.address,
    a.action = 'session.created' AND EXISTS (SELECT 1 FROM audit_log b
        WHERE b.action = 'session.created' AND b.actor = a.actor AND b.id < a.id
          AND b.address IS NOT DISTINCT FROM a.address) AS usual
FROM audit_link l JOIN audit_log a ON a.id = l.audit_id
WHERE l.place > :after ORDER BY l.place LIMIT :batch
""")


async def announce_events(database: Database, moment: Moment) -> bool:
    """Turn new events into messages; tell whether there may be more."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        rows = await _next(session, "feed", _EVENTS)
        recipients = await Recipients.of(session, {row.merchant_id for row in rows})
        messages = []
        for row in rows:
            kind = KIND_OF_EVENT[row.type]
            told = recipients.to(row.merchant_id, kind)
            if not told:
                continue
            subject, body = of_event(row.type, row.data, livemode=row.livemode)
            plain = Message(row.merchant_id, "", kind, subject, body)
            about = replace(plain, livemode=row.livemode, event_id=row.id)
            messages += [replace(about, recipient=each) for each in told]
        await _write(session, messages, moment)
        return len(rows) == BATCH


async def announce_changes(database: Database, moment: Moment, emit: Emit) -> bool:
    """Turn new rows of the audit log into alerts; tell whether there may be more."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        rows = await _next(session, "audit", _CHANGES)
        alerts = [
            row for row in rows if row.merchant_id and row.action in ALERTS and not row.usual
        ]
        recipients = await Recipients.of(session, {row.merchant_id for row in alerts})
        messages = []
        for row in alerts:
            subject, body = of_change(row.action, row.subject, row.actor, row.address)
            messages += [
                Message(row.merchant_id, each, ALERT, subject, body)
                for each in recipients.to(row.merchant_id, ALERT)
            ]
            if recipients.hears(row.merchant_id, ALERT):
                what = {"action": row.action, "subject": row.subject, "actor": row.actor}
                await emit(session, moment, row.merchant_id, {**what, "address": row.address})
        await _write(session, messages, moment)
        return len(rows) == BATCH


class Recipients:
    """Who of some merchants is told what, read once for a whole batch."""

    def __init__(
        self,
        wishes: Mapping[str, Mapping[str, Any]],
        addresses: Mapping[str, str],
        targets: Iterable[NotificationTarget],
    ) -> None:
        self._wishes = wishes
        self._addresses = addresses
        self._targets: dict[tuple[str, str], list[str]] = {}
        for target in targets:
            key = (target.merchant_id, target.channel)
            self._targets.setdefault(key, []).append(target.name)

    @classmethod
    async def of(cls, session: AsyncSession, merchants: set[str]) -> "Recipients":
        """Read the merchants' wishes, addresses and targets."""
        if not merchants:
            return cls({}, {}, ())
        wishes = await session.execute(
            select(MerchantSettings.merchant_id, MerchantSettings.notifications).where(
                MerchantSettings.merchant_id.in_(merchants)
            )
        )
        addresses = await session.execute(
            select(Merchant.id, Merchant.email).where(
                Merchant.id.in_(merchants), Merchant.email.is_not(None)
            )
        )
        targets = await session.scalars(
            select(NotificationTarget).where(
                NotificationTarget.merchant_id.in_(merchants),
                NotificationTarget.deleted_at.is_(None),
            )
        )
        usable = {
            merchant: address
            for merchant, address in addresses
            if address is not None and is_mail_address(address)
        }
        return cls(dict(wishes.tuples().all()), usable, targets.all())

    def to(self, merchant_id: str, kind: str) -> Sequence[str]:
        """Return the recipients of a kind of message: an e-mail address, names of targets."""
        found: list[str] = []
        for channel in channels(self._wishes.get(merchant_id), kind):
            if channel == "email" and merchant_id in self._addresses:
                found.append(self._addresses[merchant_id])
            found += self._targets.get((merchant_id, channel), [])
        return found

    def hears(self, merchant_id: str, kind: str) -> bool:
        """Tell whether the merchant's endpoints are told as well."""
        return "webhook" in channels(self._wishes.get(merchant_id), kind)


async def _next(session: AsyncSession, source: str, query: Any) -> Sequence[Any]:
    """Read behind the cursor, which waits for whoever else moves it, and move it."""
    after = await session.scalar(_CURSOR, {"source": source})
    rows = (await session.execute(query, {"after": after, "batch": BATCH})).all()
    if rows:
        await session.execute(_MOVE, {"source": source, "place": rows[-1].place})
    return rows


async def _write(session: AsyncSession, messages: Sequence[Message], moment: Moment) -> None:
    if messages:
        # Every row has an event_id or none has: one statement for all of them.
        rows = [row_of(message, moment, None) for message in messages]
        await session.execute(insert(Notification), rows)
