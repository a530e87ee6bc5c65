"""One exchange with one endpoint: within its budget, measured, and never with another chain."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from watchers.network import Incomplete, NodeUnavailable, WrongChain
from watchers.providers.endpoint import Endpoint
from watchers.providers.transport import Throttled, Transport

Identity = Callable[[Endpoint], Awaitable[None]]
"""Asks one endpoint which chain it serves; raises `WrongChain` where it is another."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Answer:
    """A body, who gave it, and when the exchange began."""

    content: bytes
    endpoint: Endpoint
    began: float


@dataclass(slots=True)
class Exchange:
    """Shared by all endpoints of a network. `clock` is monotonic seconds, `sleep` waits them.

    With an `identity` no answer is believed before the endpoint has shown its chain: at first,
    after every bench, and after every new connection, behind which another node may stand.
    """

    transport: Transport
    sleep: Callable[[float], Awaitable[object]]
    clock: Callable[[], float] = time.monotonic
    identity: Identity | None = None

    async def post(self, endpoint: Endpoint, path: str, body: bytes) -> Answer:
        """Return the endpoint's answer.

        Raises `NodeUnavailable`, by which the endpoint is benched already, or `WrongChain`, by
        which it is refused for the life of the process.
        """
        await self._identify(endpoint)
        answer = await self.post_unchecked(endpoint, path, body)
        await self._identify(endpoint)
        return answer

    async def post_unchecked(self, endpoint: Endpoint, path: str, body: bytes) -> Answer:
        """Return the answer of an endpoint whose chain may not be known: for finding it out."""
        await self._wait_for_budget(endpoint)
        began = self.clock()
        endpoint.in_flight += 1
        try:
            content = await self.transport.post(
                endpoint.url + path, body, lambda: _connected(endpoint)
            )
        except Throttled as refusal:
            endpoint.refused_more(began, self.clock(), refusal.retry_after)
            raise NodeUnavailable(f"{endpoint.label}: {refusal}") from refusal
        except NodeUnavailable as trouble:
            endpoint.failed(began, self.clock())
            raise NodeUnavailable(f"{endpoint.label}: {trouble}") from trouble
        finally:
            endpoint.in_flight -= 1
        endpoint.answered(began, self.clock())
        return Answer(content, endpoint, began)

    async def _wait_for_budget(self, endpoint: Endpoint) -> None:
        wait = endpoint.sent(self.clock())
        if wait > self.transport.deadline_s:
            endpoint.budget = endpoint.budget.give_back()
            raise NodeUnavailable(f"{endpoint.label}: no budget for the next {wait:.0f} s")
        if wait > 0:
            await self.sleep(wait)

    async def _identify(self, endpoint: Endpoint) -> None:
        if self.identity is None or (endpoint.identified and endpoint.refused is None):
            return
        async with endpoint.checking:
            if endpoint.refused is None and not endpoint.identified:
                await self._check(endpoint, self.identity)
        if endpoint.refused is not None:
            raise WrongChain(f"{endpoint.label}: {endpoint.refused}")

    async def _check(self, endpoint: Endpoint, identity: Identity) -> None:
        try:
            await identity(endpoint)
        except WrongChain as wrong:
            endpoint.refused = str(wrong)
            log.warning("endpoint refused", endpoint=endpoint.label, reason=str(wrong))
            return
        except Incomplete as unknown:
            endpoint.failed(self.clock(), self.clock())
            raise NodeUnavailable(f"{endpoint.label}: {unknown}") from unknown
        endpoint.known_connections = endpoint.connections
        endpoint.checks += 1


def _connected(endpoint: Endpoint) -> None:
    endpoint.connections += 1
