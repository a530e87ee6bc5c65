"""Requests as fast as a server answers: keep-alive connections that parse as little as they can."""

import asyncio
import time
from collections.abc import Iterator

BODY = (
    b'{"amount":"25.00","currency":"USD","order_id":"%d","payment_methods":["ETH-ETHEREUM"],'
    b'"metadata":{"basket":"7"}}'
)
_HEAD = (
    b"POST /v1/invoices HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Authorization: Bearer %s\r\nIdempotency-Key: %s-%d\r\nContent-Length: %d\r\n\r\n"
)


async def rate(ports: list[int], key: str, name: str, count: int, connections: int) -> float:
    """Create `count` invoices over `connections`; return how many a second were created."""
    numbers = iter(range(count))
    begun = time.perf_counter()
    await asyncio.gather(
        *(
            _connection(ports[each % len(ports)], key.encode(), name.encode(), numbers)
            for each in range(connections)
        )
    )
    return count / (time.perf_counter() - begun)


async def _connection(port: int, key: bytes, name: bytes, numbers: Iterator[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for number in numbers:
            body = BODY % number
            writer.write(_HEAD % (key, name, number, len(body)) + body)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            answer = await reader.readexactly(length)
            if not head.startswith(b"HTTP/1.1 201"):
                raise RuntimeError((head + answer).decode())
    finally:
        writer.close()
