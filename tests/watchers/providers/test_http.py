"""What goes to a node byte by byte, and whose answer is whose."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field

import pytest

from tests.fakes.node import HEADER_END, Raw, serving, table
from watchers.network import NodeUnavailable
from watchers.providers.transport import Transport

LONG = 60.0
SOON, SHORT = 10.0, 0.05


@dataclass(slots=True)
class Server:
    """Says nothing to the first question of all, and answers each later one by its number.

    On the connection of the first question its answer comes first.
    """

    port: int = 0
    heads: list[str] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    silent: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        numbers: list[int] = []
        with closing(writer):
            while head := await _head(reader):
                numbers.append(len(self.heads))
                self.heads.append(head)
                self.asked.set()
                if self.silent and numbers == [0]:
                    continue
                body = str(numbers.pop(0)).encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body
                )


async def _head(reader: asyncio.StreamReader) -> str:
    try:
        head = (await reader.readuntil(HEADER_END)).decode()
        length = head.lower().split("content-length: ")[1].split("\r\n")[0]
        await reader.readexactly(int(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return ""
    return head


@asynccontextmanager
async def listening(*, silent: bool = False) -> AsyncIterator[Server]:
    """Run a server inside the block."""
    made = Server(silent=silent)
    running = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = running.sockets[0].getsockname()[1]
    async with running:
        yield made


@asynccontextmanager
async def transport(timeout_s: float = LONG, api_key: str = "k") -> AsyncIterator[Transport]:
    """Close the connections behind the block."""
    made = Transport(timeout_s, LONG, {"x-api-key": api_key})
    try:
        yield made
    finally:
        await made.aclose()


def _nothing() -> None: ...


@pytest.mark.anyio
async def test_an_answer_that_nobody_waited_for_is_not_the_next_ones() -> None:
    """The connection of an exchange that was given up is never used again."""
    async with listening(silent=True) as server, transport() as client:
        url = f"http://127.0.0.1:{server.port}"
        given_up = asyncio.create_task(client.post(url, b"{}", _nothing))
        await server.asked.wait()
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        assert await client.post(url, b"{}", _nothing) == b"1"


@pytest.mark.anyio
async def test_a_connection_is_told_once_and_then_kept() -> None:
    """Behind a new connection another node may stand: its chain is asked for again."""
    told: list[None] = []
    async with listening() as server, transport() as client:
        for _ in range(3):
            await client.post(
                f"http://127.0.0.1:{server.port}", b"{}", lambda: told.append(None)
            )
    assert len(told) == 1


@pytest.mark.anyio
async def test_the_address_goes_in_the_request_and_its_user_part_in_a_header() -> None:
    """Path and query as they are spelled; a fragment, a name and a password never."""
    async with listening() as server, transport() as client:
        url = f"http://us%40er:pass@127.0.0.1:{server.port}/v2/a%20b?q=1#part"
        await client.post(url, b"{}", _nothing)
    line, *rest = server.heads[0].split("\r\n")
    sent = {name.lower(): value for name, _, value in (each.partition(": ") for each in rest)}
    assert line == "POST /v2/a%20b?q=1 HTTP/1.1"
    assert sent["authorization"] == "Basic dXNAZXI6cGFzcw=="
    assert (sent["content-type"], sent["x-api-key"]) == ("application/json", "k")
    assert (sent["host"], sent["content-length"]) == (f"127.0.0.1:{server.port}", "2")


@pytest.mark.anyio
@pytest.mark.parametrize("value", ["k\r\nx: y", "k\nx: y", "k\0"])
async def test_a_header_cannot_bring_another_one(value: str) -> None:
    """Nothing is sent."""
    async with listening() as server, transport(api_key=value) as client:
        with pytest.raises(NodeUnavailable):
            await client.post(f"http://127.0.0.1:{server.port}", b"{}", _nothing)
    assert server.heads == []


@pytest.mark.anyio
@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http:///v1", "127.0.0.1"])
async def test_what_is_no_http_address_is_the_nodes_trouble(url: str) -> None:
    """As one that does not answer."""
    async with transport() as client:
        with pytest.raises(NodeUnavailable):
            await client.post(url, b"{}", _nothing)


@pytest.mark.anyio
async def test_case_38_silence_is_not_waited_out() -> None:
    """Neither before the answer nor inside of it."""
    async with asyncio.timeout(SOON):
        async with listening(silent=True) as server, transport(SHORT) as client:
            with pytest.raises(NodeUnavailable, match="TimeoutError"):
                await client.post(f"http://127.0.0.1:{server.port}", b"{}", _nothing)
        slow = table(get=Raw(b"body", seconds=LONG))
        async with serving(slow) as node, transport(SHORT) as client:
            with pytest.raises(NodeUnavailable, match="TimeoutError"):
                await client.post(node.url, b'{"id":1,"method":"get","params":[]}', _nothing)
