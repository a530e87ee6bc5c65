"""How long webhooks take while one endpoint in a hundred hangs, and how long while none does.

Ten merchants with twenty endpoints each, an event to each endpoint in turn, 500 a second. A
hanging endpoint takes the request and says nothing until the sender gives up (15 s). What counts
is the time from the event's commit to the commit of its result, over the endpoints that answer.
Run: `.venv/bin/python -m benchmarks.webhooks_hanging`.
"""

import asyncio
import gc
import sys
import time
from datetime import UTC, datetime

import uvloop
from sqlalchemy import text

from benchmarks.timing import table
from benchmarks.webhook_stage import Answered, Stage, prepared, receiving, working

ENDPOINTS, MERCHANTS = 200, 10
PER_SECOND = 500
SECONDS = 20
STEP_SECONDS = 0.1

_LEFT = text("""
SELECT EXISTS (SELECT 1 FROM webhook_delivery d JOIN webhook_endpoint e ON e.id = d.endpoint_id
               WHERE d.status IN ('scheduled', 'retrying') AND e.url NOT LIKE '%/hangs')
""")
_TAKEN = text("""
SELECT count(*), percentile_disc(0.5) WITHIN GROUP (ORDER BY ms), percentile_disc(0.99) WITHIN GROUP (ORDER BY ms),
    max(ms)
FROM (
    SELECT round(extract(epoch FROM d.ended_at - d.created_at) * 1000) AS ms
    FROM webhook_delivery d JOIN webhook_endpoint e ON e.id = d.endpoint_id
    WHERE e.url NOT LIKE '%/hangs' AND d.created_at > :since) t
""")


async def taken(stage: Stage) -> list[str]:
    """Send at a steady rate; return count, median, 99th percentile and maximum in ms."""
    await stage.queue(0, ENDPOINTS, due=True)
    await arrived(stage)  # the worker has begun
    since = datetime.now(UTC)
    per_step = round(PER_SECOND * STEP_SECONDS)
    begun = time.perf_counter()
    for step in range(round(SECONDS / STEP_SECONDS)):
        await asyncio.sleep(begun + step * STEP_SECONDS - time.perf_counter())
        await stage.queue(ENDPOINTS + step * per_step, per_step, due=True)
    await arrived(stage)
    async with stage.owner.engine.connect() as connection:
        [row] = await connection.execute(_TAKEN, {"since": since})
    return [str(each) for each in row]


async def arrived(stage: Stage) -> None:
    """Wait until nothing is left but what hangs."""
    async with stage.owner.engine.connect() as connection:
        while await connection.scalar(_LEFT):  # noqa: ASYNC110 - the worker knows nothing of us
            await asyncio.sleep(0.1)


async def _run(url: str, answered: Answered, hanging: int) -> list[str]:
    sizes = {"merchants": MERCHANTS, "endpoints": ENDPOINTS, "hanging": hanging}
    with prepared() as settings:
        async with working(settings, url, answered, sizes) as stage:
            gc.freeze()
            return await taken(stage)


def main() -> int:
    """Measure and print."""
    rows = []
    for hanging in (0, ENDPOINTS // 100):
        with receiving() as (url, answered):
            figures = uvloop.run(_run(url, answered, hanging))
        rows.append([f"{hanging} of {ENDPOINTS} endpoints hang", *figures])
    title = f"Webhooks to the endpoints that answer, {PER_SECOND} a second, in milliseconds"
    table(title, ["", "sent", "median", "p99", "longest"], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
