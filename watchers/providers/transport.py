"""HTTP to nodes: one client per network, whole bodies only, and nobody's key in a message."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
from aiohttp.http import HttpProcessingError, RawResponseMessage

from watchers.network import NodeUnavailable
from watchers.providers.http import Target, ask, target

BODY_BYTES_MAX = 64 * 1024 * 1024
KEEP_ALIVE_SECONDS = 75.0
CONNECTIONS_PER_HOST = 32
HEADERS = {"content-type": "application/json", "accept-encoding": "gzip"}
TOO_MANY = frozenset({429, 503})
"""Statuses that may carry `Retry-After`; only the first says that it was our doing."""

_TROUBLE = (aiohttp.ClientError, HttpProcessingError, TimeoutError, OSError, ValueError)
_opened: ContextVar[list[socket.socket]] = ContextVar("_opened")
"""The sockets that this task's exchange has opened: one where it found no resting connection."""


class Throttled(NodeUnavailable):
    """The node declines to answer so often; `retry_after` is seconds, None where it did not say."""

    def __init__(self, status: int, retry_after: float | None) -> None:
        said = "" if retry_after is None else f", come back in {retry_after:.0f} s"
        super().__init__(f"HTTP {status}{said}")
        self.retry_after = retry_after


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Read a `Retry-After` header: whole seconds or a date; None where it says nothing usable."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return int(text[:9]) * 1.0
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Transport:
    """POSTs JSON. `timeout_s` limits each step (connect, one read), `deadline_s` the whole.

    A node that drips bytes is as good as one that is silent. The client is made with the first
    request, because it belongs to the event loop that runs then.
    """

    timeout_s: float
    deadline_s: float
    headers: Mapping[str, str] = field(default_factory=dict)
    body_bytes_max: int = BODY_BYTES_MAX
    wall_clock: Callable[[], datetime] = _utc_now
    _connector: aiohttp.TCPConnector | None = field(default=None, init=False)
    _targets: dict[str, Target] = field(default_factory=dict, init=False)
    _steps: aiohttp.ClientTimeout = field(init=False)

    def __post_init__(self) -> None:
        self._steps = aiohttp.ClientTimeout(sock_connect=self.timeout_s)

    async def post(self, url: str, body: bytes, connected: Callable[[], None]) -> bytes:
        """Return the body of a 200 answer; raise `NodeUnavailable` for anything else.

        `connected` is called, before its answer is believed, where the exchange needed a new TCP
        connection.
        """
        try:
            return await self._body(url, body, connected)
        # Cut off from its cause: that one's text may hold the URL, and the URL a key.
        except _TROUBLE as trouble:
            raise NodeUnavailable(_words(trouble)) from None

    async def aclose(self) -> None:
        """Close the connections."""
        if self._connector is not None:
            await self._connector.close()
            self._connector = None
            self._targets.clear()

    async def _body(self, url: str, body: bytes, connected: Callable[[], None]) -> bytes:
        opened: list[socket.socket] = []
        _opened.set(opened)
        connector, steps = self._connections(), self._steps
        where = self._targets.get(url)
        if where is None:
            where = self._targets[url] = target(url, {**HEADERS, **self.headers})
        async with asyncio.timeout(self.deadline_s):
            connection = await connector.connect(where.request, [], steps)
            content: aiohttp.StreamReader | None = None
            try:
                if opened:
                    connected()
                message, content = await ask(connection, where.head, body, self.timeout_s)
                self._require_good(message)
                return await self._whole(content)
            finally:
                # Of what is not read to its end the rest would be taken for the next answer.
                if content is not None and content.is_eof():
                    connection.release()
                else:
                    connection.close()

    def _require_good(self, message: RawResponseMessage) -> None:
        if message.code in TOO_MANY:
            said = message.headers.get("retry-after")
            after = retry_after_seconds(said, self.wall_clock())
            if message.code == 429 or after is not None:
                raise Throttled(message.code, after)
        if message.code != 200:
            raise NodeUnavailable(f"HTTP {message.code}")

    async def _whole(self, content: aiohttp.StreamReader) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in content.iter_any():
            parts.append(part)
            size += len(part)
            if size > self.body_bytes_max:
                raise NodeUnavailable(f"answer of more than {self.body_bytes_max} bytes")
        return b"".join(parts)

    def _connections(self) -> aiohttp.TCPConnector:
        if self._connector is None:
            self._connector = aiohttp.TCPConnector(
                limit_per_host=CONNECTIONS_PER_HOST,
                keepalive_timeout=KEEP_ALIVE_SECONDS,
                socket_factory=_open,
            )
        return self._connector


def _open(place: aiohttp.AddrInfoType) -> socket.socket:
    """Open a socket and note it: a trace of the client costs as much as half an exchange."""
    family, kind, protocol, _, _ = place
    made = socket.socket(family=family, type=kind, proto=protocol)
    _opened.get().append(made)
    return made


def _words(trouble: BaseException) -> str:
    """Describe a failure without the URL."""
    name = type(trouble).__name__
    if isinstance(trouble, aiohttp.ClientConnectorError):
        return f"{name}: {trouble.os_error.strerror or 'no connection'}"
    if isinstance(trouble, aiohttp.ClientResponseError):
        return f"{name}: status {trouble.status}"
    if isinstance(trouble, (asyncio.TimeoutError, aiohttp.ServerTimeoutError)):
        return "TimeoutError"
    return name
