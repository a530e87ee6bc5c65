"""Security alerts for merchants that want them at their endpoints: one event per mode they hear."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.moment import Moment
from gateway.models import WebhookEndpoint
from gateway.notifications.kinds import ALERT
from gateway.webhooks.outbox import emit


async def emit_alert(
    session: AsyncSession, moment: Moment, merchant_id: str, change: dict[str, Any]
) -> None:
    """Write the alert's event; each is a subject of its own, so alerts wait for no other."""
    modes = await session.scalars(
        select(WebhookEndpoint.livemode)
        .where(
            WebhookEndpoint.merchant_id == merchant_id,
            WebhookEndpoint.status == "enabled",
            WebhookEndpoint.deleted_at.is_(None),
        )
        .distinct()
    )
    for livemode in modes:
        alert_id = moment.id("alr")
        await emit(
            session,
            moment,
            type_=ALERT,
            merchant_id=merchant_id,
            livemode=livemode,
            subject=alert_id,
            data={"object": {"id": alert_id, "object": "security_alert", **change}},
        )
