"""Keys that outlive their maker's rights: flagged where keys are shown, alerted, ended on demand."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.accounts.documents import KeyDocument, key_document
from gateway.accounts.service import end_key
from gateway.accounts.standing import keys_by, makers_of
from gateway.audit.service import record
from gateway.domain.actor import Actor
from gateway.domain.moment import Moment
from gateway.domain.roles import scopes_of
from gateway.models import ApiKey, User

Rights = Mapping[str, frozenset[str]]
"""What each maker of the merchant may do today; nothing, where it is gone, suspended or revoked."""


def lacking(row: ApiKey, rights: Rights) -> frozenset[str]:
    """Return the scopes of a key that its maker could not hand out today; pure.

    Makers that are not named are the house's: an operator hands out what it does not have itself.
    """
    own = rights.get(row.created_by or "")
    return frozenset() if own is None else frozenset(row.scopes) - own


def rights_of(maker: User | ApiKey) -> frozenset[str]:
    """Return what a person or a key may do today; pure."""
    if isinstance(maker, ApiKey):
        return frozenset(maker.scopes) if maker.revoked_at is None else frozenset()
    if maker.status != "active" or maker.deleted_at is not None:
        return frozenset()
    return scopes_of(maker.role, maker.team_role)


async def shown(session: AsyncSession, rows: Sequence[ApiKey]) -> list[KeyDocument]:
    """Return keys as documents, each with what is to be said of its maker."""
    makers = {row.created_by for row in rows if row.created_by is not None}
    rights = {maker.id: rights_of(maker) for maker in await makers_of(session, makers)}
    return [
        key_document(row, outlives=row.revoked_at is None and bool(lacking(row, rights)))
        for row in rows
    ]


async def _all_by(session: AsyncSession, maker: str, at: datetime) -> list[ApiKey]:
    """Lock and return a person's keys in force, those too that were being made meanwhile."""
    found: list[ApiKey] = []
    # Whoever made one held the key it was made with: after that wait another statement sees it.
    while len(rows := await keys_by(session, maker, at)) > len(found):
        found = list(rows)
    return found


async def maker_changed(
    session: AsyncSession, actor: Actor, maker: User, moment: Moment, *, revoke: bool
) -> None:
    """Deal with the keys of somebody who may do less now: end them, or put each on record.

    What is on record becomes an alert: a shop may hang on such a key, and its secret is known to
    whoever made it.
    """
    rights = {maker.id: rights_of(maker)}
    for row in await _all_by(session, maker.id, moment.at):
        if revoke:
            # What was made with it has the same maker, and is in this list.
            await end_key(session, actor, row, moment, made=False)
        elif more := lacking(row, rights):
            await record(
                session,
                actor,
                moment,
                action="api_key.outlives_maker",
                subject=row.id,
                merchant_id=row.merchant_id,
                after={"maker": maker.id, "scopes": sorted(more)},
            )
