"""A Tron node over real HTTP that answers each path as a test says, and remembers the questions."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

HEADER_END = b"\r\n\r\n"
STATE = {
    "/wallet/getchainparameters": {
        "chainParameter": [
            {"key": "getEnergyFee", "value": 100},
            {"key": "getTransactionFee", "value": 1_000},
            {"key": "getCreateNewAccountFeeInSystemContract", "value": 1_000_000},
            {"key": "getCreateAccountFee", "value": 100_000},
            {"key": "getAllowSomething"},
        ]
    },
    "/wallet/getaccountresource": {"freeNetLimit": 600},
}
"""Answers that most tests leave alone."""


@dataclass(slots=True)
class ScriptedNode:
    """`answers` maps a path to a document, or to documents by the question's `key`.

    A value of type `bytes` is sent as it stands. A path without an answer is HTTP 404.
    """

    answers: dict[str, Any] = field(default_factory=lambda: dict(STATE))
    url: str = ""
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def paths(self) -> list[str]:
        """Return the paths that were asked, in order."""
        return [path for path, _ in self.asked]

    def _reply(self, path: str, question: dict[str, Any]) -> tuple[int, bytes]:
        self.asked.append((path, question))
        if path not in self.answers:
            return 404, b"no such path"
        answer = self.answers[path]
        if isinstance(answer, ByQuestion):
            answer = answer.answers[question[answer.key]]
        return 200, answer if isinstance(answer, bytes) else msgspec.json.encode(answer)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until the client closes it."""
        try:
            while True:
                head = (await reader.readuntil(HEADER_END)).decode("latin-1")
                length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
                question = msgspec.json.decode(await reader.readexactly(length))
                status, body = self._reply(head.split(" ")[1], question)
                start = f"HTTP/1.1 {status} x\r\ncontent-length: {len(body)}"
                writer.write(start.encode() + HEADER_END + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@dataclass(frozen=True, slots=True)
class ByQuestion:
    """Answers that depend on one field of the question."""

    key: str
    answers: Mapping[Any, Any]


@asynccontextmanager
async def scripted(**answers: Any) -> AsyncIterator[ScriptedNode]:
    """Run one node inside the block; keywords are call names below `/wallet`."""
    node = ScriptedNode()
    node.answers |= {f"/wallet/{name}": answer for name, answer in answers.items()}
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(node.serve(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    node.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield node
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
