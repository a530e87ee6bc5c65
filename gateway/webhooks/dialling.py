"""The sender's HTTP client: every address that it dials has passed the guard.

Apart from the rules, because the API needs those and not a client.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Literal

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.webhooks.guard import AddressRefused, Guard

KEEPALIVE_SECONDS = 1
"""Shorter than any common server's own limit: a reused connection is never one just closed."""
NAMES_CACHED_SECONDS = 10
LOOKUPS_MAX = 32
CONNECT_SECONDS = 5

AddressInfo = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]
Lookup = Callable[[str, int, socket.AddressFamily], Sequence[str]]
"""Resolve a name to addresses; blocks, raises `OSError`."""


def system_lookup(host: str, port: int, family: socket.AddressFamily) -> list[str]:
    """Ask the system's resolver."""
    try:
        found = socket.getaddrinfo(
            host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
    except UnicodeError as fault:
        raise OSError(f"not a host name: {fault}") from fault
    return [str(entry[4][0]) for entry in found]


class CheckedResolver(AbstractResolver):
    """Resolves a name and refuses all of its addresses if one of them is refused.

    Look-ups have threads of their own: a merchant whose name server hangs holds one of them,
    while the event loop's own pool is four threads for everybody.
    """

    def __init__(self, guard: Guard, lookup: Lookup) -> None:
        self._guard = guard
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(LOOKUPS_MAX, thread_name_prefix="lookup")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return every address of the name; raise `AddressRefused` or another `OSError`."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, self._lookup, host, port, family)
        for address in found:
            if (fault := self._guard.address_fault(address, port)) is not None:
                raise AddressRefused(fault)
        return [_resolved(host, address, port) for address in dict.fromkeys(found)]

    async def close(self) -> None:
        """Let go of the threads; a hanging look-up is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _resolved(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=host, host=address, port=port, family=family, proto=0,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )  # fmt: skip


@asynccontextmanager
async def open_session(
    guard: Guard,
    *,
    timeout_seconds: int,
    lookup: Lookup = system_lookup,
    tls: ssl.SSLContext | Literal[True] = True,
) -> AsyncIterator[aiohttp.ClientSession]:
    """Make the one client of the sender: guarded, without proxy, cookies or decompression."""
    resolver = CheckedResolver(guard, lookup)
    connector = aiohttp.TCPConnector(
        resolver=resolver,
        socket_factory=lambda info: _checked_socket(guard, info),
        ssl=tls,
        ttl_dns_cache=NAMES_CACHED_SECONDS,
        keepalive_timeout=KEEPALIVE_SECONDS,
        limit=0,  # the sender bounds itself, per endpoint and in all
    )
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=timeout_seconds, connect=CONNECT_SECONDS),
        trust_env=False,
        auto_decompress=False,
    )
    try:
        async with session:
            yield session
    finally:
        await resolver.close()


def _checked_socket(guard: Guard, info: AddressInfo) -> socket.socket:
    """Be the last wall: an address that stands in the URL itself never sees the resolver."""
    family, kind, protocol, _, where = info
    if (fault := guard.address_fault(str(where[0]), int(where[1]))) is not None:
        raise AddressRefused(fault)
    return socket.socket(family, kind, protocol)
