"""One request with its retries, and lists that turn their pages by themselves."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

import httpx

from cryptic_gateway.documents import Page
from cryptic_gateway.policy import Access, Retrying, decoded, encoded, key_for, query
from cryptic_gateway.problems import GatewayError, NoAnswer, problem_of

T = TypeVar("T")

PAGE = 100


class AsyncTransport:
    """Sends requests of one key over one pool of connections."""

    def __init__(self, access: Access, retrying: Retrying, http: httpx.AsyncClient) -> None:
        self._access = access
        self._retrying = retrying
        self._http = http

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._access!r})"

    async def send(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        body: Mapping[str, Any] | None = None,
        filters: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> T:
        """Send one request, again where that is safe, and read its answer as `kind`."""
        key = key_for(method, idempotency_key)
        content = encoded(body)
        attempt = 0
        while True:
            attempt += 1
            try:
                return decoded(
                    await self._attempt(method, path, content, query(filters or {}), key), kind
                )
            except GatewayError as fault:
                chance = random.random()  # noqa: S311 - spreads retries, guards nothing
                pause = self._retrying.pause(fault, method, attempt, chance)
                if pause is None:
                    raise
                await asyncio.sleep(pause)

    async def _attempt(
        self, method: str, path: str, content: bytes, params: dict[str, Any], key: str | None
    ) -> bytes:
        request = self._http.build_request(
            method, self._access.url(path), params=params or None, content=content
        )
        request.headers.update(self._access.headers(method, str(request.url), content, key))
        try:
            answer = await self._http.send(request)
        except httpx.RequestError as fault:
            raise NoAnswer(f"{method} {path}: {fault!r}") from fault
        if not answer.is_success:
            retry_after = answer.headers.get("Retry-After")
            raise problem_of(answer.status_code, answer.content, retry_after)
        return answer.content

    async def all(
        self, path: str, kind: type[T], filters: Mapping[str, Any]
    ) -> AsyncIterator[T]:
        """Yield every item of a list, page after page."""
        cursor: str | None = None
        while True:
            asked = {"limit": PAGE, **filters, "starting_after": cursor}
            page = await self.send("GET", path, Page[kind], filters=asked)  # type: ignore[valid-type]
            for item in page.data:
                yield item
            if not page.has_more or page.next_cursor is None:
                return
            cursor = page.next_cursor

    async def whole(self, path: str, kind: type[T]) -> list[T]:
        """Return a list that is always one page."""
        page = await self.send("GET", path, Page[kind])  # type: ignore[valid-type]
        return list(page.data)
