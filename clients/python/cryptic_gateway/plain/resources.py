# Made by generate.py from aio/resources.py: change that one.
"""What a merchant does with invoices, payments, payouts, customers and webhooks.

Each POST takes an `idempotency_key`; one that you keep makes a retry after a crash of your own
program safe as well. Without it every call has a new one, which covers its own retries.
"""

from collections.abc import Iterator
from typing import Any, Unpack
from urllib.parse import quote

from cryptic_gateway.plain.transport import PAGE, Transport
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


class Resource:
    """A part of the API."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport


class Invoices(Resource):
    """Invoices."""

    def create(
        self, *, currency: str, idempotency_key: str | None = None, **fields: Unpack[NewInvoice]
    ) -> Invoice:
        """Ask a payer for money."""
        return self._transport.send(
            "POST",
            "/invoices",
            Invoice,
            body={"currency": currency, **fields},
            idempotency_key=idempotency_key,
        )

    def get(self, invoice_id: str) -> Invoice:
        """Return one invoice with its deposits."""
        path = at("/invoices/{}", invoice_id)
        return self._transport.send(
            "GET", path, Invoice, filters={"expand[]": "deposits"}
        )

    def all(self, **filters: Unpack[InvoiceFilter]) -> Iterator[Invoice]:
        """Yield invoices, newest first."""
        return self._transport.all("/invoices", Invoice, filters)

    def cancel(self, invoice_id: str, *, idempotency_key: str | None = None) -> Invoice:
        """Take a pending invoice back; its addresses are still watched."""
        path = at("/invoices/{}/cancel", invoice_id)
        return self._transport.send(
            "POST", path, Invoice, idempotency_key=idempotency_key
        )

    def choose(
        self, invoice_id: str, payment_method: str, *, idempotency_key: str | None = None
    ) -> Invoice:
        """Give the payer the address of one payment method."""
        path = at("/invoices/{}/payment_options/{}", invoice_id, payment_method)
        return self._transport.send(
            "POST", path, Invoice, idempotency_key=idempotency_key
        )

    def refund(
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
        return self._transport.send(
            "POST",
            at("/invoices/{}/refunds", invoice_id),
            Withdrawal,
            body={"kind": kind, "destination": destination, "reason": reason, **fields},
            idempotency_key=idempotency_key,
        )


class Deposits(Resource):
    """Payments as they came."""

    def get(self, deposit_id: str) -> Deposit:
        """Return one deposit."""
        return self._transport.send("GET", at("/deposits/{}", deposit_id), Deposit)

    def all(self, **filters: Unpack[DepositFilter]) -> Iterator[Deposit]:
        """Yield deposits, newest first."""
        return self._transport.all("/deposits", Deposit, filters)


class Withdrawals(Resource):
    """Payouts."""

    def create(
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
        return self._transport.send(
            "POST", "/withdrawals", Withdrawal, body=body, idempotency_key=idempotency_key
        )

    def get(self, withdrawal_id: str) -> Withdrawal:
        """Return one withdrawal."""
        path = at("/withdrawals/{}", withdrawal_id)
        return self._transport.send("GET", path, Withdrawal)

    def all(self, **filters: Unpack[WithdrawalFilter]) -> Iterator[Withdrawal]:
        """Yield withdrawals, newest first."""
        return self._transport.all("/withdrawals", Withdrawal, filters)

    def estimate(
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
        return self._transport.send("POST", "/withdrawals/estimate", Estimate, body=body)

    def approve(self, withdrawal_id: str) -> Withdrawal:
        """Let it pass the merchant's gate; never with the key that asked for it."""
        return self._decide(withdrawal_id, "approve")

    def reject(self, withdrawal_id: str) -> Withdrawal:
        """Refuse it; the balance is released."""
        return self._decide(withdrawal_id, "reject")

    def cancel(self, withdrawal_id: str) -> Withdrawal:
        """Take it back, as long as nothing is signed."""
        return self._decide(withdrawal_id, "cancel")

    def _decide(self, withdrawal_id: str, word: str) -> Withdrawal:
        path = at("/withdrawals/{}/", withdrawal_id) + word
        return self._transport.send("POST", path, Withdrawal)


