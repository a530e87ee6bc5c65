"""The client: connections, limits, and the parts of the API."""

from types import TracebackType
from typing import Any, Self

import httpx

from cryptic_gateway.aio.resources import (
    AsyncBalanceEntries,
    AsyncCatalog,
    AsyncCustomers,
    AsyncDeposits,
    AsyncEvents,
    AsyncInvoices,
    AsyncWebhookEndpoints,
    AsyncWithdrawalBatches,
    AsyncWithdrawals,
)
from cryptic_gateway.aio.transport import AsyncTransport
from cryptic_gateway.policy import Access, Retrying
from cryptic_gateway.signing import Signer

TIMEOUT_SECONDS = 30.0


class AsyncClient:
    """The API as one key sees it; close it, or use it as a context.

    `http` replaces the pool of connections, for a proxy or a certificate authority of your own.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout: float = TIMEOUT_SECONDS,
        retrying: Retrying | None = None,
        signer: Signer | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._http = http or httpx.AsyncClient(timeout=timeout, follow_redirects=False)
        self._transport = AsyncTransport(
            Access(base_url, api_key, signer), retrying or Retrying(), self._http
        )
        self.invoices = AsyncInvoices(self._transport)
        self.deposits = AsyncDeposits(self._transport)
        self.withdrawals = AsyncWithdrawals(self._transport)
        self.withdrawal_batches = AsyncWithdrawalBatches(self._transport)
        self.balance_entries = AsyncBalanceEntries(self._transport)
        self.customers = AsyncCustomers(self._transport)
        self.webhook_endpoints = AsyncWebhookEndpoints(self._transport)
        self.events = AsyncEvents(self._transport)
        self.catalog = AsyncCatalog(self._transport)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._transport!r})"

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: dict[str, Any] | None = None,
        filters: dict[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Any:
        """Call what has no method here, as `request("GET", "/rates")`; return the JSON.

        A query stands in `filters`, or in the path; both are a `ValueError`.
        """
        if filters and "?" in path:
            raise ValueError("a query in the path, or filters: not both")
        return await self._transport.send(
            method, path, object, body=body, filters=filters, idempotency_key=idempotency_key
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
