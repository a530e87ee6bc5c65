"""How much of an invoice was paid, exactly, and as its documents say it."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from gateway.domain.money import FIAT_DECIMALS, nothing, to_text
from gateway.invoices.option_documents import Option, asked_of, paid_units
from gateway.models import Deposit, Invoice, PaymentOptionRate, ReceiptRate

_NOTHING, _ALL = Fraction(0), Fraction(1)


class Paid(NamedTuple):
    """The invoice's amount and what was paid of it, as text in its currency with its `decimals`.

    `amount` and `due` are None where it takes whatever comes. `remainder` is the part of the
    invoice that no currency has paid.
    """

    amount: str | None
    paid: str
    due: str | None
    over: str
    remainder: Fraction
    decimals: int


def paid_of(
    invoice: Invoice,
    options: Sequence[Option],
    standing: Sequence[Deposit],
    receipts: Sequence[ReceiptRate],
    rates: Sequence[PaymentOptionRate],
) -> Paid:
    """Return what standing deposits have paid; what is due is rounded up, the others down."""
    decimals = amount_decimals(invoice.currency, invoice.amount)
    zero = nothing(decimals)
    if invoice.amount is None:
        worth = _worth(options, standing, receipts) if standing else _NOTHING
        shown = _rounded_down(worth.numerator, worth.denominator, decimals)
        return Paid(None, shown, None, zero, _ALL, decimals)
    amount = f"{invoice.amount:.{decimals}f}"  # exactly: it is written with no more digits
    if not standing:
        return Paid(amount, zero, amount, zero, _ALL, decimals)
    whole, parts = invoice.amount.as_integer_ratio()
    share_ = _share(options, standing, rates)
    # Whole numbers from here: a list has hundreds of these, and `Fraction` shortens each time.
    part, of = share_.numerator, share_.denominator
    return Paid(
        amount=amount,
        paid=_rounded_down(whole * part, parts * of, decimals),
        due=_rounded_up(whole * max(of - part, 0), parts * of, decimals),
        over=_rounded_down(whole * max(part - of, 0), parts * of, decimals),
        remainder=max(_ALL - share_, _NOTHING),
        decimals=decimals,
    )


def _share(
    options: Sequence[Option], standing: Sequence[Deposit], rates: Sequence[PaymentOptionRate]
) -> Fraction:
    """Return what part of the invoice is paid: between enough by one lock and too much by all, 1."""
    enough, much = _NOTHING, _NOTHING
    for option in options:
        units = paid_units(option, standing)
        whole = asked_of(option, standing, rates)
        if units and whole is not None:
            enough += Fraction(units, whole.least)
            much += Fraction(units, whole.most)
    return enough if enough < 1 else max(_ALL, much)


def amount_decimals(currency: str, amount: Decimal | None) -> int:
    """Return how many digits an amount of this currency is shown with: at least its own."""
    usual = FIAT_DECIMALS.get(currency, 8)
    if amount is None:
        return usual
    return max(usual, len(f"{amount:f}".rstrip("0").partition(".")[2]))


def _worth(
    options: Sequence[Option], standing: Sequence[Deposit], receipts: Sequence[ReceiptRate]
) -> Fraction:
    """Return what payments were worth when they came; one without a price then counts nothing."""
    rates = {(each.deposit_id, each.currency_id): each.rate for each in receipts}
    decimals = {option.currency.id: option.currency.decimals for option in options}
    return sum(
        (
            Fraction(d.units, 10 ** decimals[d.currency_id])
            * Fraction(rates[d.id, d.currency_id])
            for d in standing
            if d.currency_id in decimals and (d.id, d.currency_id) in rates
        ),
        _NOTHING,
    )


def _rounded_down(numerator: int, denominator: int, decimals: int) -> str:
    return to_text(numerator * 10**decimals // denominator, decimals)


def _rounded_up(numerator: int, denominator: int, decimals: int) -> str:
    return to_text(-(-numerator * 10**decimals // denominator), decimals)
