"""The audit log: one row per change that came through the API, in the transaction of the change."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import as_json, send_later
from gateway.domain.actor import Actor
from gateway.domain.moment import Moment

# Made once: every change comes by here.
_RECORD = """
INSERT INTO audit_log (merchant_id, actor, action, subject, before, after, address, endpoint,
    request_id, at)
VALUES (%(merchant_id)s, %(actor)s, %(action)s, %(subject)s, %(before)s, %(after)s, %(address)s, %(endpoint)s,
    %(request_id)s, %(at)s)
"""


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
    values = {
        "merchant_id": merchant_id or actor.merchant_id,
        "actor": actor.key_id,
        "action": action,
        "subject": subject,
        "before": None if before is None else as_json(before),
        "after": None if after is None else as_json(after),
        "address": actor.address,
        "endpoint": actor.endpoint,
        "request_id": actor.request_id,
        "at": moment.at,
    }
    await send_later(session, _RECORD, values)
