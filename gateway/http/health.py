"""Liveness, readiness and metrics: public, outside /v1 where a scraper expects them."""

import msgspec
from litestar import MediaType, Response, get
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway.db import Database
from gateway.domain.errors import Unavailable
from gateway.http.envelope import Metrics
from gateway.postgres import Unusable
from gateway.postgres.head import require_head


class Health(msgspec.Struct, kw_only=True):
    """`ok`: the process answers."""

    status: str


@get("/health")
async def alive() -> Health:
    """Tell that the process answers; nothing else is asked."""
    return Health(status="ok")


@get("/health/ready")
async def ready(database: Database) -> Health:
    """Tell that the database answers and its schema is the one this version was written for."""
    async with database.engine.connect() as connection:
        try:
            await connection.run_sync(require_head)
        except Unusable as fault:
            raise Unavailable(str(fault), code="schema_not_at_head") from fault
    return Health(status="ok")


@get("/metrics", include_in_schema=False, sync_to_thread=False)
def metrics(metrics: Metrics) -> Response[bytes]:
    """Answer in Prometheus's text format; a proxy in front must not publish this."""
    return Response(
        generate_latest(metrics.registry),
        headers={"Content-Type": CONTENT_TYPE_LATEST},
        media_type=MediaType.TEXT,
    )
