"""HTTP as nodes speak it badly: `Retry-After`, torn bodies, keys that must not show."""

import gzip
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.fakes.node import Raw, serving, table
from watchers.network import NodeUnavailable
from watchers.providers.transport import Throttled, Transport, retry_after_seconds
from watchers.rpc import Endpoints, JsonRpc

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
GOOD = b'{"jsonrpc":"2.0","id":1,"result":"0x1"}'


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30),
        ("0", 0),
        (" 7 ", 7),
        ("Sat, 21 Nov 2026 12:00:45 GMT", 45),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0),
        ("9" * 400, 999_999_999),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e3", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    """Nonsense says nothing; the past says now."""
    assert retry_after_seconds(header, NOW) == seconds


async def posted(answer: Raw, **options: Any) -> bytes:
    """POST once to a node that gives this answer."""
    transport = Transport(5.0, 5.0, **options)
    try:
        async with serving(table(get=answer)) as node:
            question = b'{"jsonrpc":"2.0","id":1,"method":"get","params":[]}'
            return await transport.post(node.url, question, lambda: None)
    finally:
        await transport.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize(
    "answer",
    [
        Raw(b"not gzip", headers=("content-encoding: gzip",)),
        Raw(GOOD, status=500),
        Raw(GOOD, status=503),
        Raw(GOOD, status=204),
        Raw(b"", status=302, headers=("location: http://127.0.0.1:9/",)),
    ],
    ids=["no gzip", "500", "503", "204", "redirect"],
)
async def test_case_38_only_a_whole_200_is_a_body(answer: Raw) -> None:
    """Everything else is the node's trouble."""
    with pytest.raises(NodeUnavailable):
        await posted(answer)


@pytest.mark.anyio
async def test_case_38_a_gzip_bomb_is_cut() -> None:
    """The limit is on what it unpacks to."""
    bomb = Raw(gzip.compress(bytes(50_000_000)), headers=("content-encoding: gzip",))
    with pytest.raises(NodeUnavailable, match="more than 1000000 bytes"):
        await posted(bomb, body_bytes_max=1_000_000)


@pytest.mark.anyio
@pytest.mark.parametrize("status", [429, 503])
async def test_case_38_too_many_requests_carries_the_pause(status: int) -> None:
    """The node's own word, in seconds."""
    with pytest.raises(Throttled) as caught:
        await posted(Raw(b"slow down", status=status, headers=("retry-after: 17",)))
    assert caught.value.retry_after == 17


@pytest.mark.anyio
async def test_connections_are_kept() -> None:
    """Many calls, one connection."""
    async with serving(table(get="0x1")) as node:
        endpoints = Endpoints([node.url])
        for _ in range(5):
            await JsonRpc(endpoints).call("get", [], str)
        await endpoints.aclose()
    assert node.connections == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    "raw",
    [
        Raw(b"no", status=403),
        Raw(b"\x00\x01", headers=("content-length: bad",)),
        Raw(b"x", headers=("content-encoding: gzip",)),
    ],
)
async def test_no_trouble_shows_a_key(raw: Raw) -> None:
    """Neither the message nor what caused it holds path or user part of the URL."""
    async with serving(table(get=raw)) as node:
        url = node.url.replace("http://", "http://user:secret@") + "/v2/secret"
        endpoints = Endpoints([url])
        with pytest.raises(NodeUnavailable) as caught:
            await JsonRpc(endpoints).call("get", [], str)
        await endpoints.aclose()
    trouble: BaseException | None = caught.value
    while trouble is not None:
        assert "secret" not in repr(trouble)
        trouble = trouble.__cause__ or (
            None if trouble.__suppress_context__ else trouble.__context__
        )
