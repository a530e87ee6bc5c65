"""A node over real HTTP that answers what it is told, byte by byte if need be."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

HEADER_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Raw:
    """An HTTP answer as it stands; `seconds` passes before its last byte."""

    body: bytes
    status: int = 200
    headers: tuple[str, ...] = ()
    seconds: float = 0.0


class RpcFailure(Exception):
    """Raised by an answer: becomes a JSON-RPC error object."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


Answer = Callable[[str, list[Any]], Any]
"""Takes method and params; returns the result, or a `Raw` answer, or raises `RpcFailure`."""


Batch = Callable[[list[dict[str, Any]]], Any]


@dataclass(slots=True)
class FakeNode:
    """JSON-RPC server on 127.0.0.1. `answer` may be exchanged while it runs."""

    answer: Answer
    url: str = ""
    calls: list[str] = field(default_factory=list)
    connections: int = 0
    batch: Batch | None = None
    """Answers a batch: takes the list of requests, returns what is sent."""
    id_offset: int = 0
    """Added to the id of every answer: other than 0 answers other questions."""

    def _reply(self, body: bytes) -> Raw:
        request = msgspec.json.decode(body)
        if isinstance(request, list):
            assert self.batch is not None
            return Raw(msgspec.json.encode(self.batch(request)))
        self.calls.append(request["method"])
        reply = {"jsonrpc": "2.0", "id": request["id"] + self.id_offset}
        try:
            result = self.answer(request["method"], request["params"])
        except RpcFailure as failure:
            error = {"code": failure.code, "message": failure.message}
            return Raw(msgspec.json.encode({**reply, "error": error}))
        if isinstance(result, Raw):
            return result
        packed = gzip.compress(msgspec.json.encode({**reply, "result": result}), 1)
        return Raw(packed, headers=("content-encoding: gzip",))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests of one connection until the client closes it."""
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(HEADER_END)).decode("latin-1").lower()
                length = int(head.split("content-length:")[1].split("\r\n")[0])
                await _write(writer, self._reply(await reader.readexactly(length)))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


async def _write(writer: asyncio.StreamWriter, answer: Raw) -> None:
    lines = [
        f"HTTP/1.1 {answer.status} x",
        f"content-length: {len(answer.body)}",
        "content-type: application/json",
        *answer.headers,
    ]
    writer.write("\r\n".join(lines).encode() + HEADER_END + answer.body[:-1])
    await writer.drain()
    await asyncio.sleep(answer.seconds)
    writer.write(answer.body[-1:])
    await writer.drain()


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[FakeNode]:
    """Run one node inside the block."""
    node = FakeNode(answer)
    tasks: set[asyncio.Task[None]] = set()

    def connected(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Awaitable[None]:
        task = asyncio.ensure_future(node.serve(reader, writer))
        tasks.add(task)
        return task

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    node.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield node
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def table(**answers: Any) -> Answer:
    """Answer each method with one fixed result; methods not named do not exist."""

    def answer(method: str, params: list[Any]) -> Any:
        del params
        if method not in answers:
            raise RpcFailure(-32601, f"the method {method} does not exist")
        found = answers[method]
        if isinstance(found, Exception):
            raise found
        return found

    return answer
