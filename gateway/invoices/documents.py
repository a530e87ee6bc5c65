"""What the world sees of an invoice: the same document in answers and in webhooks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec

from gateway.domain.addresses import display
from gateway.domain.money import FIAT_DECIMALS, plain, rounded, rounded_down, to_text
from gateway.models import (
    Currency,
    Deposit,
    Invoice,
    InvoiceTimeline,
    Network,
    PaymentOption,
    Withdrawal,
)

STANDING = ("pending", "confirmed")
"""Deposit states that count towards an invoice."""


class PaymentOptionDocument(msgspec.Struct, kw_only=True):
    """One way to pay: amounts are decimal strings in whole coins, `*_atomic` in base units."""

    payment_method: str
    currency: str
    network: str
    network_name: str
    contract_address: str | None
    decimals: int
    address: str | None
    amount: str
    amount_atomic: str
    amount_paid: str
    amount_due: str
    rate: str
    rate_source: str
    rate_locked_at: datetime
    payment_uri: str | None
    qr_text: str | None


class TimelineDocument(msgspec.Struct, kw_only=True):
    """One step of the invoice and why it was taken."""

    status: str
    exception: str
    reason: str
    at: datetime


class RefundDocument(msgspec.Struct, kw_only=True):
    """A withdrawal that pays some of it back; `status` is the withdrawal's."""

    withdrawal_id: str
    kind: str
    payment_method: str
    amount: str
    destination: str
    status: str
    created_at: datetime


class InvoiceDocument(msgspec.Struct, kw_only=True):
    """An invoice; money fields are decimal strings in `currency` at the locked rates."""

    id: str
    object: str
    livemode: bool
    merchant_id: str
    order_id: str | None
    description: str | None
    metadata: dict[str, Any]
    amount: str
    currency: str
    status: str
    exception: str
    final: bool
    amount_paid: str
    amount_due: str
    amount_overpaid: str
    payment_tolerance_percent: str
    confirmations: int | None
    payment_options: list[PaymentOptionDocument]
    created_at: datetime
    expires_at: datetime
    monitoring_until: datetime
    paid_at: datetime | None
    settled_at: datetime | None
    checkout_url: str
    success_url: str | None
    cancel_url: str | None
    timeline: list[TimelineDocument]
    refunds: list[RefundDocument]


@dataclass(frozen=True, slots=True)
class Option:
    """A payment option with the currency and network it names."""

    row: PaymentOption
    currency: Currency
    network: Network


def invoice_document(
    invoice: Invoice,
    options: Sequence[Option],
    deposits: Sequence[Deposit],
    timeline: Sequence[InvoiceTimeline],
    refunds: Sequence[tuple[Withdrawal, Currency]],
    *,
    public_url: str,
) -> InvoiceDocument:
    """Shape one invoice from its rows."""
    standing = [d for d in deposits if d.status in STANDING]
    decimals = amount_decimals(invoice.currency, invoice.amount)
    share = sum((_share(option, standing) for option in options), Fraction(0))
    amount, zero = Fraction(invoice.amount), Fraction(0)
    return InvoiceDocument(
        id=invoice.id,
        object="invoice",
        livemode=invoice.livemode,
        merchant_id=invoice.merchant_id,
        order_id=invoice.order_id,
        description=invoice.description,
        metadata=invoice.metadata_,
        amount=plain_amount(invoice.amount, decimals),
        currency=invoice.currency,
        status=invoice.status,
        exception=invoice.exception,
        final=invoice.final,
        amount_paid=f"{rounded_down(amount * share, decimals):f}",
        amount_due=f"{rounded(amount * max(1 - share, zero), decimals):f}",
        amount_overpaid=f"{rounded_down(amount * max(share - 1, zero), decimals):f}",
        payment_tolerance_percent=plain(Decimal(invoice.tolerance_basis_points) / 100),
        confirmations=invoice.confirmations,
        payment_options=[
            _option_document(option, standing, max(1 - share, zero)) for option in options
        ],
        created_at=invoice.created_at,
        expires_at=invoice.expires_at,
        monitoring_until=invoice.monitoring_until,
        paid_at=invoice.paid_at,
        settled_at=invoice.settled_at,
        checkout_url=f"{public_url}/i/{invoice.id}",
        success_url=invoice.success_url,
        cancel_url=invoice.cancel_url,
        timeline=[
            TimelineDocument(
                status=step.status, exception=step.exception, reason=step.reason, at=step.at
            )
            for step in timeline
        ],
        refunds=[_refund_document(row, currency) for row, currency in refunds],
    )


