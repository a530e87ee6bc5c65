"""What a merchant does with invoices, payments, payouts, customers and webhooks.

Each POST takes an `idempotency_key`; one that you keep makes a retry after a crash of your own
program safe as well. Without it every call has a new one, which covers its own retries.
"""

from collections.abc import AsyncIterator
from typing import Any, Unpack
from urllib.parse import quote

from cryptic_gateway.aio.transport import PAGE, AsyncTransport
from cryptic_gateway.documents import (
    Amount,
    Balance,
    BalanceEntry,
    BatchFilter,
    Customer,
    CustomerFilter,
    Deposit,
    DepositAddress,
    DepositFilter,
    EntryFilter,
    Estimate,
    Event,
    EventFilter,
    Invoice,
    InvoiceFilter,
    NewCustomer,
    NewInvoice,
    NewRefund,
    Page,
    PaymentMethod,
    WebhookEndpoint,
    Withdrawal,
    WithdrawalBatch,
    WithdrawalFilter,
)


def at(path: str, *ids: str) -> str:
    """Return a path with ids in it, each as one segment whatever it holds.

    Raises `ValueError` for what no escape makes a segment of: nothing, `.` and `..` lead elsewhere.
    """
    if not all(each.strip(".") for each in ids):
        raise ValueError("an id is neither empty nor made of dots")
    return path.format(*(quote(each, safe="") for each in ids))


class AsyncResource:
    """A part of the API."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport


class AsyncInvoices(AsyncResource):
    """Invoices."""

    async def create(
        self, *, currency: str, idempotency_key: str | None = None, **fields: Unpack[NewInvoice]
    ) -> Invoice:
        """Ask a payer for money."""
        return await self._transport.send(
            "POST",
            "/invoices",
            Invoice,
            body={"currency": currency, **fields},
            idempotency_key=idempotency_key,
        )

    async def get(self, invoice_id: str) -> Invoice:
        """Return one invoice with its deposits."""
        path = at("/invoices/{}", invoice_id)
        return await self._transport.send(
            "GET", path, Invoice, filters={"expand[]": "deposits"}
        )

    def all(self, **filters: Unpack[InvoiceFilter]) -> AsyncIterator[Invoice]:
        """Yield invoices, newest first."""
        return self._transport.all("/invoices", Invoice, filters)

    async def cancel(self, invoice_id: str, *, idempotency_key: str | None = None) -> Invoice:
        """Take a pending invoice back; its addresses are still watched."""
        path = at("/invoices/{}/cancel", invoice_id)
        return await self._transport.send(
            "POST", path, Invoice, idempotency_key=idempotency_key
        )

    async def choose(
        self, invoice_id: str, payment_method: str, *, idempotency_key: str | None = None
    ) -> Invoice:
        """Give the payer the address of one payment method."""
        path = at("/invoices/{}/payment_options/{}", invoice_id, payment_method)
        return await self._transport.send(
            "POST", path, Invoice, idempotency_key=idempotency_key
        )

    async def refund(
        self,
        invoice_id: str,
        *,
        kind: str,
        destination: str,
        reason: str,
        idempotency_key: str | None = None,
        **fields: Unpack[NewRefund],
    ) -> Withdrawal:
        """Pay `full`, `excess` or `remainder` back to an address that the payer names."""
        return await self._transport.send(
            "POST",
            at("/invoices/{}/refunds", invoice_id),
            Withdrawal,
            body={"kind": kind, "destination": destination, "reason": reason, **fields},
            idempotency_key=idempotency_key,
        )


class AsyncDeposits(AsyncResource):
    """Payments as they came."""

    async def get(self, deposit_id: str) -> Deposit:
        """Return one deposit."""
        return await self._transport.send("GET", at("/deposits/{}", deposit_id), Deposit)

    def all(self, **filters: Unpack[DepositFilter]) -> AsyncIterator[Deposit]:
        """Yield deposits, newest first."""
        return self._transport.all("/deposits", Deposit, filters)


class AsyncWithdrawals(AsyncResource):
    """Payouts."""

    async def create(
        self,
        *,
        payment_method: str,
        amount: Amount,
        destination: str,
        idempotency_key: str,
        reference: str | None = None,
        customer_id: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> Withdrawal:
        """Ask for a payout. The key must be yours: kept, it pays once whatever happens to you.

        With `customer_id` that customer's balance pays it.
        """
        body: dict[str, Any] = {
            "payment_method": payment_method,
            "amount": amount,
            "destination": destination,
            "reference": reference,
            "customer_id": customer_id,
            "metadata": metadata or {},
        }
        return await self._transport.send(
            "POST", "/withdrawals", Withdrawal, body=body, idempotency_key=idempotency_key
        )

    async def get(self, withdrawal_id: str) -> Withdrawal:
        """Return one withdrawal."""
        path = at("/withdrawals/{}", withdrawal_id)
        return await self._transport.send("GET", path, Withdrawal)

    def all(self, **filters: Unpack[WithdrawalFilter]) -> AsyncIterator[Withdrawal]:
        """Yield withdrawals, newest first."""
        return self._transport.all("/withdrawals", Withdrawal, filters)

    async def estimate(
        self,
        *,
        payment_method: str,
        amount: Amount,
        destination: str | None = None,
        customer_id: str | None = None,
        require_answer: bool = False,
    ) -> Estimate:
        """Return what a payout would cost and who would decide; nothing is held.

        With `require_answer` a destination of which nobody knows is `Unavailable`.
        """
        body: dict[str, Any] = {
            "payment_method": payment_method,
            "amount": amount,
            "destination": destination,
            "customer_id": customer_id,
            "require_answer": require_answer,
        }
        return await self._transport.send("POST", "/withdrawals/estimate", Estimate, body=body)

    async def approve(self, withdrawal_id: str) -> Withdrawal:
        """Let it pass the merchant's gate; never with the key that asked for it."""
        return await self._decide(withdrawal_id, "approve")

    async def reject(self, withdrawal_id: str) -> Withdrawal:
        """Refuse it; the balance is released."""
        return await self._decide(withdrawal_id, "reject")

    async def cancel(self, withdrawal_id: str) -> Withdrawal:
        """Take it back, as long as nothing is signed."""
        return await self._decide(withdrawal_id, "cancel")

    async def _decide(self, withdrawal_id: str, word: str) -> Withdrawal:
        path = at("/withdrawals/{}/", withdrawal_id) + word
        return await self._transport.send("POST", path, Withdrawal)