class WithdrawalBatches(Resource):
    """Payouts that were asked for at once; their withdrawals: `withdrawals.all(batch_id=...)`."""

    def get(self, batch_id: str) -> WithdrawalBatch:
        """Return one batch and how far it is."""
        path = at("/withdrawal_batches/{}", batch_id)
        return self._transport.send("GET", path, WithdrawalBatch)

    def all(self, **filters: Unpack[BatchFilter]) -> Iterator[WithdrawalBatch]:
        """Yield batches, newest first."""
        return self._transport.all("/withdrawal_batches", WithdrawalBatch, filters)


class BalanceEntries(Resource):
    """How the merchant's balances came to what they are."""

    def all(self, **filters: Unpack[EntryFilter]) -> Iterator[BalanceEntry]:
        """Yield every change of a balance, newest first."""
        return self._transport.all("/balance_entries", BalanceEntry, filters)


class Customers(Resource):
    """Customers with permanent addresses."""

    def create(
        self, *, idempotency_key: str | None = None, **fields: Unpack[NewCustomer]
    ) -> Customer:
        """Remember a customer."""
        return self._transport.send(
            "POST", "/customers", Customer, body=fields, idempotency_key=idempotency_key
        )

    def get(self, customer_id: str) -> Customer:
        """Return one customer."""
        return self._transport.send("GET", at("/customers/{}", customer_id), Customer)

    def all(self, **filters: Unpack[CustomerFilter]) -> Iterator[Customer]:
        """Yield customers, newest first."""
        return self._transport.all("/customers", Customer, filters)

    def address(self, customer_id: str, network: str) -> DepositAddress:
        """Return the customer's address on a network; it is given once and stays."""
        path = at("/customers/{}/deposit_addresses", customer_id)
        body = {"network": network}
        return self._transport.send("POST", path, DepositAddress, body=body)

    def balances(self, customer_id: str) -> list[Balance]:
        """Return what the customer has."""
        return self._transport.whole(at("/customers/{}/balances", customer_id), Balance)


class WebhookEndpoints(Resource):
    """Where events are sent to."""

    def create(
        self, *, url: str, events: list[str] | None = None, idempotency_key: str | None = None
    ) -> WebhookEndpoint:
        """Register an endpoint; the answer shows its secret, this once."""
        return self._transport.send(
            "POST",
            "/webhook_endpoints",
            WebhookEndpoint,
            body={"url": url, "events": events or ["*"]},
            idempotency_key=idempotency_key,
        )

    def all(self) -> list[WebhookEndpoint]:
        """Return every endpoint."""
        return self._transport.whole("/webhook_endpoints", WebhookEndpoint)

    def rotate_secret(
        self, endpoint_id: str, *, overlap_hours: int = 24
    ) -> WebhookEndpoint:
        """Return the endpoint with a new secret; the old one signs as well for a while."""
        path = at("/webhook_endpoints/{}/rotate_secret", endpoint_id)
        body = {"overlap_hours": overlap_hours}
        return self._transport.send("POST", path, WebhookEndpoint, body=body)


class Events(Resource):
    """Everything that happened, for programs that cannot be called."""

    def get(self, event_id: str) -> Event:
        """Return one event."""
        return self._transport.send("GET", at("/events/{}", event_id), Event)

    def all(self, **filters: Unpack[EventFilter]) -> Iterator[Event]:
        """Yield events, newest first."""
        return self._transport.all("/events", Event, filters)

    def after(
        self, cursor: str | None = None, **filters: Unpack[EventFilter]
    ) -> Page[Event]:
        """Return what came behind a cursor, oldest first; None begins with the first event.

        Keep its `next_cursor`, which is always there: every event comes once.
        """
        asked = {"order": "oldest", "limit": PAGE, **filters, "starting_after": cursor}
        return self._transport.send("GET", "/events", Page[Event], filters=asked)


class Catalog(Resource):
    """What can be paid with, and what there is."""

    def payment_methods(self) -> list[PaymentMethod]:
        """Return every payment method of the key's mode."""
        return self._transport.whole("/payment_methods", PaymentMethod)

    def balances(self) -> list[Balance]:
        """Return the merchant's balances."""
        return self._transport.whole("/balances", Balance)
