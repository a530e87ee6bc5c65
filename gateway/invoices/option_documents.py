"""What the world sees of one way to pay an invoice."""

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

import msgspec

from gateway.catalog.chain_names import chain_id
from gateway.domain.addresses import display
from gateway.domain.invoice import Asked, Lock, asked
from gateway.domain.money import nothing, plain, to_text
from gateway.invoices.offers import TOO_SMALL, is_dust
from gateway.invoices.wallets import (
    Request,
    WalletLinkDocument,
    payment_uri,
    qr_text,
    wallet_links,
)
from gateway.models import Currency, Deposit, Network, PaymentOption, PaymentOptionRate

STANDING = ("pending", "confirmed")
"""Deposit states that count towards an invoice."""
NOTHING_DUE = "nothing_due"


class PastRateDocument(msgspec.Struct, kw_only=True):
    """A rate that was locked before, and how long it held."""

    amount: str | None
    rate: str
    rate_source: str
    rate_locked_at: datetime
    until: datetime


class PaymentOptionDocument(msgspec.Struct, kw_only=True, gc=False):
    """One way to pay: amounts are decimal strings in whole coins, `*_atomic` in base units.

    Where the invoice's amount is open, `amount` and `amount_due` are null and the rate is a hint.
    `memo` would have to stand in the payment; each invoice has its own address, so it is null.
    `confirmations_required` settle the invoice; null where the chain alone says what is final.
    Where what is due cannot be paid in it, it is not `available`, with the `reason`: `nothing_due`, or
    `amount_too_small`, less than the coin's least payment.
    """

    payment_method: str
    currency: str
    network: str
    network_name: str
    chain_id: str
    contract_address: str | None
    decimals: int
    address: str | None
    memo: str | None
    available: bool
    reason: str | None
    amount: str | None
    amount_atomic: str | None
    amount_paid: str
    amount_due: str | None
    rate: str
    rate_source: str
    rate_locked_at: datetime
    rate_history: list[PastRateDocument]
    confirmations_required: int | None
    payment_uri: str | None
    qr_text: str | None
    wallet_links: list[WalletLinkDocument]


class Option(NamedTuple):
    """A payment option with the currency and network it names."""

    row: PaymentOption
    currency: Currency
    network: Network


def paid_units(option: Option, standing: Sequence[Deposit]) -> int:
    """Return the base units that standing deposits brought in this option's currency."""
    if not standing:
        return 0
    return sum(d.units for d in standing if d.currency_id == option.currency.id)


def asked_of(
    option: Option,
    standing: Sequence[Deposit],
    rates: Sequence[PaymentOptionRate],
    *,
    at: datetime | None = None,
) -> Asked | None:
    """Return what the option asks for, whose rates of before are among `rates`; None where open.

    `at` is when its first payment comes where none came yet.
    """
    if option.row.amount_units is None:
        return None
    if not rates:
        return Asked(option.row.amount_units, option.row.amount_units)
    name = option.currency.id
    came = [d.block_time for d in standing if d.currency_id == name and not d.late]
    before = [
        Lock(past.amount_units, past.until)
        for past in rates
        if past.currency_id == name and past.amount_units is not None
    ]
    return asked(option.row.amount_units, before, min(came, default=at))


def option_document(
    option: Option,
    standing: Sequence[Deposit],
    remainder: Fraction,
    rates: Sequence[PaymentOptionRate],
    confirmations: int | None,
) -> PaymentOptionDocument:
    """Shape one option; `remainder` is the part of the invoice that no currency has paid.

    `confirmations` settle the invoice before finality.
    """
    row, currency, network = option
    whole = row.amount_units
    part, of = remainder.numerator, remainder.denominator
    due = None if whole is None else -(-whole * part // of)  # up
    amount = coins(whole, currency)
    paid = paid_units(option, standing)
    # As people should see it; None before the option is chosen.
    address = None if row.address is None else display(row.address)
    amount_due = amount if due == whole else coins(due, currency)
    reason = _reason(due, paid, currency)
    request = Request(currency, network, address, 0 if reason else due, amount_due)
    uri = payment_uri(request)
    return PaymentOptionDocument(
        payment_method=currency.id,
        currency=currency.code,
        network=currency.network_id,
        network_name=network.display_name,
        chain_id=chain_id(network.family, network.identity),
        contract_address=currency.contract,
        decimals=currency.decimals,
        address=address,
        memo=None,
        available=reason is None,
        reason=reason,
        amount=amount,
        amount_atomic=None if whole is None else str(whole),
        amount_paid=to_text(paid, currency.decimals) if paid else nothing(currency.decimals),
        amount_due=amount_due,
        rate=plain(row.rate),
        rate_source=row.rate_source,
        rate_locked_at=row.rate_at,
        rate_history=[
            PastRateDocument(
                amount=coins(past.amount_units, currency),
                rate=plain(past.rate),
                rate_source=past.rate_source,
                rate_locked_at=past.rate_at,
                until=past.until,
            )
            for past in rates
            if past.currency_id == currency.id
        ]
        if rates
        else [],
        confirmations_required=_required(confirmations, network.final_confirmations),
        payment_uri=uri,
        qr_text=qr_text(request, uri),
        wallet_links=wallet_links(request, uri),
    )


def _reason(due: int | None, paid: int, currency: Currency) -> str | None:
    """Return why nobody should pay these base units; what came in the coin before counts with them."""
    if due == 0:
        return NOTHING_DUE
    return TOO_SMALL if due is not None and is_dust(due + paid, currency) else None


def _required(wanted: int | None, final: int | None) -> int | None:
    """Return what comes first: the confirmations that the merchant wants, or those of finality."""
    if wanted is None or final is None:
        return final if wanted is None else wanted
    return min(wanted, final)


def coins(units: int | None, currency: Currency) -> str | None:
    """Return base units in whole coins; None stays None."""
    return None if units is None else to_text(units, currency.decimals)
