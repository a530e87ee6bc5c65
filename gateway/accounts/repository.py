"""Named queries for API keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import Database
from gateway.domain.actor import Actor, Budget
from gateway.models import ApiKey
from gateway.paging import PageRequest, Slice, newest_first

_AUTHENTICATE = """
SELECT id, merchant_id, scopes, livemode, allowed_ips, merchant_ips, suspended, require_signature,
    public_key, fresh, quota, used, resets_in
FROM authenticate_key(%(hash)s, %(now)s, %(quota)s, %(source)s, %(nonce)s, %(nonce_until)s)
"""


@dataclass(frozen=True, slots=True)
class KeyUse:
    """One use of a key: the hash of its secret, from where, and the nonce of its signature."""

    key_hash: bytes
    source: str | None = None
    nonce: str | None = None
    nonce_until: datetime | None = None


class _Row(NamedTuple):
    """What `_AUTHENTICATE` selects."""

    id: str
    merchant_id: str | None
    scopes: Sequence[str]
    livemode: bool
    allowed_ips: Sequence[str]
    merchant_ips: Sequence[str]
    suspended: bool
    require_signature: bool
    public_key: bytes | None
    fresh: bool
    quota: int
    used: int
    resets_in: int


async def actor_of(database: Database, use: KeyUse, at: datetime, quota: int) -> Actor | None:
    """Return who holds the key of this hash, across tenants, if it is in force.

    The request is counted against `quota` per minute, 0 without a limit, or the key's own if
    that is lower; the nonce is spent.
    """
    values = {
        "hash": use.key_hash, "now": at, "quota": quota, "source": use.source,
        "nonce": use.nonce, "nonce_until": use.nonce_until,
    }  # fmt: skip
    found = await database.ask(_AUTHENTICATE, values)
    if not found:
        return None
    row = _Row(*found[0])
    return Actor(
        key_id=row.id,
        merchant_id=row.merchant_id,
        scopes=frozenset(row.scopes),
        livemode=row.livemode,
        allowed_ips=tuple(row.allowed_ips),
        merchant_ips=tuple(row.merchant_ips),
        suspended=row.suspended,
        require_signature=row.require_signature,
        public_key=row.public_key,
        nonce_fresh=row.fresh,
        budget=Budget(row.quota, row.quota - row.used, row.resets_in) if row.quota else None,
    )


async def key_page(
    session: AsyncSession, merchant_id: str, page: PageRequest, *, livemode: bool
) -> Slice[ApiKey]:
    """Return the keys of one merchant and mode, revoked ones included."""
    query = select(ApiKey).where(ApiKey.merchant_id == merchant_id, ApiKey.livemode == livemode)
    return await newest_first(session, query, ApiKey.id, page)


async def key_of(
    session: AsyncSession,
    merchant_id: str,
    key_id: str,
    *,
    livemode: bool,
    lock: bool = False,
) -> ApiKey | None:
    """Return one key of the merchant."""
    query = select(ApiKey).where(
        ApiKey.id == key_id,
        ApiKey.merchant_id == merchant_id,
        ApiKey.livemode == livemode,
    )
    return (await session.scalars(query.with_for_update() if lock else query)).one_or_none()


async def behind(session: AsyncSession, actor: str) -> str:
    """Return the person or the first key that stands behind an actor."""
    return str(await session.scalar(select(func.one_behind(actor))))


async def are_one(session: AsyncSession, actor: str, other: str) -> bool:
    """Tell whether the same person or first key stands behind both."""
    return await behind(session, actor) == await behind(session, other)
