"""Requests as fast as a server answers, from a client that costs next to nothing.

It shares the machine with what it measures: the requests are bytes before the clock starts, and of
an answer only its status and its length are read.
"""

import asyncio
import time
from collections.abc import Iterator
from typing import cast

BODY = (
    b'{"amount":"25.00","currency":"USD","order_id":"%d","payment_methods":["ETH-ETHEREUM"],'
    b'"metadata":{"basket":"7"}}'
)
_HEAD = (
    b"POST /v1/invoices HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Authorization: Bearer %s\r\nIdempotency-Key: %s-%d\r\nContent-Length: %d\r\n\r\n"
)
_CREATED, _LENGTH, _END = b"HTTP/1.1 201", b"content-length:", b"\r\n\r\n"


async def rate(ports: list[int], key: str, name: str, count: int, connections: int) -> float:
    """Create `count` invoices over `connections`; return how many a second were created."""
    requests = iter([_request(key.encode(), name.encode(), number) for number in range(count)])
    loop = asyncio.get_running_loop()
    clients = [_Client(requests, loop.create_future()) for _ in range(connections)]
    for place, client in enumerate(clients):
        await loop.create_connection(
            lambda client=client: client,  # type: ignore[misc]
            "127.0.0.1",
            ports[place % len(ports)],
        )
    begun = time.perf_counter()
    for client in clients:
        client.ask()
    await asyncio.gather(*(client.done for client in clients))
    return count / (time.perf_counter() - begun)


def _request(key: bytes, name: bytes, number: int) -> bytes:
    body = BODY % number
    return _HEAD % (key, name, number, len(body)) + body


class _Client(asyncio.Protocol):
    """One kept connection; it asks again as soon as it was answered."""

    def __init__(self, requests: Iterator[bytes], done: "asyncio.Future[None]") -> None:
        self.done = done
        self._requests = requests
        self._transport: asyncio.Transport | None = None
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to the server."""
        self._transport = cast(
            "asyncio.Transport", transport
        )  # uvloop's says of itself no more

    def ask(self) -> None:
        """Send the next request; where there is none, leave."""
        assert self._transport is not None
        request = next(self._requests, None)
        if request is not None:
            self._transport.write(request)
            return
        self._transport.close()
        self.done.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer; a refusal ends the measurement."""
        self._answer += data
        head, end, body = self._answer.partition(_END)
        if not end:
            return
        length = int(head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        if not head.startswith(_CREATED):
            self._fail(self._answer.decode())
            return
        self._answer = b""
        self.ask()

    def connection_lost(self, _: Exception | None) -> None:
        """End the measurement where the server hung up."""
        self._fail("the server hung up")

    def _fail(self, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(why))
