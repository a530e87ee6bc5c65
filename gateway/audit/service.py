"""The audit log: one row per change that came through the API, in the transaction of the change."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.actor import Actor
from gateway.domain.moment import Moment
from gateway.models import AuditLog


async def record(
    session: AsyncSession,
    actor: Actor,
    moment: Moment,
    *,
    action: str,
    subject: str,
    merchant_id: str | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write one row; `merchant_id` is the tenant it happened in, by default the actor's own.

    `before` and `after` hold the fields that changed, as JSON types and without secrets.
    """
    await session.execute(
        insert(AuditLog).values(
            merchant_id=merchant_id or actor.merchant_id,
            actor=actor.key_id,
            action=action,
            subject=subject,
            before=dict(before) if before is not None else None,
            after=dict(after) if after is not None else None,
            address=actor.address,
            endpoint=actor.endpoint,
            request_id=actor.request_id,
            at=moment.at,
        )
    )
