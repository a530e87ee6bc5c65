"""POSTs over aiohttp's connections, whose fixed part is made once for each URL.

aiohttp's client makes objects for redirects, cookies, proxies and uploads with every request, of
which nothing is used here: more than half of what an exchange costs. Its connections (names, TLS,
reuse) and its parser stay.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from multidict import CIMultiDict
from yarl import URL

BUFFER_BYTES = 1 << 20
"""An answer up to twice this size is taken from the socket without a pause."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where POSTs go. `request` names the connection, `head` is all of it but the body's length."""

    request: aiohttp.ClientRequest
    head: bytes


def target(url: str, headers: Mapping[str, str]) -> Target:
    """Return the fixed part of all POSTs to a URL; `ValueError` where one cannot be sent there.

    Its user part becomes the `Authorization` header.
    """
    place = URL(url)
    sent = CIMultiDict(headers)
    if place.user is not None or place.password is not None:
        sent["authorization"] = aiohttp.encode_basic_auth(
            place.user or "", place.password or ""
        )
    if place.scheme not in {"http", "https"} or not place.raw_host:
        raise ValueError("no HTTP address")
    request = aiohttp.ClientRequest("POST", place.with_user(None), headers=sent)
    request.headers.popall("content-length", None)
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    lines = [f"POST {request.url.raw_path_qs} HTTP/1.1", *lines, "content-length: "]
    if not all(line.isprintable() for line in lines):
        raise ValueError("a header that is not printable")
    return Target(request, "\r\n".join(lines).encode())


async def ask(
    connection: Connection, head: bytes, body: bytes, read_timeout_s: float
) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
    """Send one POST and return the head of its answer, and its body as it comes.

    Raises aiohttp's `ClientError`, `HttpProcessingError` where the answer is no HTTP, and
    `TimeoutError` where nothing comes for so long.
    """
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None:
        raise aiohttp.ClientConnectionError("the connection was closed")
    protocol.set_response_params(
        read_until_eof=True, read_timeout=read_timeout_s, read_bufsize=BUFFER_BYTES
    )
    transport.write(b"%b%d\r\n\r\n%b" % (head, len(body), body))
    protocol.start_timeout()
    message, content = await protocol.read()
    while message.code < HTTPStatus.OK and message.code != HTTPStatus.SWITCHING_PROTOCOLS:
        message, content = await protocol.read()
    return message, content
