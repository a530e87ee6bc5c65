"""The HTTP surface: `/wallet/`, `/walletsolidity/` and `/devnode/`, by GET or POST.

As in java-tron, whatever goes wrong with a call is an HTTP 200 whose body is
`{"Error": ...}`; only an unknown path is a 404.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from devnet.chain import HOST, RpcFault
from devnet.tron.accounts import ACCOUNTS
from devnet.tron.asset_reads import ASSETS
from devnet.tron.calls import CALLS
from devnet.tron.control import CONTROLS
from devnet.tron.delegation import DELEGATION
from devnet.tron.node import Node
from devnet.tron.query import Query
from devnet.tron.reads import READS, Handler
from devnet.tron.validation import Refused

BODY_BYTES_MAX = 4 * 1024 * 1024

SOLID_CALLS = (
    *("getnodeinfo", "getnowblock", "getblock", "getblockbynum", "getblockbyid"),
    *("getblockbylimitnext", "getblockbylatestnum", "gettransactionbyid"),
    *("gettransactioninfobyid", "gettransactioninfobyblocknum"),
    *("gettransactioncountbyblocknum", "getaccount", "getdelegatedresourcev2"),
    *("getdelegatedresourceaccountindexv2", "getcandelegatedmaxsize", "getassetissuebyid"),
    *("getassetissuelist", "getenergyprices", "getbandwidthprices"),
    *("triggerconstantcontract", "estimateenergy"),
)
"""What a node offers on its solid state; the rest exists under `wallet/` only."""

log = logging.getLogger(__name__)

_WALLET: dict[str, Handler] = {**READS, **ACCOUNTS, **DELEGATION, **ASSETS, **CALLS}
TREES: dict[str, Mapping[str, Handler]] = {
    "wallet": _WALLET,
    "walletsolidity": {name: _WALLET[name] for name in SOLID_CALLS},
    "devnode": CONTROLS,
}


async def _parameters(request: web.Request) -> dict[str, Any]:
    fields: dict[str, Any] = dict(request.query)
    body = await request.read()
    if body.strip():
        document = json.loads(body)
        if not isinstance(document, dict):
            raise TypeError("the body is not a JSON object")
        fields |= document
    return fields


async def _answer(node: Node, request: web.Request) -> Any:
    tree, method = request.match_info["tree"], request.match_info["method"]
    handler = TREES.get(tree, {}).get(method)
    if handler is None:
        raise web.HTTPNotFound(text=f"no {request.path}")
    if tree != "devnode":
        if node.faults.latency_s:
            await asyncio.sleep(node.faults.latency_s)
        if method in node.faults.blank:
            return [] if method == "gettransactioninfobyblocknum" else {}
    fields = await _parameters(request)
    return await handler(Query(node, method, tree == "walletsolidity", fields))


def application(node: Node) -> web.Application:
    """Return the routes over one node."""

    async def handle(request: web.Request) -> web.Response:
        try:
            answer = await _answer(node, request)
        # Every kind of nonsense that a caller can send ends in one of these.
        except (ValueError, TypeError, KeyError, AttributeError, Refused, RpcFault) as fault:
            log.info("%s: %r", request.path, fault)
            answer = {"Error": f"class {type(fault).__name__} : {fault}"}
        return web.json_response(answer)

    routes = web.Application(client_max_size=BODY_BYTES_MAX)
    routes.router.add_route("GET", "/{tree}/{method}", handle)
    routes.router.add_route("POST", "/{tree}/{method}", handle)
    return routes


@asynccontextmanager
async def listening(node: Node, port: int) -> AsyncIterator[None]:
    """Serve the node on 127.0.0.1 for the length of the block."""
    runner = web.AppRunner(application(node), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        yield
    finally:
        await runner.cleanup()
