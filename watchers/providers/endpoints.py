"""The nodes of one network as one: the best is asked, the next one where it fails."""

import asyncio
import copy
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import TypeVar

from watchers.network import NodeUnavailable, WrongChain
from watchers.providers.budget import budget
from watchers.providers.capabilities import left_out
from watchers.providers.endpoint import Endpoint, Standing, in_order, labels
from watchers.providers.exchange import Answer, Exchange
from watchers.providers.transport import BODY_BYTES_MAX, Transport

T = TypeVar("T")

LEFT_ALONE = "asked to be left alone for now"

_answer: ContextVar[Answer | None] = ContextVar("_answer", default=None)
"""The answer that this task had last: it is the one a caller may find worthless."""


class Endpoints:
    """Not thread-safe; one instance per process and network.

    `timeout_s` limits each step of an exchange, `deadline_s` the whole of it;
    `requests_per_second` is what each node may be asked, 0 without limit. `clock` is monotonic
    seconds, `sleep` waits them. `switches` counts how often the
    reader over all of them settled on another one.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        timeout_s: float = 10.0,
        deadline_s: float = 30.0,
        requests_per_second: float = 0.0,
        headers: Mapping[str, str] | None = None,
        body_bytes_max: int = BODY_BYTES_MAX,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if not urls:
            raise ValueError("urls: at least one node")
        plain = [url.rstrip("/") for url in urls]
        transport = Transport(timeout_s, deadline_s, headers or {}, body_bytes_max)
        self._exchange = Exchange(transport, sleep, clock)
        self._nodes = [
            Endpoint(url, label, budget(requests_per_second, clock()))
            for url, label in zip(plain, labels(plain), strict=True)
        ]
        self._answering: Endpoint | None = None
        self._settled_on = ""
        self._checked = True
        self.switches = 0

    @property
    def labels(self) -> list[str]:
        """Return the nodes' names, in the configured order."""
        return [node.label for node in self._nodes]

    @property
    def clock(self) -> Callable[[], float]:
        """Return the clock, in monotonic seconds."""
        return self._exchange.clock

    @property
    def requests(self) -> int:
        """Return how many exchanges were begun."""
        return sum(node.requests for node in self._nodes)

    @property
    def failures(self) -> int:
        """Return how many failed or were worthless."""
        return sum(node.failures for node in self._nodes)

    def standing(self) -> list[Standing]:
        """Return every node in figures."""
        now = self._exchange.clock()
        return [node.standing(now) for node in self._nodes]

    def pin(self, identity: Callable[["Endpoints"], Awaitable[None]]) -> None:
        """Believe a node only once `identity`, asked of it alone, did not raise `WrongChain`."""

        async def check(node: Endpoint) -> None:
            await identity(self._only(node, checked=False))

        self._exchange.identity = check

    def alone(self) -> dict[str, "Endpoints"]:
        """Return one view per node, by label, that asks this node only and shares its record."""
        return {node.label: self._only(node) for node in self._nodes}

    def node(self, label: str) -> Endpoint:
        """Return the record of one node."""
        return next(node for node in self._nodes if node.label == label)

    def preferred(self, wanted: frozenset[str] = frozenset()) -> list[str]:
        """Return the labels of those that may be asked now, the best first."""
        return [node.label for node in self._in_order(wanted)]

    def offers(self, capability: str) -> bool:
        """Tell whether each of these nodes was seen to offer it, and it is wanted here."""
        if left_out(capability):
            return False
        return all(capability in node.capabilities for node in self._nodes)

    def settle_on(self, label: str) -> None:
        """Note whom the reader of several nodes relies on now."""
        if label != self._settled_on:
            self._settled_on = label
            self.switches += 1

    async def ask(self, path: str, body: bytes, read: Callable[[bytes], T]) -> T:
        """POST to the best node, then to the others, until `read` accepts an answer.

        `read` raises `NodeUnavailable` for a body that is no answer, by which that node is
        benched; what else it raises is the caller's. Raises `WrongChain` where no node serves
        the pinned chain, else `NodeUnavailable` naming each node's trouble.
        """
        reasons: list[str] = []
        for node in self._in_order():
            try:
                answer = await self._post(node, path, body)
                return self._read(answer, read)
            except (NodeUnavailable, WrongChain) as trouble:
                reasons.append(str(trouble))
        raise self._nobody(reasons)

    async def post(self, path: str, body: bytes) -> bytes:
        """POST to the best node, then to the others, until one answers."""
        return await self.ask(path, body, bytes)

    async def post_everywhere(self, path: str, body: bytes) -> list[bytes | NodeUnavailable]:
        """POST the same body to every node at once; return each one's answer or trouble."""
        nodes = self._nodes
        return list(await asyncio.gather(*(self._settled(node, path, body) for node in nodes)))

    def rotate(self) -> None:
        """Bench the node that answered this task last: its answer was worthless."""
        answer = _answer.get()
        if answer is not None and any(answer.endpoint is node for node in self._nodes):
            answer.endpoint.failed(answer.began, self._exchange.clock())
            return
        now = self._exchange.clock()
        (self._answering or self._nodes[0]).failed(now, now)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._exchange.transport.aclose()

    def _only(self, node: Endpoint, *, checked: bool = True) -> "Endpoints":
        view = copy.copy(self)
        view._nodes, view._checked = [node], checked  # noqa: SLF001 - its own kind
        view._answering, view._settled_on, view.switches = None, "", 0  # noqa: SLF001
        return view

    def _in_order(self, wanted: frozenset[str] = frozenset()) -> list[Endpoint]:
        return in_order(self._nodes, self._exchange.clock(), wanted)

    async def _post(self, node: Endpoint, path: str, body: bytes) -> Answer:
        exchange = self._exchange
        post = exchange.post if self._checked else exchange.post_unchecked
        answer = await post(node, path, body)
        # Without its content: a task that rests would keep a whole block alive.
        _answer.set(Answer(b"", answer.endpoint, answer.began))
        self._answering = node
        return answer

    def _read(self, answer: Answer, read: Callable[[bytes], T]) -> T:
        try:
            return read(answer.content)
        except NodeUnavailable as trouble:
            answer.endpoint.failed(answer.began, self._exchange.clock())
            raise NodeUnavailable(f"{answer.endpoint.label}: {trouble}") from trouble

    async def _settled(self, node: Endpoint, path: str, body: bytes) -> bytes | NodeUnavailable:
        if node.breaker.held(self._exchange.clock()):
            return NodeUnavailable(f"{node.label}: {LEFT_ALONE}")
        try:
            return (await self._exchange.post(node, path, body)).content
        except WrongChain as wrong:
            return NodeUnavailable(str(wrong))
        except NodeUnavailable as trouble:
            return trouble

    def _nobody(self, reasons: list[str]) -> Exception:
        """Say why no node answered; those that were not asked at all have a reason too."""
        if all(node.refused for node in self._nodes):
            return WrongChain(
                "; ".join(f"{each.label}: {each.refused}" for each in self._nodes)
            )
        now = self._exchange.clock()
        told = {reason.split(": ")[0] for reason in reasons}
        unasked = [
            f"{node.label}: {node.refused or LEFT_ALONE}"
            for node in self._nodes
            if node.label not in told and (node.refused or node.breaker.held(now))
        ]
        return NodeUnavailable("; ".join(reasons + unasked))
