"""One connection as the asking side sees it: a question, then the line that answers it."""

import asyncio
from typing import cast

from keystore.api import LINE_BYTES_MAX


class Conversation(asyncio.Protocol):
    """Asks one question at a time. What is said unasked, or is longer than a line, ends it."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._heard = bytearray()
        self._answer: asyncio.Future[bytes] | None = None
        self._gone = asyncio.get_running_loop().create_future()

    async def ask(self, line: bytes) -> bytes:
        """Return the line that answers `line`; raise `ConnectionError` where none comes."""
        if self._transport is None:
            raise ConnectionResetError
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(line)
        return await self._answer

    def close(self) -> None:
        """Hang up; whoever waits for an answer is told that none comes."""
        if self._transport is not None:
            self._transport.close()
        self._end(None)

    async def closed(self) -> None:
        """Wait until the connection is gone."""
        await self._gone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Give the answer to who waits for it, once its line has ended."""
        self._heard += data
        end = self._heard.find(b"\n")
        if end < 0 and len(self._heard) <= LINE_BYTES_MAX:
            return
        answer, self._answer = self._answer, None
        if answer is None or end != len(self._heard) - 1:
            self._answer = answer
            self.close()
        elif not answer.done():
            answer.set_result(bytes(self._heard))
        self._heard.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that it is over: the other side has hung up, or we have."""
        self._end(exc)
        if not self._gone.done():
            self._gone.set_result(None)

    def _end(self, why: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(why or ConnectionResetError("no answer"))
