"""How a merchant uses the API."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import Invalid
from gateway.usage.documents import UsageDocument, usage_row
from gateway.usage.repository import ROWS_MAX, Bucket, Group, Span, usage_of

WIDEST = {"hour": timedelta(days=31), "day": timedelta(days=366)}
USUAL = {"hour": timedelta(days=1), "day": timedelta(days=30)}


def span_of(
    since: datetime | None, until: datetime | None, bucket: Bucket, at: datetime
) -> Span:
    """Return the span that was asked for; times without an offset are UTC."""
    try:
        end = _aware(until) if until is not None else at
        begin = _aware(since) if since is not None else end - USUAL[bucket]
    except OverflowError as fault:
        raise Invalid.field("/from", "invalid_parameter", "there is no such time") from fault
    if begin >= end:
        raise Invalid.field("/from", "invalid_parameter", "from must lie before to")
    if end - begin > WIDEST[bucket]:
        days = WIDEST[bucket].days
        raise Invalid.field(
            "/from", "range_too_wide", f"in steps of a {bucket} at most {days} days"
        )
    return Span(begin, end, bucket)


async def usage(
    session: AsyncSession, merchant_id: str, span: Span, group: Group, *, livemode: bool | None
) -> UsageDocument:
    """Return the merchant's usage; with `livemode` None that of both modes."""
    rows = await usage_of(session, merchant_id, span, group, livemode=livemode)
    if len(rows) > ROWS_MAX:
        raise Invalid.field(
            "/from", "range_too_wide", f"this would be more than {ROWS_MAX} rows"
        )
    return UsageDocument(
        object="usage",
        bucket=span.bucket,
        group=group,
        since=span.since,
        until=span.until,
        data=[usage_row(row) for row in rows],
    )


def _aware(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