class AsyncWithdrawalBatches(AsyncResource):
    """Payouts that were asked for at once; their withdrawals: `withdrawals.all(batch_id=...)`."""

    async def get(self, batch_id: str) -> WithdrawalBatch:
        """Return one batch and how far it is."""
        path = at("/withdrawal_batches/{}", batch_id)
        return await self._transport.send("GET", path, WithdrawalBatch)

    def all(self, **filters: Unpack[BatchFilter]) -> AsyncIterator[WithdrawalBatch]:
        """Yield batches, newest first."""
        return self._transport.all("/withdrawal_batches", WithdrawalBatch, filters)


class AsyncBalanceEntries(AsyncResource):
    """How the merchant's balances came to what they are."""

    def all(self, **filters: Unpack[EntryFilter]) -> AsyncIterator[BalanceEntry]:
        """Yield every change of a balance, newest first."""
        return self._transport.all("/balance_entries", BalanceEntry, filters)


class AsyncCustomers(AsyncResource):
    """Customers with permanent addresses."""

    async def create(
        self, *, idempotency_key: str | None = None, **fields: Unpack[NewCustomer]
    ) -> Customer:
        """Remember a customer."""
        return await self._transport.send(
            "POST", "/customers", Customer, body=fields, idempotency_key=idempotency_key
        )

    async def get(self, customer_id: str) -> Customer:
        """Return one customer."""
        return await self._transport.send("GET", at("/customers/{}", customer_id), Customer)

    def all(self, **filters: Unpack[CustomerFilter]) -> AsyncIterator[Customer]:
        """Yield customers, newest first."""
        return self._transport.all("/customers", Customer, filters)

    async def address(self, customer_id: str, network: str) -> DepositAddress:
        """Return the customer's address on a network; it is given once and stays."""
        path = at("/customers/{}/deposit_addresses", customer_id)
        body = {"network": network}
        return await self._transport.send("POST", path, DepositAddress, body=body)

    async def balances(self, customer_id: str) -> list[Balance]:
        """Return what the customer has."""
        return await self._transport.whole(at("/customers/{}/balances", customer_id), Balance)


class AsyncWebhookEndpoints(AsyncResource):
    """Where events are sent to."""

    async def create(
        self, *, url: str, events: list[str] | None = None, idempotency_key: str | None = None
    ) -> WebhookEndpoint:
        """Register an endpoint; the answer shows its secret, this once."""
        return await self._transport.send(
            "POST",
            "/webhook_endpoints",
            WebhookEndpoint,
            body={"url": url, "events": events or ["*"]},
            idempotency_key=idempotency_key,
        )

    async def all(self) -> list[WebhookEndpoint]:
        """Return every endpoint."""
        return await self._transport.whole("/webhook_endpoints", WebhookEndpoint)

    async def rotate_secret(
        self, endpoint_id: str, *, overlap_hours: int = 24
    ) -> WebhookEndpoint:
        """Return the endpoint with a new secret; the old one signs as well for a while."""
        path = at("/webhook_endpoints/{}/rotate_secret", endpoint_id)
        body = {"overlap_hours": overlap_hours}
        return await self._transport.send("POST", path, WebhookEndpoint, body=body)


class AsyncEvents(AsyncResource):
    """Everything that happened, for programs that cannot be called."""

    async def get(self, event_id: str) -> Event:
        """Return one event."""
        return await self._transport.send("GET", at("/events/{}", event_id), Event)

    def all(self, **filters: Unpack[EventFilter]) -> AsyncIterator[Event]:
        """Yield events, newest first."""
        return self._transport.all("/events", Event, filters)

    async def after(
        self, cursor: str | None = None, **filters: Unpack[EventFilter]
    ) -> Page[Event]:
        """Return what came behind a cursor, oldest first; None begins with the first event.

        Keep its `next_cursor`, which is always there: every event comes once.
        """
        asked = {"order": "oldest", "limit": PAGE, **filters, "starting_after": cursor}
        return await self._transport.send("GET", "/events", Page[Event], filters=asked)


class AsyncCatalog(AsyncResource):
    """What can be paid with, and what there is."""

    async def payment_methods(self) -> list[PaymentMethod]:
        """Return every payment method of the key's mode."""
        return await self._transport.whole("/payment_methods", PaymentMethod)

    async def balances(self) -> list[Balance]:
        """Return the merchant's balances."""
        return await self._transport.whole("/balances", Balance)
