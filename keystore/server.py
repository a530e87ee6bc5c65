"""The door: peers by uid, one request per line, refusals counted, no secrets in the log."""

import asyncio
import socket
import sqlite3
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from keystore import api, wire
from keystore.door import peer_uid
from keystore.logs import Log
from keystore.refusal import Refused
from keystore.service import Result

CONNECTIONS_MAX = 64
TROUBLE_CODE = "unavailable"
"""The code of a reply that is worth asking again for: the disk, not the request."""


class Server:
    """Serves `answer` on a listening Unix socket until `stop` is set.

    Requests run one after another on one thread: keys and journal have a single user, and the
    loop stays free to refuse. An exception that is neither a refusal nor the disk's ends
    `run` with it: a keystore that surprises itself does not go on signing.
    """

    def __init__(
        self,
        answer: Callable[[api.Request], Result],
        *,
        allowed_uids: frozenset[int],
        log: Log,
    ) -> None:
        self._answer = answer
        self._allowed = allowed_uids
        self._log = log
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="keystore")
        self._peers: set[asyncio.Task[None]] = set()
        self._bug: asyncio.Future[None] | None = None
        self.requests = 0
        self.refusals: Counter[str] = Counter()

    async def run(self, door: socket.socket, stop: asyncio.Event) -> None:
        """Accept until `stop`; a request that has begun is finished and answered on disk."""
        self._bug = asyncio.get_running_loop().create_future()
        server = await asyncio.start_unix_server(
            self._serve, sock=door, limit=api.LINE_BYTES_MAX
        )
        self._log.info("ready", socket=str(door.getsockname()))
        stopping = asyncio.create_task(stop.wait())
        try:
            waits: list[asyncio.Future[Any]] = [stopping, self._bug]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            server.close()
            for peer in self._peers:
                peer.cancel()
            await asyncio.gather(*self._peers, return_exceptions=True)
            await asyncio.to_thread(self._thread.shutdown)
            self._log.info(
                "stopped", requests=self.requests, refused=sum(self.refusals.values())
            )
        if self._bug.done():
            self._bug.result()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 asyncio runs every connection in a task
        self._peers.add(task)
        try:
            if self._welcome(writer):
                await self._converse(reader, writer)
            else:
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass  # the peer went away, or we are stopping: either way this line is over
        except BaseException as bug:  # noqa: BLE001 handed to `run`, which ends the process
            self._report(bug)
        finally:
            self._peers.discard(task)
            writer.close()

    def _welcome(self, writer: asyncio.StreamWriter) -> bool:
        """Refuse a peer of another user, and one too many."""
        uid = peer_uid(writer.get_extra_info("socket"))
        if uid not in self._allowed:
            writer.write(
                self._refuse(Refused("forbidden_peer", f"peer uid {uid} is not allowed"))
            )
            return False
        if len(self._peers) > CONNECTIONS_MAX:
            writer.write(self._refuse(Refused("busy", "too many connections")))
            return False
        return True

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            try:
                line = await reader.readuntil(b"\n")
            except asyncio.IncompleteReadError as ended:
                if ended.partial:
                    self._refuse(Refused("malformed", "the line did not end"))
                return
            except asyncio.LimitOverrunError:
                # The rest of the line cannot be told from the next one: answer and hang up.
                sentence = f"a line has at most {api.LINE_BYTES_MAX} bytes"
                writer.write(self._refuse(Refused("oversized", sentence)))
                await writer.drain()
                return
            writer.write(await self._reply(line))
            await writer.drain()

    async def _reply(self, line: bytes) -> bytes:
        self.requests += 1
        loop = asyncio.get_running_loop()
        try:
            request = wire.read_request(line)
            result = await loop.run_in_executor(self._thread, self._answer, request)
            if isinstance(result, api.Status):
                result = msgspec.structs.replace(result, refused=dict(self.refusals))
            return wire.result_line(result)
        except Refused as refusal:
            return self._refuse(refusal)
        except (sqlite3.OperationalError, OSError) as trouble:
            self._log.warning("journal_trouble", kind=type(trouble).__name__)
            return self._refuse(Refused(TROUBLE_CODE, "the journal could not be written"))

    def _refuse(self, refusal: Refused) -> bytes:
        self.refusals[refusal.code] += 1
        self._log.warning(
            "request_refused", code=refusal.code, count=self.refusals[refusal.code]
        )
        return wire.refusal_line(refusal.code, refusal.message)

    def _report(self, bug: BaseException) -> None:
        """Log where it happened, never what it said: messages may quote values."""
        frames = traceback.extract_tb(bug.__traceback__)
        place = (
            f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
        )
        self._log.warning("bug", kind=type(bug).__name__, place=place)
        if self._bug is not None and not self._bug.done():
            self._bug.set_exception(Crashed(type(bug).__name__))


class Crashed(Exception):
    """The keystore met something it does not understand; its name only, no message."""
