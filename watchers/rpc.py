"""HTTP to nodes: several endpoints, failover with a growing pause, JSON-RPC decoded by type.

Every answer is read whole and decoded by msgspec into the type the caller names; a body of
another shape is the node's fault (`NodeUnavailable`), never an empty answer. Reasons name a
node by host and port only: paths and user parts of a URL often hold a provider's key.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import httpx
import msgspec

from watchers.network import NodeUnavailable

T = TypeVar("T")

BODY_BYTES_MAX = 64 * 1024 * 1024
PAUSE_SECONDS_FIRST = 0.5
PAUSE_SECONDS_MAX = 60.0


class RpcError(Exception):
    """The node answered with a JSON-RPC error object."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class _ErrorObject(msgspec.Struct, gc=False):
    code: int
    message: str = ""


class _Envelope(msgspec.Struct, Generic[T], gc=False):
    result: T | msgspec.UnsetType = msgspec.UNSET
    error: _ErrorObject | None = None
    id: int | str | None = None


@dataclass(slots=True)
class _Endpoint:
    """One node address and how long it is benched.

    `failures` counts until two answers in a row were of use: an answer that the caller then
    finds worthless (`rotate`) does not start the pauses from anew.
    """

    url: str
    failures: int = 0
    benched_until: float = 0.0
    trusted: bool = True

    @property
    def name(self) -> str:
        return httpx.URL(self.url).netloc.decode("ascii")

    def praise(self) -> None:
        if self.trusted:
            self.failures = 0
        self.trusted = True

    def bench(self, now: float) -> None:
        self.failures += 1
        self.trusted = False
        pause = min(PAUSE_SECONDS_MAX, PAUSE_SECONDS_FIRST * 2 ** min(self.failures - 1, 10))
        self.benched_until = now + pause


@dataclass(slots=True)
class Endpoints:
    """The nodes of one network, used one at a time until one fails.

    Not thread-safe; one instance per process and network. `clock` is monotonic seconds.
    `timeout_s` limits each step of an exchange (connect, write, one read), `deadline_s` the
    whole of it: a node that drips bytes is as good as one that is silent. `requests` and
    `failures` count for the network's health.
    """

    urls: Sequence[str]
    timeout_s: float = 10.0
    headers: Mapping[str, str] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    deadline_s: float = 30.0
    requests: int = 0
    failures: int = 0
    switches: int = 0
    """How often another node began to answer: its chain has to be checked again."""
    _answering: _Endpoint | None = field(init=False, default=None)
    _nodes: list[_Endpoint] = field(init=False)
    _client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        if not self.urls:
            raise ValueError("urls: at least one node")
        self._nodes = [_Endpoint(url.rstrip("/")) for url in self.urls]
        self._client = httpx.AsyncClient(
            timeout=self.timeout_s,
            headers={"accept-encoding": "gzip", **self.headers},
            trust_env=False,
            follow_redirects=False,
        )

    async def post(self, path: str, body: bytes) -> bytes:
        """POST a JSON body to the current node; try each node once before giving up."""
        reasons = []
        for node in self._by_preference():
            try:
                content = await self._exchange(node, path, body)
            except NodeUnavailable as trouble:
                reasons.append(str(trouble))
                continue
            if node is not self._answering:
                self._answering = node
                self.switches += 1
            return content
        raise NodeUnavailable("; ".join(reasons))

    async def post_everywhere(self, path: str, body: bytes) -> list[bytes | NodeUnavailable]:
        """POST the same body to every node at once; return each one's answer or trouble."""
        return list(
            await asyncio.gather(*(self._settled(node, path, body) for node in self._nodes))
        )

    def rotate(self) -> None:
        """Bench the current node: it answered, but not with what a complete node would."""
        self._bench(self._by_preference()[0])

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _settled(
        self, node: _Endpoint, path: str, body: bytes
    ) -> bytes | NodeUnavailable:
        try:
            return await self._exchange(node, path, body)
        except NodeUnavailable as trouble:
            return trouble

    async def _exchange(self, node: _Endpoint, path: str, body: bytes) -> bytes:
        self.requests += 1
        try:
            async with asyncio.timeout(self.deadline_s):
                content = await self._body(node.url + path, body)
        except (httpx.HTTPError, NodeUnavailable, TimeoutError) as trouble:
            self._bench(node)
            raise NodeUnavailable(
                f"{node.name}: {str(trouble) or type(trouble).__name__}"
            ) from trouble
        node.praise()
        return content

    async def _body(self, url: str, body: bytes) -> bytes:
        headers = {"content-type": "application/json"}
        request = self._client.stream("POST", url, content=body, headers=headers)
        content = bytearray()
        async with request as response:
            if response.status_code != httpx.codes.OK:
                raise NodeUnavailable(f"HTTP {response.status_code}")
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > BODY_BYTES_MAX:
                    raise NodeUnavailable(f"answer of more than {BODY_BYTES_MAX} bytes")
        return bytes(content)

    def _by_preference(self) -> list[_Endpoint]:
        now = self.clock()
        return sorted(self._nodes, key=lambda node: max(0.0, node.benched_until - now))

    def _bench(self, node: _Endpoint) -> None:
        self.failures += 1
        node.bench(self.clock())


@dataclass(slots=True)
class JsonRpc:
    """JSON-RPC 2.0 over `Endpoints`."""

    endpoints: Endpoints
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _decoders: dict[Any, msgspec.json.Decoder[Any]] = field(default_factory=dict)

    async def call(self, method: str, params: Sequence[Any], kind: type[T]) -> T:
        """Call one method; return its result as `kind` (use `X | None` where null may come).

        Raises `RpcError` for the node's own refusal and `NodeUnavailable` for anything else,
        a result of another shape included.
        """
        number, request = self._request(method, params)
        body = await self.endpoints.post("", request)
        try:
            return self._result(method, number, body, kind)
        except NodeUnavailable:
            self.endpoints.rotate()
            raise

    async def call_everywhere(
        self, method: str, params: Sequence[Any], kind: type[T]
    ) -> list[T | RpcError | NodeUnavailable]:
        """Call one method on every node; return what each said, troubles and refusals too."""
        number, request = self._request(method, params)
        said: list[T | RpcError | NodeUnavailable] = []
        for body in await self.endpoints.post_everywhere("", request):
            if isinstance(body, NodeUnavailable):
                said.append(body)
                continue
            try:
                said.append(self._result(method, number, body, kind))
            except (RpcError, NodeUnavailable) as trouble:
                said.append(trouble)
        return said

    def _request(self, method: str, params: Sequence[Any]) -> tuple[int, bytes]:
        number = next(self._ids)
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        return number, msgspec.json.encode(request)

    def _result(self, method: str, number: int, body: bytes, kind: type[T]) -> T:
        decoder = self._decoders.get(kind)
        if decoder is None:
            decoder = self._decoders[kind] = msgspec.json.Decoder(_Envelope[kind])  # type: ignore[valid-type]
        try:
            envelope = decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as trouble:
            raise NodeUnavailable(f"{method}: {trouble}") from trouble
        if envelope.error is not None:
            raise RpcError(envelope.error.code, envelope.error.message)
        if envelope.id != number:
            raise NodeUnavailable(f"{method}: answer to another question")
        if envelope.result is msgspec.UNSET:
            raise NodeUnavailable(f"{method}: neither result nor error")
        result: T = envelope.result
        return result
