"""`/metrics` of a process that has no other HTTP door."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest


@asynccontextmanager
async def served(host: str, port: int, registry: CollectorRegistry) -> AsyncIterator[None]:
    """Show a registry at `/metrics` for as long as the block runs; port 0: nowhere."""
    if port == 0:
        yield
        return

    async def metrics(_: web.BaseRequest) -> web.Response:
        headers = {"Content-Type": CONTENT_TYPE_LATEST}
        return web.Response(body=generate_latest(registry), headers=headers)

    runner = web.ServerRunner(web.Server(metrics), shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()
