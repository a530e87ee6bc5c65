# Made by generate.py from aio/client.py: change that one.
"""The client: connections, limits, and the parts of the API."""

from types import TracebackType
from typing import Any, Self

import httpx

from cryptic_gateway.plain.resources import (
    BalanceEntries,
    Catalog,
    Customers,
    Deposits,
    Events,
    Invoices,
    WebhookEndpoints,
    WithdrawalBatches,
    Withdrawals,
)
from cryptic_gateway.plain.transport import Transport
from cryptic_gateway.policy import Access, Retrying
from cryptic_gateway.signing import Signer

TIMEOUT_SECONDS = 30.0


class Client:
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
        http: httpx.Client | None = None,
    ) -> None:
        self._http = http or httpx.Client(timeout=timeout, follow_redirects=False)
        self._transport = Transport(
            Access(base_url, api_key, signer), retrying or Retrying(), self._http
        )
        self.invoices = Invoices(self._transport)
        self.deposits = Deposits(self._transport)
        self.withdrawals = Withdrawals(self._transport)
        self.withdrawal_batches = WithdrawalBatches(self._transport)
        self.balance_entries = BalanceEntries(self._transport)
        self.customers = Customers(self._transport)
        self.webhook_endpoints = WebhookEndpoints(self._transport)
        self.events = Events(self._transport)
        self.catalog = Catalog(self._transport)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._transport!r})"

    def request(
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
        return self._transport.send(
            method, path, object, body=body, filters=filters, idempotency_key=idempotency_key
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
