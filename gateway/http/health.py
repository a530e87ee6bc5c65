"""Liveness, readiness and metrics: public, outside /v1 where a scraper expects them."""

import asyncio

import msgspec
from litestar import MediaType, Response, get
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text

from gateway.db import Database
from gateway.domain.errors import Unavailable
from gateway.http.envelope import Metrics
from gateway.postgres import Unusable
from gateway.postgres.head import require_head

READY_SECONDS = 3.0
"""A balancer asks again soon: who hangs for so long is not ready."""
AWAY = "database_unavailable"
_ONLY_READS = text("SHOW transaction_read_only")


class Health(msgspec.Struct, kw_only=True):
    """`ok`: the process answers."""

    status: str


@get("/health")
async def alive() -> Health:
    """Tell that the process answers; nothing else is asked."""
    return Health(status="ok")


@get("/health/ready")
async def ready(database: Database) -> Health:
    """Tell that the database answers, takes changes and has the schema of this version."""
    try:
        async with asyncio.timeout(READY_SECONDS), database.engine.connect() as connection:
            await connection.run_sync(require_head)
            only_reads = await connection.scalar(_ONLY_READS) == "on"
    except Unusable as fault:
        raise Unavailable(str(fault), code="schema_not_at_head") from fault
    except TimeoutError as silence:
        raise Unavailable("the database does not answer", code=AWAY) from silence
    if only_reads:
        raise Unavailable("the database only reads", code=AWAY)
    return Health(status="ok")


@get("/metrics", include_in_schema=False, sync_to_thread=False)
def metrics(metrics: Metrics) -> Response[bytes]:
    """Answer in Prometheus's text format; a proxy in front must not publish this."""
    return Response(
        generate_latest(metrics.registry),
        headers={"Content-Type": CONTENT_TYPE_LATEST},
        media_type=MediaType.TEXT,
    )
