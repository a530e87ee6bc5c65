"""An export: one statement behind a server-side cursor, one batch in memory, one file at the end.

A reader who is slow or gone holds a database connection; so a merchant has one export at a time,
a process a few, and none lasts longer than `SECONDS_MAX` or is read more slowly than
`BYTES_PER_SECOND_MIN`. A file that breaks off ends without the
last chunk of its transfer, which every client reports.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from litestar.params import Parameter
from litestar.response import Stream
from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import TooMany
from gateway.exports.csv import lines, value_at
from gateway.http.call import Call

Format = Annotated[Literal["csv", "ndjson"], Parameter(query="format")]
MEDIA_TYPES = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
OPENAPI: dict[str, Any] = {
    "refusals": (429,),
    "media_types": ("text/csv", "application/x-ndjson"),
}
"""What the description of an exporting route adds."""
BATCH = 200
BATCHES_AHEAD = 2
AT_ONCE = 2
SECONDS_MAX = 600.0
STALL_SECONDS = 30.0
"""How long a reader may keep us waiting: who stalls gives its place away."""
BYTES_PER_SECOND_MIN = 131_072
"""What a reader takes at least, a megabit: who is slower uses up `STALL_SECONDS` little by little."""
RETRY_SECONDS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A list as a file: what selects its rows, and what makes documents of a batch of them.

    `columns` are paths into the documents, such as `tax.label`, for CSV.
    """

    name: str
    columns: Sequence[str]
    select: Callable[[AsyncSession], Awaitable[Executable]]
    shape: Callable[[AsyncSession, Sequence[Any]], Awaitable[Sequence[Any]]]


@dataclass(slots=True)
class Patience:
    """How long a reader may still keep us waiting; what it takes in time gives it that time back."""

    seconds_max: float
    bytes_per_second_min: int
    seconds: float = field(init=False)

    def __post_init__(self) -> None:
        self.seconds = self.seconds_max

    def taken(self, size: int, waited: float) -> None:
        """Count a chunk of `size` bytes that was waited for."""
        earned = size / self.bytes_per_second_min
        self.seconds = min(self.seconds_max, self.seconds - waited + earned)


@dataclass(slots=True)
class Exports:
    """The exports of one process."""

    at_once: int = AT_ONCE
    seconds_max: float = SECONDS_MAX
    stall_seconds: float = STALL_SECONDS
    bytes_per_second_min: int = BYTES_PER_SECOND_MIN
    _tenants: set[str] = field(default_factory=set)

    @property
    def under_way(self) -> int:
        """Return how many exports there are now."""
        return len(self._tenants)

    async def begin(self, call: Call, export: Export, format_: str) -> Stream:
        """Start an export and answer with it; `TooMany` where another one is under way.

        What goes wrong in the first batch is a problem like any other.
        """
        tenant = call.actor.tenant
        if tenant in self._tenants or self.under_way >= self.at_once:
            raise TooMany(
                "an export is under way",
                code="export_running",
                retry_after_seconds=RETRY_SECONDS,
            )
        self._tenants.add(tenant)
        sending, receiving = anyio.create_memory_object_stream[bytes](BATCHES_AHEAD)
        encode = _csv(export.columns) if format_ == "csv" else _ndjson
        work = asyncio.create_task(self._produce(call, export, encode, sending))
        work.add_done_callback(lambda _: self._tenants.discard(tenant))
        try:
            first = await receiving.receive()
        except anyio.EndOfStream:
            receiving.close()
            await work  # raises what ended it before anything was sent
            raise
        except asyncio.CancelledError:
            work.cancel()  # nobody is left to read it
            raise
        return Stream(
            _chunks(first, receiving, work),
            media_type=MEDIA_TYPES[format_],
            headers={"Content-Disposition": f'attachment; filename="{export.name}.{format_}"'},
        )

    async def _produce(
        self,
        call: Call,
        export: Export,
        encode: Callable[[Sequence[Any]], bytes],
        sending: MemoryObjectSendStream[bytes],
    ) -> None:
        """Send a batch after the other; the first goes out with the header, or not at all."""
        head: bytes | None = encode([])
        patience = Patience(self.stall_seconds, self.bytes_per_second_min)
        async with sending, asyncio.timeout(self.seconds_max), call.transaction() as session:
            query = await export.select(session)
            async with aclosing(batches(session, query)) as found:
                async for rows in found:
                    chunk = (head or b"") + encode(await export.shape(session, rows))
                    head = None
                    began = time.monotonic()
                    async with asyncio.timeout(patience.seconds):
                        await sending.send(chunk)
                    patience.taken(len(chunk), time.monotonic() - began)
            if head is not None:
                await sending.send(head)


async def batches(session: AsyncSession, query: Executable) -> AsyncGenerator[Sequence[Any]]:
    """Yield the rows of a statement in batches, through a server-side cursor.

    A row of one column is that column. The session holds its rows weakly: those of one batch are
    gone with it.
    """
    result = await session.stream(query.execution_options(yield_per=BATCH))
    try:
        async for rows in result.partitions(BATCH):
            yield [row[0] if len(row) == 1 else row for row in rows]
    finally:
        await result.close()


async def _chunks(
    first: bytes, receiving: MemoryObjectReceiveStream[bytes], work: asyncio.Task[None]
) -> AsyncIterator[bytes]:
    """Pass chunks on; raise what ended the work early, so that the file is not taken for whole."""
    try:
        yield first
        async for chunk in receiving:
            yield chunk
        await work
    finally:
        work.cancel()
        receiving.close()


def _csv(columns: Sequence[str]) -> Callable[[Sequence[Any]], bytes]:
    """Return the encoder of a batch; the empty one that comes first is the header."""

    def encode(batch: Sequence[Any]) -> bytes:
        if not batch:
            return lines([[column.replace(".", "_") for column in columns]])
        found = msgspec.to_builtins(batch)
        return lines([[value_at(each, column) for column in columns] for each in found])

    return encode


def _ndjson(batch: Sequence[Any]) -> bytes:
    return b"".join(msgspec.json.encode(each) + b"\n" for each in batch)
