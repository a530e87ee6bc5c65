"""The gateway's HTTP API as a shop calls it: bearer key, JSON, idempotent posts."""

import asyncio
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

PAUSE_SECONDS = 0.3
IN_FLIGHT = "idempotency_key_in_flight"


class Problem(Exception):
    """The API answered with an RFC 9457 problem (or not at all in the way it should)."""

    def __init__(self, answer: httpx.Response) -> None:
        body = _body(answer)
        self.status = answer.status_code
        self.code = str(body.get("code", ""))
        self.detail = str(body.get("detail", answer.text[:200]))
        super().__init__(f"{answer.request.url.path}: {self.status} {self.code} {self.detail}")


@dataclass(slots=True)
class Client:
    """One API key's view.

    With `patience_seconds` a dead connection and a 5xx are tried again for so long; every POST
    carries an `Idempotency-Key`, so a repetition is never a second order.
    """

    url: str
    key: str | None = None
    patience_seconds: float = 0.0
    http: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        headers = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        self.http = httpx.AsyncClient(
            base_url=self.url, headers=headers, timeout=20, trust_env=False
        )

    async def get(self, path: str, **params: str) -> Any:
        """Return the document; raise `Problem` for anything but 2xx."""
        return await self._ask("GET", path, params=params)

    async def post(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> Any:
        """Post once; return the document."""
        headers = {"Idempotency-Key": idempotency_key or secrets.token_hex(16)}
        return await self._ask("POST", path, json=body, headers=headers)

    async def every(self, path: str, **params: str) -> list[Any]:
        """Return all pages of a list."""
        rows: list[Any] = []
        while True:
            page = await self.get(path, limit="100", **params)
            rows += page["data"]
            if not page["has_more"]:
                return rows
            params["starting_after"] = page["next_cursor"]

    async def aclose(self) -> None:
        """Close the connections."""
        await self.http.aclose()

    async def _ask(self, method: str, path: str, **arguments: Any) -> Any:
        deadline = time.monotonic() + self.patience_seconds
        while True:
            try:
                answer = await self.http.request(method, path, **arguments)
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
            else:
                if answer.is_success:
                    return answer.json()
                if not _passing(answer) or time.monotonic() > deadline:
                    raise Problem(answer)
            await asyncio.sleep(PAUSE_SECONDS)


def _passing(answer: httpx.Response) -> bool:
    """Tell whether the same request may well succeed in a moment."""
    return answer.is_server_error or _body(answer).get("code") == IN_FLIGHT


def _body(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
