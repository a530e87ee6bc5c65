"""Endpoints that keep failing are disabled, and the merchant's other endpoints are told."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.moment import Moment
from gateway.webhooks.delivery import Delivery, Tried
from gateway.webhooks.outbox import emit

EXHAUSTED_MAX = 10
"""This many exhausted deliveries in a row disable an endpoint."""
FAILING_MAX = timedelta(days=5)
"""A failure this long after the first, with nothing that arrived between them, does so too."""

_COUNT = text("""
UPDATE webhook_endpoint SET exhausted_in_a_row = exhausted_in_a_row + :exhausted
WHERE id = :endpoint_id AND url = :url RETURNING exhausted_in_a_row
""")

_DISABLE = text("""
UPDATE webhook_endpoint SET status = 'disabled'
WHERE id = :endpoint_id AND url = :url AND status = 'enabled' AND deleted_at IS NULL
    AND (CAST(:oldest AS timestamptz) IS NULL OR failing_since <= :oldest)
RETURNING url
""")


async def judge_endpoints(
    session: AsyncSession, tried: Sequence[Tried], moment: Moment
) -> list[str]:
    """Count exhausted deliveries in a row; return the ids of endpoints that are disabled now.

    Where one succeeded the count has been set to zero with the results.
    """
    ended: dict[str, list[Tried]] = {}
    for each in tried:
        if each.verdict.status != "retrying":
            ended.setdefault(each.delivery.endpoint_id, []).append(each)
    disabled = []
    for endpoint_id, group in sorted(ended.items()):
        reason = await _reason_to_disable(session, endpoint_id, group)
        if reason is not None and await _disable(session, group[-1].delivery, reason, moment):
            disabled.append(endpoint_id)
    return disabled


async def disable_worn_out(
    session: AsyncSession, failed: Sequence[Delivery], moment: Moment
) -> list[str]:
    """Disable endpoints at which everything has failed for days; return their ids.

    Something may have arrived since these were recorded, so the rows are asked once more.
    """
    reason = f"nothing has arrived for {FAILING_MAX.days} days"
    oldest = moment.at - FAILING_MAX
    last = {delivery.endpoint_id: delivery for delivery in failed}
    return [
        endpoint_id
        for endpoint_id, delivery in sorted(last.items())
        if await _disable(session, delivery, reason, moment, oldest)
    ]


def trailing_exhausted(ended: Sequence[Tried]) -> int:
    """Return how many of the ended deliveries were exhausted since the last that arrived."""
    count = 0
    for each in reversed(ended):
        if each.verdict.status == "succeeded":
            break
        count += 1
    return count


async def _reason_to_disable(
    session: AsyncSession, endpoint_id: str, ended: Sequence[Tried]
) -> str | None:
    exhausted = trailing_exhausted(ended)
    if exhausted == 0:
        return None
    counted = await session.scalar(
        _COUNT,
        {"endpoint_id": endpoint_id, "url": ended[-1].delivery.url, "exhausted": exhausted},
    )
    if any(each.verdict.endpoint_gone for each in ended):
        return "the endpoint answered 410 Gone"
    if counted is not None and counted >= EXHAUSTED_MAX:
        return f"{counted} deliveries in a row used up their attempts"
    return None


async def _disable(
    session: AsyncSession,
    delivery: Delivery,
    reason: str,
    moment: Moment,
    oldest: datetime | None = None,
) -> bool:
    """Disable the endpoint and tell the merchant's other ones; False if it was so already.

    Or if it has another URL by now, of which these answers say nothing; or, with `oldest`, if it
    has not been failing since then.
    """
    found = {"endpoint_id": delivery.endpoint_id, "url": delivery.url, "oldest": oldest}
    url = await session.scalar(_DISABLE, found)
    if url is None:
        return False
    endpoint = {
        "id": delivery.endpoint_id,
        "object": "webhook_endpoint",
        "url": url,
        "status": "disabled",
    }
    await emit(
        session,
        moment,
        type_="webhook_endpoint.disabled",
        merchant_id=delivery.merchant_id,
        livemode=delivery.livemode,
        subject=delivery.endpoint_id,
        data={"object": endpoint, "reason": reason},
    )
    return True