def _refund_document(row: Withdrawal, currency: Currency) -> RefundDocument:
    return RefundDocument(
        withdrawal_id=row.id,
        kind=row.refund_kind or "",
        payment_method=currency.id,
        amount=to_text(row.units, currency.decimals),
        destination=display(row.destination),
        status=row.status,
        created_at=row.created_at,
    )


def amount_decimals(currency: str, amount: Decimal) -> int:
    """Return how many digits an amount of this currency is shown with: at least its own."""
    text = plain(amount)
    written = len(text.partition(".")[2])
    return max(FIAT_DECIMALS.get(currency, 8), written)


def plain_amount(amount: Decimal, decimals: int) -> str:
    """Return the amount with the digits of its currency, as `49.90`."""
    return f"{rounded(Fraction(amount), decimals):f}"


def _paid_units(option: Option, standing: Sequence[Deposit]) -> int:
    return sum(d.units for d in standing if d.currency_id == option.currency.id)


def _share(option: Option, standing: Sequence[Deposit]) -> Fraction:
    """Return what part of the invoice this option's currency has paid, at the locked rate."""
    return Fraction(_paid_units(option, standing), option.row.amount_units)


def _option_document(
    option: Option, standing: Sequence[Deposit], remainder: Fraction
) -> PaymentOptionDocument:
    """Shape one option; `remainder` is the part of the invoice that no currency has paid."""
    row, currency = option.row, option.currency
    paid = _paid_units(option, standing)
    due = math.ceil(row.amount_units * remainder)
    uri = payment_uri(option, due)
    return PaymentOptionDocument(
        payment_method=currency.id,
        currency=currency.code,
        network=currency.network_id,
        network_name=option.network.display_name,
        contract_address=currency.contract,
        decimals=currency.decimals,
        address=shown_address(option),
        amount=to_text(row.amount_units, currency.decimals),
        amount_atomic=str(row.amount_units),
        amount_paid=to_text(paid, currency.decimals),
        amount_due=to_text(due, currency.decimals),
        rate=plain(row.rate),
        rate_source=row.rate_source,
        rate_locked_at=row.rate_at,
        payment_uri=uri,
        qr_text=qr_text(option, uri),
    )


def payment_uri(option: Option, units: int) -> str | None:
    """Return the request link: EIP-681 on Ethereum, Solana Pay on Solana, none on Tron.

    Tron has no URI standard; a bare address is what its wallets scan.
    """
    currency, network = option.currency, option.network
    address = shown_address(option)
    if address is None or network.family == "tron":
        return None
    if network.family == "solana":
        token = f"&spl-token={currency.contract}" if currency.contract else ""
        return f"solana:{address}?amount={to_text(units, currency.decimals)}{token}"
    if currency.contract is None:
        return f"ethereum:{address}@{network.identity}?value={units}"
    return (
        f"ethereum:{currency.contract}@{network.identity}/transfer"
        f"?address={address}&uint256={units}"
    )


def qr_text(option: Option, uri: str | None) -> str | None:
    """Return what the QR carries: the full request only where a naive wallet still pays us.

    An ERC-20 request has the token contract where a naive wallet looks for the recipient.
    """
    erc20 = option.network.family == "ethereum" and option.currency.contract is not None
    return shown_address(option) if uri is None or erc20 else uri


def shown_address(option: Option) -> str | None:
    """Return the option's address as people should see it, None before it is chosen."""
    return None if option.row.address is None else display(option.row.address)
