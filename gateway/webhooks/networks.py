"""News of networks for merchants who listen: payments cannot be seen in time, and can again.

A network that goes up and down is not worth an event each time: it has to stay otherwise than
was said last for a while. What was said last is a row, so several workers say it once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.catalog.availability import is_lagging
from gateway.catalog.documents import NetworkDocument, network_document
from gateway.db import CROSS_TENANT, Database
from gateway.domain.moment import Moment
from gateway.models import Merchant, Network, NetworkCondition, NetworkHealth, WebhookEndpoint
from gateway.settings import Settings
from gateway.webhooks.catalogue import DEGRADED, EVERYTHING, RECOVERED
from gateway.webhooks.outbox import emit

DEGRADED_AFTER = timedelta(minutes=1)
"""A network lags for so long before anybody is told, beyond its own `lag_seconds_max`."""
RECOVERED_AFTER = timedelta(minutes=5)
"""And keeps up for so long."""

# A network that no watcher has spoken of yet is not news; at first all of them are well.
_BEGIN = text("""
INSERT INTO network_condition (network_id, degraded, since)
SELECT network_id, false, :at FROM network_health
ON CONFLICT (network_id) DO NOTHING
""")


@dataclass(frozen=True, slots=True)
class Condition:
    """What was said last, since when, and since when it looks otherwise."""

    degraded: bool
    since: datetime
    doubted_since: datetime | None = None


def judged(before: Condition, at: datetime, *, lagging: bool) -> Condition:
    """Return what is to be said now; `since` is when it began."""
    if lagging == before.degraded:
        return Condition(before.degraded, before.since)
    doubted = before.doubted_since or at
    if at - doubted < (DEGRADED_AFTER if lagging else RECOVERED_AFTER):
        return Condition(before.degraded, before.since, doubted)
    return Condition(lagging, doubted)


async def news_round(database: Database, settings: Settings, moment: Moment) -> None:
    """Look at every network; tell what has changed, in the transaction that writes it down."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        await session.execute(_BEGIN, {"at": moment.at})
        for row, network, health in await _conditions(session, sorted(settings.networks)):
            seconds_max = settings.networks[network.id].lag_seconds_max
            lagging = is_lagging(health, moment.at, seconds_max)
            before = Condition(row.degraded, row.since, row.doubted_since)
            after = judged(before, moment.at, lagging=lagging)
            row.degraded, row.since, row.doubted_since = (
                after.degraded,
                after.since,
                after.doubted_since,
            )
            if after.degraded != before.degraded:
                document = network_document(network, health, moment.at, seconds_max)
                await _tell(session, document, after, moment)


async def _conditions(
    session: AsyncSession, network_ids: Sequence[str]
) -> list[tuple[NetworkCondition, Network, NetworkHealth]]:
    """Return the enabled networks with what was said of them, locked: one worker at a time."""
    query = (
        select(NetworkCondition, Network, NetworkHealth)
        .join(Network, Network.id == NetworkCondition.network_id)
        .join(NetworkHealth, NetworkHealth.network_id == Network.id)
        .where(Network.enabled, Network.id.in_(network_ids))
        .order_by(Network.id)
        .with_for_update(of=NetworkCondition)
    )
    return [(row, network, health) for row, network, health in await session.execute(query)]


async def _tell(
    session: AsyncSession, document: NetworkDocument, condition: Condition, moment: Moment
) -> None:
    type_ = DEGRADED if condition.degraded else RECOVERED
    for merchant_id in await _listeners(session, type_, livemode=document.livemode):
        await emit(
            session,
            moment,
            type_=type_,
            merchant_id=merchant_id,
            livemode=document.livemode,
            subject=f"{merchant_id}:{document.id}",
            data={
                "object": msgspec.to_builtins(document),
                "since": condition.since.isoformat(),
            },
        )


async def _listeners(session: AsyncSession, type_: str, *, livemode: bool) -> Sequence[str]:
    """Return the merchants with an endpoint that wants to hear it."""
    query = (
        select(WebhookEndpoint.merchant_id)
        .join(Merchant, Merchant.id == WebhookEndpoint.merchant_id)
        .where(
            Merchant.deleted_at.is_(None),
            WebhookEndpoint.status == "enabled",
            WebhookEndpoint.deleted_at.is_(None),
            WebhookEndpoint.livemode == livemode,
            WebhookEndpoint.events.overlap([EVERYTHING, type_]),
        )
        .distinct()
        .order_by(WebhookEndpoint.merchant_id)
    )
    return (await session.scalars(query)).all()
