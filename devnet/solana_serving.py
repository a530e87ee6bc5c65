"""The corrected Solana chain as an HTTP server on this machine."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from devnet.chain import HOST, ChainFault
from devnet.solana_ledger import Ledger
from devnet.solana_proxy import Proxy
from devnet.solana_upstream import Upstream


@asynccontextmanager
async def serving(
    upstream: Upstream, ledger: Ledger, *, port: int, pause_s: float, clock: Callable[[], float]
) -> AsyncIterator[str]:
    """Serve the corrected chain on 127.0.0.1; yield its URL. Port 0 takes a free one."""
    proxy = Proxy(upstream, ledger, clock)
    following = asyncio.create_task(proxy.follow(pause_s))

    async def handle(request: web.Request) -> web.Response:
        if following.done():
            raise web.HTTPBadGateway(text=f"Surfpool is gone: {following.exception()!r}")
        body = msgspec.json.decode(await request.read())
        try:
            answer: Any = (
                await asyncio.gather(*map(proxy.answer, body))
                if isinstance(body, list)
                else await proxy.answer(body)
            )
        except aiohttp.ClientError as trouble:
            raise web.HTTPBadGateway(text=str(trouble)) from trouble
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")

    app = web.Application(client_max_size=2**22)
    app.router.add_post("/", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        listening = _listen(port)
        await web.SockSite(runner, listening).start()
        yield f"http://{HOST}:{listening.getsockname()[1]}"
    finally:
        await runner.cleanup()
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError as trouble:
        raise ChainFault(f"port {port} is taken") from trouble
