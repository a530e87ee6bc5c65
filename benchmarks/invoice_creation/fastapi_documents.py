"""The peer's request and answer: the fields that ours have, as Pydantic models."""

from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel

from gateway.domain.addresses import display
from gateway.models import Currency, Invoice, InvoiceTimeline, Network, PaymentOption


class Order(BaseModel):
    """The request."""

    amount: Decimal
    currency: str
    order_id: str | None = None
    payment_methods: list[str]
    metadata: dict[str, str] = {}


class PastRate(BaseModel):
    """A rate that was locked before."""

    rate: str
    until: datetime


class WalletLink(BaseModel):
    """A link that opens a wallet."""

    wallet: str
    name: str
    url: str


class Option(BaseModel):
    """One way to pay."""

    payment_method: str
    currency: str
    network: str
    network_name: str
    chain_id: str
    contract_address: str | None
    decimals: int
    address: str | None
    memo: str | None = None
    amount: str
    amount_atomic: str
    amount_paid: str
    amount_due: str
    rate: str
    rate_source: str
    rate_locked_at: datetime
    rate_history: list[PastRate]
    confirmations_required: int | None
    payment_uri: str
    qr_text: str
    wallet_links: list[WalletLink]


class Step(BaseModel):
    """One step of the timeline."""

    status: str
    exception: str
    reason: str
    at: datetime


class Refund(BaseModel):
    """A payment back."""

    withdrawal_id: str
    amount: str


class Document(BaseModel):
    """The answer."""

    id: str
    object: str = "invoice"
    livemode: bool
    merchant_id: str
    order_id: str | None
    customer_id: str | None
    description: str | None
    metadata: dict[str, str]
    amount: str
    currency: str
    tax: str | None = None
    status: str
    exception: str
    final: bool
    amount_paid: str = "0.00"
    amount_due: str
    amount_overpaid: str = "0.00"
    payment_tolerance_percent: str
    confirmations: int | None
    confirmation_policy: str
    payment_options: list[Option]
    created_at: datetime
    expires_at: datetime
    monitoring_until: datetime
    paid_at: datetime | None
    settled_at: datetime | None
    checkout_url: str
    success_url: str | None
    cancel_url: str | None
    timeline: list[Step]
    refunds: list[Refund] = []


def option_of(row: PaymentOption, currency: Currency, network: Network) -> Option:
    """Shape one option."""
    address, units = display(row.address or ""), row.amount_units or 0
    coins = f"{Decimal(units).scaleb(-currency.decimals).normalize():f}"
    request = f"{address}@{network.identity}?value={units}"
    uri = f"ethereum:{request}"
    return Option(
        payment_method=currency.id,
        currency=currency.code,
        network=network.id,
        network_name=network.display_name,
        chain_id=f"eip155:{network.identity}",
        contract_address=currency.contract,
        decimals=currency.decimals,
        address=address,
        amount=coins,
        amount_atomic=str(units),
        amount_paid="0",
        amount_due=coins,
        rate=f"{row.rate.normalize():f}",
        rate_source=row.rate_source,
        rate_locked_at=row.rate_at,
        rate_history=[],
        confirmations_required=network.final_confirmations,
        payment_uri=uri,
        qr_text=uri,
        wallet_links=[
            WalletLink(
                wallet="metamask",
                name="MetaMask",
                url=f"https://link.metamask.io/send/{request}",
            )
        ],
    )


def document_of(
    invoice: Invoice, options: list[Option], step: InvoiceTimeline, public_url: str
) -> Document:
    """Shape a new invoice."""
    return Document(
        id=invoice.id,
        livemode=invoice.livemode,
        merchant_id=invoice.merchant_id,
        order_id=invoice.order_id,
        customer_id=invoice.customer_id,
        description=invoice.description,
        metadata=invoice.metadata_,
        amount=f"{invoice.amount:.2f}",
        currency=invoice.currency,
        status=invoice.status,
        exception=invoice.exception,
        final=invoice.final,
        amount_due=f"{invoice.amount:.2f}",
        payment_tolerance_percent=str(Decimal(invoice.tolerance_basis_points) / 100),
        confirmations=invoice.confirmations,
        confirmation_policy="final",
        payment_options=options,
        created_at=invoice.created_at,
        expires_at=invoice.expires_at,
        monitoring_until=invoice.monitoring_until,
        paid_at=invoice.paid_at,
        settled_at=invoice.settled_at,
        checkout_url=f"{public_url}/i/{invoice.id}",
        success_url=invoice.success_url,
        cancel_url=invoice.cancel_url,
        timeline=[
            Step(status=step.status, exception=step.exception, reason=step.reason, at=step.at)
        ],
    )
