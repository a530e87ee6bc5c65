# Made by generate.py from aio/transport.py: change that one.
"""One request with its retries, and lists that turn their pages by themselves."""

import time
import random
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import httpx

from cryptic_gateway.documents import Page
from cryptic_gateway.policy import Access, Retrying, decoded, encoded, key_for, query
from cryptic_gateway.problems import GatewayError, NoAnswer, problem_of

T = TypeVar("T")

PAGE = 100


class Transport:
    """Sends requests of one key over one pool of connections."""

    def __init__(self, access: Access, retrying: Retrying, http: httpx.Client) -> None:
        self._access = access
        self._retrying = retrying
        self._http = http

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._access!r})"

    def send(
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
                    self._attempt(method, path, content, query(filters or {}), key), kind
                )
            except GatewayError as fault:
                chance = random.random()  # noqa: S311 - spreads retries, guards nothing
                pause = self._retrying.pause(fault, method, attempt, chance)
                if pause is None:
                    raise
                time.sleep(pause)

    def _attempt(
        self, method: str, path: str, content: bytes, params: dict[str, Any], key: str | None
    ) -> bytes:
        request = self._http.build_request(
            method, self._access.url(path), params=params or None, content=content
        )
        request.headers.update(self._access.headers(method, str(request.url), content, key))
        try:
            answer = self._http.send(request)
        except httpx.RequestError as fault:
            raise NoAnswer(f"{method} {path}: {fault!r}") from fault
        if not answer.is_success:
            retry_after = answer.headers.get("Retry-After")
            raise problem_of(answer.status_code, answer.content, retry_after)
        return answer.content

    def all(
        self, path: str, kind: type[T], filters: Mapping[str, Any]
    ) -> Iterator[T]:
        """Yield every item of a list, page after page."""
        cursor: str | None = None
        while True:
            asked = {"limit": PAGE, **filters, "starting_after": cursor}
            page = self.send("GET", path, Page[kind], filters=asked)  # type: ignore[valid-type]
            for item in page.data:
                yield item
            if not page.has_more or page.next_cursor is None:
                return
            cursor = page.next_cursor

    def whole(self, path: str, kind: type[T]) -> list[T]:
        """Return a list that is always one page."""
        page = self.send("GET", path, Page[kind])  # type: ignore[valid-type]
        return list(page.data)
