"""What becomes of a key: it is renamed, narrowed, given a public key, rolled. Never widened."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.accounts import keys
from gateway.accounts.documents import KeyDocument, key_document, shown_public_key
from gateway.accounts.limits import require_narrowing
from gateway.accounts.makers import shown
from gateway.accounts.repository import are_one, key_of
from gateway.audit.service import record
from gateway.domain.actor import Actor
from gateway.domain.errors import Conflict, Forbidden, NotFound
from gateway.domain.moment import Moment
from gateway.models import ApiKey

MONEY_SCOPES = frozenset({"transfers:create", "withdrawals:approve", "withdrawals:create"})


async def change_key(
    session: AsyncSession, actor: Actor, key_id: str, wanted: Mapping[str, Any], moment: Moment
) -> KeyDocument:
    """Set the given columns; what does not differ is neither written nor recorded."""
    row = await _standing(session, actor, key_id, moment)
    after = {name: value for name, value in wanted.items() if getattr(row, name) != value}
    require_narrowing(row, after, moment.at)
    if "public_key" in after:
        # Where requests are signed it is the key's other secret.
        await _require_right_to_roll(session, actor, row)
    if after:
        before = {name: getattr(row, name) for name in after}
        for name, value in after.items():
            setattr(row, name, value)
        await session.flush()
        await record(
            session,
            actor,
            moment,
            action="api_key.changed",
            subject=row.id,
            before=_said(before),
            after=_said(after),
        )
    [document] = await shown(session, [row])
    return document


async def roll_key(
    session: AsyncSession,
    actor: Actor,
    key_id: str,
    pepper: str,
    moment: Moment,
    *,
    overlap: timedelta,
) -> KeyDocument:
    """Give the key a new secret; the old one stays in force for the overlap.

    The key keeps its id: whoever asked for a payment with it may not approve that with either
    secret. An older secret that is still in its own overlap ends at once.
    """
    row = await _standing(session, actor, key_id, moment)
    await _require_right_to_roll(session, actor, row)
    secret = keys.new_key(moment.randomness(keys.RANDOM_BYTES), livemode=row.livemode)
    before = {"prefix": row.prefix}
    keeps = overlap > timedelta(0)
    row.previous_key_hash = row.key_hash if keeps else None
    row.previous_prefix = row.prefix if keeps else None
    row.previous_until = moment.at + overlap if keeps else None
    row.key_hash = keys.hashed(pepper, secret)
    row.prefix = keys.shown(secret)
    await session.flush()
    after = {"prefix": row.prefix, "previous_until": _text(row.previous_until)}
    await record(
        session,
        actor,
        moment,
        action="api_key.rolled",
        subject=row.id,
        before=before,
        after=after,
    )
    return key_document(row, secret=secret)


async def _standing(session: AsyncSession, actor: Actor, key_id: str, moment: Moment) -> ApiKey:
    row = await key_of(session, actor.tenant, key_id, livemode=actor.livemode, lock=True)
    if row is None:
        raise NotFound(f"there is no API key {key_id[:64]}")
    if row.revoked_at is not None:
        raise Conflict("the key is revoked", code="api_key_revoked")
    if row.expires_at is not None and row.expires_at <= moment.at:
        raise Conflict("the key has expired", code="api_key_expired")
    return row


async def _require_right_to_roll(session: AsyncSession, actor: Actor, row: ApiKey) -> None:
    """Refuse a roll that would hand its caller rights, or another's name at the second gate."""
    lacking = set(row.scopes) - actor.scopes
    if lacking:
        raise Forbidden(f"this key cannot roll what it lacks: {', '.join(sorted(lacking))}")
    if MONEY_SCOPES & set(row.scopes) and not await are_one(session, actor.key_id, row.id):
        raise Forbidden(
            "a key that moves money gets a secret from itself or from its maker",
            code="not_its_maker",
        )


def _said(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return columns as JSON types."""
    said = dict(columns)
    if "public_key" in said:
        said["public_key"] = shown_public_key(said["public_key"])
    if "expires_at" in said:
        said["expires_at"] = _text(said["expires_at"])
    return said


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
