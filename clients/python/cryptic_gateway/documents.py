"""What the gateway answers. Amounts are `Decimal`; fields of newer gateways are passed over.

Words such as `status` are text: a newer gateway may have one more.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, Required, TypedDict, TypeVar

import msgspec

Item = TypeVar("Item")
Amount = Decimal | int | str
"""What amounts are given as; a float is refused."""


class Page(msgspec.Struct, Generic[Item], frozen=True, kw_only=True):
    """One page of a list."""

    data: list[Item]
    has_more: bool
    next_cursor: str | None = None


class WalletLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link that opens one wallet with the payment filled in."""

    wallet: str
    name: str
    url: str


class PaymentOption(msgspec.Struct, frozen=True, kw_only=True):
    """One way to pay an invoice; without an `address` it has not been chosen yet.

    `chain_id` is the chain's CAIP-2 name. `confirmations_required` settle the invoice; None where
    the chain alone says what is final. Where it is not `available`, what is due cannot be paid in it.
    """

    payment_method: str
    currency: str
    network: str
    decimals: int
    address: str | None
    amount: Decimal | None
    amount_paid: Decimal
    amount_due: Decimal | None
    rate: Decimal
    payment_uri: str | None
    qr_text: str | None
    chain_id: str | None = None
    memo: str | None = None
    confirmations_required: int | None = None
    wallet_links: list[WalletLink] = []
    available: bool = True
    reason: str | None = None


class Deposit(msgspec.Struct, frozen=True, kw_only=True):
    """A payment on its chain; `confirmations` are the blocks on it, None where nobody knows."""

    id: str
    status: str
    invoice_id: str | None
    payment_method: str
    network: str
    amount: Decimal
    address: str
    tx_hash: str
    late: bool
    detected_at: datetime
    confirmed_at: datetime | None
    confirmations: int | None = None


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """A withdrawal that pays some of an invoice back."""

    withdrawal_id: str
    kind: str
    payment_method: str
    amount: Decimal
    destination: str
    status: str
    created_at: datetime


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice; `final` says that nothing will change any more."""

    id: str
    livemode: bool
    order_id: str | None
    description: str | None
    metadata: dict[str, Any]
    amount: Decimal | None
    currency: str
    status: str
    exception: str
    final: bool
    amount_paid: Decimal
    amount_due: Decimal | None
    amount_overpaid: Decimal
    payment_options: list[PaymentOption]
    created_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    settled_at: datetime | None
    checkout_url: str
    refunds: list[Refund] = []
    deposits: list[Deposit] | None = None


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """A payout: the destination receives exactly `amount`."""

    id: str
    livemode: bool
    payment_method: str
    network: str
    amount: Decimal
    fee_charged: Decimal
    destination: str
    reference: str | None
    metadata: dict[str, Any]
    status: str
    blocked_reason: str | None
    failure_reason: str | None
    tx_hash: str | None
    invoice_id: str | None
    created_at: datetime
    completed_at: datetime | None


class WithdrawalBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Payouts that were asked for at once: of `items` so many are in each state, refused ones in none."""

    id: str
    livemode: bool
    items: int
    created_by: str
    created_at: datetime
    statuses: dict[str, int]


class NetworkFee(msgspec.Struct, frozen=True, kw_only=True):
    """What the network would take from the operator, in its own coin: usually, and at most."""

    currency: str
    typical: Decimal
    ceiling: Decimal
    published_at: datetime


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a destination: `valid`, `refused` with its `code`, or `unknown`."""

    address: str
    status: str
    code: str | None = None
    detail: str = ""
    kind: str | None = None


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a payout would take: `total` is what would be held; nothing of this binds anybody."""

    payment_method: str
    amount: Decimal
    fee_charged: Decimal
    total: Decimal
    available: Decimal
    sufficient: bool
    network_fee: NetworkFee | None
    destination: Destination | None
    creator_may_approve: bool
    policy: dict[str, Any]


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """What there is of one currency: `available` now, `locked` on its way out, `pending` to come."""

    payment_method: str
    currency: str
    network: str
    available: Decimal
    locked: Decimal
    pending: Decimal


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """How one part of a balance moved."""

    change: Decimal
    before: Decimal
    after: Decimal


class BalanceEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a balance; `journal` is the `kind` of what moved it, and its `ref`."""

    id: str
    type: str
    payment_method: str
    currency: str
    network: str
    confirmed: Movement
    locked: Movement
    journal: dict[str, str]
    created_at: datetime


class PaymentMethod(msgspec.Struct, frozen=True, kw_only=True):
    """One way to be paid; `reason` says why it is not `available` now."""

    payment_method: str
    currency: str
    network: str
    decimals: int
    available: bool
    reason: str | None


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who pays again and again."""

    id: str
    livemode: bool
    reference: str | None
    email: str | None
    name: str | None
    metadata: dict[str, Any]
    created_at: datetime
    deleted_at: datetime | None


class DepositAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A customer's permanent address on one network."""

    customer_id: str
    network: str
    address: str
    payment_methods: list[str]


class WebhookEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where events go; `secret` is shown at its creation and at a rotation only."""

    id: str
    url: str
    events: list[str]
    status: str
    created_at: datetime
    failing_since: datetime | None = None
    secret: str | None = None
    public_key: str | None = None

    def __repr__(self) -> str:
        return f"WebhookEndpoint(id={self.id!r}, url={self.url!r}, status={self.status!r})"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened; `data["object"]` is the whole subject as it was then."""

    id: str
    type: str
    timestamp: datetime
    livemode: bool
    subject: str
    sequence: int
    data: dict[str, Any]


class NewInvoice(TypedDict, total=False):
    """Fields of a new invoice beside its currency; with `amount=None` it takes whatever comes."""

    amount: Required[Amount | None]
    payment_methods: list[str]
    activate: list[str]
    order_id: str
    description: str
    metadata: dict[str, str]
    expires_in_minutes: int
    expires_in_seconds: int
    payment_tolerance_percent: str
    confirmations: int
    success_url: str
    cancel_url: str
    customer_id: str
    reuse_pending: bool


class NewRefund(TypedDict, total=False):
    """Fields of a refund beside its kind, destination and reason."""

    amount: Amount
    payment_method: str
    reference: str
    metadata: dict[str, str]


class NewCustomer(TypedDict, total=False):
    """Fields of a customer; `referral_code` says who referred it, now or never."""

    reference: str
    email: str
    name: str
    metadata: dict[str, str]
    referral_code: str


class CustomerFilter(TypedDict, total=False):
    """Which customers to list; `search` is how the reference, name or e-mail address begins."""

    reference: str
    email: str
    search: str


class InvoiceFilter(TypedDict, total=False):
    """Which invoices to list; times are ISO text or `datetime`, `q` is words of theirs."""

    status: str
    exception: str
    order_id: str
    customer_id: str
    currency: str
    payment_method: str
    tx_hash: str
    address: str
    q: str
    created_gte: datetime | str
    created_lt: datetime | str
    paid_gte: datetime | str
    paid_lt: datetime | str
    amount_gte: Amount
    amount_lte: Amount


class DepositFilter(TypedDict, total=False):
    """Which deposits to list; `created_*` is when they were detected."""

    invoice_id: str
    customer_id: str
    status: str
    tx_hash: str
    payment_method: str
    address: str
    created_gte: datetime | str
    created_lt: datetime | str


class WithdrawalFilter(TypedDict, total=False):
    """Which withdrawals to list."""

    status: str
    payment_method: str
    reference: str
    batch_id: str
    invoice_id: str
    customer_id: str
    tx_hash: str
    created_gte: datetime | str
    created_lt: datetime | str


class BatchFilter(TypedDict, total=False):
    """Which batches of withdrawals to list."""

    created_gte: datetime | str
    created_lt: datetime | str


class EntryFilter(TypedDict, total=False):
    """Which changes of balances to list; `currency` is a coin's code, on whichever network."""

    payment_method: str
    currency: str
    type: str
    created_gte: datetime | str
    created_lt: datetime | str


class EventFilter(TypedDict, total=False):
    """Which events to list; `subject` is the id of what they are about."""

    type: str
    subject: str
