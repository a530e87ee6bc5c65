"""What came of deliveries, written a batch at a time."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database, send
from gateway.domain.moment import Moment
from gateway.webhooks.delivery import Delivery, Tried
from gateway.webhooks.failing import FAILING_MAX, disable_worn_out, judge_endpoints

# A lease that ran out belongs to somebody else: its result is dropped. Rows are found by their ids
# and by nothing else: the array and the way in which the status is asked for keep the planner from
# looking for them among all that wait. A success forgives its endpoint what was used up before, the
# first failure after it begins the count of days: its row is written at these turns only.
_RECORD = """
WITH r AS MATERIALIZED (
    SELECT * FROM json_to_recordset(CAST(%(results)s AS json)) AS r (
        id text, leased_until timestamptz, status text, next_attempt_at timestamptz,
        response_status integer, response_body text, error text, duration_ms integer)
), recorded AS (
    UPDATE webhook_delivery d
    SET status = r.status, attempts = d.attempts + 1, leased_until = NULL,
        next_attempt_at = coalesce(r.next_attempt_at, d.next_attempt_at),
        response_status = r.response_status, response_body = r.response_body, error = r.error,
        duration_ms = r.duration_ms,
        ended_at = CASE WHEN r.status <> 'retrying' THEN %(at)s END
    FROM r, webhook_endpoint e
    WHERE d.id = ANY (ARRAY(SELECT id FROM r)) AND d.id = r.id AND d.leased_until = r.leased_until
      AND d.status NOT IN ('succeeded', 'exhausted', 'skipped') AND e.id = d.endpoint_id
    RETURNING d.id, d.endpoint_id, d.status = 'succeeded' AS arrived,
        d.status = 'succeeded' AND e.exhausted_in_a_row > 0
            OR (d.status = 'succeeded') = (e.failing_since IS NOT NULL) AS turns,
        d.status <> 'succeeded' AND coalesce(e.failing_since <= %(oldest)s, false) AS worn_out
), turned AS (
    SELECT endpoint_id, bool_or(arrived) AS arrived FROM recorded
    GROUP BY endpoint_id HAVING bool_or(turns)
), counted AS (
    UPDATE webhook_endpoint e
    SET exhausted_in_a_row = CASE WHEN t.arrived THEN 0 ELSE e.exhausted_in_a_row END,
        failing_since = CASE WHEN NOT t.arrived THEN coalesce(e.failing_since, %(at)s) END
    FROM turned t
    WHERE e.id = ANY (ARRAY(SELECT endpoint_id FROM turned)) AND e.id = t.endpoint_id
)
SELECT id, worn_out FROM recorded
"""

# Receivers act on what comes last: an older event is never sent after a younger one arrived.
_SUPERSEDE = text("""
UPDATE webhook_delivery d
SET status = 'skipped', ended_at = :at, error = 'a newer event of this subject was delivered'
FROM unnest(CAST(:endpoints AS text[]), CAST(:subjects AS text[]), CAST(:sequences AS integer[]))
    AS r (endpoint_id, subject, sequence)
WHERE d.endpoint_id = r.endpoint_id AND d.subject = r.subject AND d.sequence < r.sequence
  AND d.status IN ('scheduled', 'retrying')
""")


class _Result(msgspec.Struct):
    """A row of `_RECORD`'s record set."""

    id: str
    leased_until: datetime
    status: str
    next_attempt_at: datetime | None
    response_status: int | None
    response_body: str | None
    error: str | None
    duration_ms: int


async def settle(database: Database, tried: Sequence[Tried], moment: Moment) -> list[str]:
    """Write what came of a batch; return the ids of endpoints that were disabled by it."""
    values = {
        "at": moment.at,
        "oldest": moment.at - FAILING_MAX,
        "results": _written_out(tried),
    }
    if not any(_moves_others(each) for each in tried):
        worn_out = _worn_out(tried, dict(await database.ask(_RECORD, values)))
        if not worn_out:
            return []
        async with database.unit_of_work(CROSS_TENANT) as session:
            return await disable_worn_out(session, worn_out, moment)
    async with database.unit_of_work(CROSS_TENANT) as session:
        recorded: dict[str, bool] = dict(await send(session, _RECORD, values))
        mine = [each for each in tried if each.delivery.id in recorded]
        await _supersede(session, mine, moment)
        disabled = await judge_endpoints(session, mine, moment)
        worn_out = _worn_out(tried, recorded)
        return disabled + await disable_worn_out(session, worn_out, moment)


def _worn_out(tried: Sequence[Tried], recorded: Mapping[str, bool]) -> list[Delivery]:
    """Return what failed at endpoints where everything has for days."""
    return [each.delivery for each in tried if recorded.get(each.delivery.id)]


def _moves_others(tried: Tried) -> bool:
    """Tell whether a result may change more than its own row: older events, or the endpoint."""
    status = tried.verdict.status
    return status == "exhausted" or (status == "succeeded" and tried.delivery.passed)


def _written_out(tried: Sequence[Tried]) -> str:
    results = [
        _Result(
            each.delivery.id,
            each.delivery.leased_until,
            each.verdict.status,
            each.verdict.next_attempt_at,
            each.answer.status,
            each.answer.body,
            each.answer.error,
            each.answer.milliseconds,
        )
        for each in tried
    ]
    return msgspec.json.encode(results).decode()


async def _supersede(session: AsyncSession, tried: Sequence[Tried], moment: Moment) -> None:
    arrived = [
        each.delivery
        for each in tried
        if each.delivery.passed and each.verdict.status == "succeeded"
    ]
    if arrived:
        await session.execute(
            _SUPERSEDE,
            {
                "at": moment.at,
                "endpoints": [delivery.endpoint_id for delivery in arrived],
                "subjects": [delivery.subject for delivery in arrived],
                "sequences": [delivery.sequence for delivery in arrived],
            },
        )
