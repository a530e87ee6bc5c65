"""What an invoice asks of the next payment in one coin, by its own locks, as it will be judged."""

import math
from contextlib import suppress
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.money import units_due
from gateway.invoices import repository as invoices
from gateway.invoices.option_documents import STANDING, asked_of, paid_units
from gateway.invoices.paid import paid_of
from gateway.invoices.standing import RECEIPT_PRICE_AGE
from gateway.models import Invoice
from gateway.prices import service as prices
from watchers.clock import now
from watchers.simulate.plan import Due


async def due_of(
    session: AsyncSession, invoice: Invoice, currency_id: str, *, late: bool
) -> Due | None:
    """Return what is due now in a currency; None where the invoice takes whatever comes.

    What comes `late` is judged at the price of its receipt, so as much as that is due at least.
    """
    options = (await invoices.options_of(session, [invoice.id]))[invoice.id]
    deposits = (await invoices.deposits_of(session, [invoice.id]))[invoice.id]
    standing = [each for each in deposits if each.status in STANDING]
    rates = await invoices.rates_before(session, invoice, options)
    at = now().at
    asked = {each.currency.id: asked_of(each, standing, rates, at=at) for each in options}
    chosen = next(each for each in options if each.currency.id == currency_id)
    wanted, whole = asked[currency_id], chosen.row.amount_units
    if wanted is None or whole is None or invoice.amount is None:
        return None
    left = paid_of(invoice, options, standing, [], rates).remainder
    much = sum(
        (
            Fraction(paid_units(each, standing), other.most)
            for each in options
            if (other := asked[each.currency.id]) is not None
        ),
        Fraction(0),
    )
    if late:
        # Without a price it is credited and settles nothing, as real money would.
        with suppress(prices.PriceMissing):
            rate = await prices.rate(
                session,
                chosen.currency.code,
                invoice.currency,
                at=at,
                max_age=RECEIPT_PRICE_AGE,
            )
            whole = max(whole, units_due(invoice.amount, rate.value, chosen.currency.decimals))
    return Due(
        said=math.ceil(whole * left),
        least=math.floor(wanted.least * left),
        most=math.ceil(wanted.most * max(1 - much, Fraction(0))),
    )
