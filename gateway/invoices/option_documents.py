"""What the world sees of one way to pay an invoice, and the links that wallets understand."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

import msgspec

from gateway.domain.addresses import display
from gateway.domain.invoice import Asked, Lock, asked
from gateway.domain.money import plain, to_text
from gateway.models import Currency, Deposit, Network, PaymentOption, PaymentOptionRate

STANDING = ("pending", "confirmed")
"""Deposit states that count towards an invoice."""


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
    """

    payment_method: str
    currency: str
    network: str
    network_name: str
    contract_address: str | None
    decimals: int
    address: str | None
    amount: str | None
    amount_atomic: str | None
    amount_paid: str
    amount_due: str | None
    rate: str
    rate_source: str
    rate_locked_at: datetime
    rate_history: list[PastRateDocument]
    payment_uri: str | None
    qr_text: str | None


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


def share(option: Option, standing: Sequence[Deposit]) -> Fraction:
    """Return what part of the invoice this option's currency has paid, at the newest lock."""
    whole = option.row.amount_units
    return Fraction(0) if whole is None else Fraction(paid_units(option, standing), whole)


def asked_of(
    option: Option, standing: Sequence[Deposit], rates: Sequence[PaymentOptionRate]
) -> Asked | None:
    """Return what the option asks for, whose rates of before are among `rates`; None where open."""
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
    return asked(option.row.amount_units, before, min(came, default=None))


def option_document(
    option: Option,
    standing: Sequence[Deposit],
    remainder: Fraction,
    rates: Sequence[PaymentOptionRate],
) -> PaymentOptionDocument:
    """Shape one option; `remainder` is the part of the invoice that no currency has paid."""
    row, currency = option.row, option.currency
    whole = row.amount_units
    part, of = remainder.numerator, remainder.denominator
    due = None if whole is None else -(-whole * part // of)  # up
    amount = coins(whole, currency)
    # As people should see it; None before the option is chosen.
    address = None if row.address is None else display(row.address)
    uri = payment_uri(option, address, due)
    return PaymentOptionDocument(
        payment_method=currency.id,
        currency=currency.code,
        network=currency.network_id,
        network_name=option.network.display_name,
        contract_address=currency.contract,
        decimals=currency.decimals,
        address=address,
        amount=amount,
        amount_atomic=None if whole is None else str(whole),
        amount_paid=to_text(paid_units(option, standing), currency.decimals),
        amount_due=amount if due == whole else coins(due, currency),
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
        payment_uri=uri,
        qr_text=qr_text(option, address, uri),
    )


def coins(units: int | None, currency: Currency) -> str | None:
    """Return base units in whole coins; None stays None."""
    return None if units is None else to_text(units, currency.decimals)


def payment_uri(option: Option, address: str | None, units: int | None) -> str | None:
    """Return the request link: EIP-681 on Ethereum, Solana Pay on Solana, none on Tron.

    Tron has no URI standard; a bare address is what its wallets scan. Without units the payer
    says how much.
    """
    currency, network = option.currency, option.network
    if address is None or network.family == "tron":
        return None
    if network.family == "solana":
        return f"solana:{address}" + _query(
            {
                "amount": coins(units, currency),
                "spl-token": currency.contract,
            }
        )
    if currency.contract is None:
        value = None if units is None else str(units)
        return f"ethereum:{address}@{network.identity}" + _query({"value": value})
    wanted = {"address": address, "uint256": None if units is None else str(units)}
    return f"ethereum:{currency.contract}@{network.identity}/transfer" + _query(wanted)


def _query(parameters: Mapping[str, str | None]) -> str:
    """Return the query of a link; what is None stays out."""
    given = "&".join(
        [f"{name}={value}" for name, value in parameters.items() if value is not None]
    )
    return f"?{given}" if given else ""


def qr_text(option: Option, address: str | None, uri: str | None) -> str | None:
    """Return what the QR carries: the full request only where a naive wallet still pays us.

    An ERC-20 request has the token contract where a naive wallet looks for the recipient.
    """
    erc20 = option.network.family == "ethereum" and option.currency.contract is not None
    return address if uri is None or erc20 else uri
