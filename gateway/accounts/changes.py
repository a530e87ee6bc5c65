"""What becomes of a key: it is renamed, narrowed, given a public key, rolled. Never widened."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.accounts import keys
from gateway.accounts.documents import KeyDocument, key_document, shown_public_key
from gateway.accounts.repository import are_one, key_of
from gateway.accounts.service import check_networks
from gateway.audit.service import record
from gateway.domain.actor import Actor
from gateway.domain.errors import Conflict, Forbidden, Invalid, NotFound
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
    return key_document(row)


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


def require_narrowing(row: ApiKey, after: Mapping[str, Any], at: datetime) -> None:
    """Refuse what would give the key more than it has; pure."""
    for index, scope in enumerate(after.get("scopes", ())):
        if scope not in row.scopes:
            raise _wider(f"/scopes/{index}", f"{scope[:64]}: the key does not have it")
    if "allowed_ips" in after:
        _require_narrower_networks(row.allowed_ips, after["allowed_ips"])
    if "expires_at" in after:
        if after["expires_at"] <= at:
            raise Invalid.field("/expires_at", "invalid_time", "expires_at is in the past")
        if row.expires_at is not None and after["expires_at"] > row.expires_at:
            raise _wider("/expires_at", "a key does not live longer than it was made for")
    limit = after.get("requests_per_minute")
    if limit and row.requests_per_minute and limit > row.requests_per_minute:
        raise _wider("/requests_per_minute", "the key's own limit can only be lowered")


def _require_narrower_networks(present: Sequence[str], wanted: Sequence[str]) -> None:
    check_networks(wanted)
    if not present:
        return
    if not wanted:
        raise _wider("/allowed_ips", "an empty list allows every address")
    homes = [ip_network(each, strict=False) for each in present]
    for index, each in enumerate(wanted):
        network = ip_network(each, strict=False)
        if not any(
            int(home.network_address) <= int(network.network_address)
            and int(network.broadcast_address) <= int(home.broadcast_address)
            for home in homes
            if home.version == network.version
        ):
            raise _wider(f"/allowed_ips/{index}", f"{each}: outside of what the key has")


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
            "a key that moves money is rolled by itself or by its maker", code="not_its_maker"
        )


def _wider(pointer: str, detail: str) -> Invalid:
    return Invalid.field(pointer, "wider_than_before", detail)


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
