"""A mail server of the world: takes messages, refuses, hangs, as a test says by recipient."""

import asyncio
import email
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import Message
from email.policy import default

HANG = 0


@dataclass
class MailServer:
    """What came in; `answers` are reply codes to RCPT by recipient, in turn, `HANG` for none."""

    port: int = 0
    messages: list[Message] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    answers: dict[str, list[int]] = field(default_factory=dict)
    data_code: int = 250
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Return it as the configuration file names it."""
        return f"mailto://127.0.0.1:{self.port}?from=gateway@house.example"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak as much SMTP as a client needs."""
        await _say(writer, "220 sink")
        while line := (await reader.readline()).decode().strip():
            word = line[:4].upper()
            if word == "RCPT":
                code = self._code(line)
                if code == HANG:
                    await self.hung_up.wait()
                    break
                await _say(writer, f"{code} so")
            elif word == "DATA":
                await _say(writer, "354 go on")
                raw = await reader.readuntil(b"\r\n.\r\n")
                if self.data_code == 250:
                    self.messages.append(email.message_from_bytes(raw[:-5], policy=default))
                await _say(writer, f"{self.data_code} so")
            else:
                await _say(writer, "221 bye" if word == "QUIT" else "250 fine")
        writer.close()

    def hang_up(self) -> None:
        """End every conversation that hangs."""
        self.hung_up.set()

    def _code(self, line: str) -> int:
        found = re.search(r"<(.*)>", line)
        recipient = found[1] if found else ""
        self.asked[recipient] += 1
        script = self.answers.get(recipient, [250])
        return script.pop(0) if len(script) > 1 else script[0]


async def _say(writer: asyncio.StreamWriter, line: str) -> None:
    writer.write(f"{line}\r\n".encode())
    await writer.drain()


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    """Serve on a free port of 127.0.0.1."""
    sink, busy = MailServer(), set[asyncio.Task[None]]()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        busy.add(task)
        try:
            await sink.serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # a client that was killed says no good-bye
        finally:
            busy.discard(task)
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()
        for task in list(busy):
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
