"""What merchants hear about deposits, with a limit: a flood of transfers is no flood of webhooks."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.customers.balance import tell_balance
from gateway.deposits import repository
from gateway.deposits.documents import deposit_document
from gateway.domain.moment import Moment
from gateway.invoices.standing import NO_HEADS, Confirmations
from gateway.models import Currency, Deposit, Invoice, Network
from gateway.webhooks.outbox import emit

A_DAY = timedelta(days=1)
DEPOSITS_TOLD = 50
"""So many deposits of one invoice get events of their own; the invoice's events tell the rest.

So many of one customer do in a day; the customer's balance tells the rest.
"""


async def announce(
    session: AsyncSession,
    deposits: Sequence[Deposit],
    name: str,
    moment: Moment,
    heads: Confirmations = NO_HEADS,
) -> None:
    """Tell merchants about these deposits of their invoices and customers.

    A small deposit is told only as part of its invoice, or of the customer's balance. Nobody hears
    how a deposit went on whose arrival was not told.
    """
    mine = [deposit for deposit in deposits if deposit.merchant_id is not None]
    if not mine:
        return
    if name == "deposit.detected":
        told = await repository.told_per_invoice(session, {d.invoice_id for d in mine})
        customers = {d.customer_id for d in mine if d.customer_id is not None}
        if customers:
            since = moment.at - A_DAY
            told += await repository.told_per_customer(session, customers, since)
        mine = await _loud(session, mine, told)
    else:
        heard = await repository.heard_of(session, [deposit.id for deposit in mine])
        mine = [deposit for deposit in mine if deposit.id in heard]
    for deposit in mine:
        await tell(session, deposit, name, moment, heads)


async def announce_unmatched(
    session: AsyncSession,
    found: Sequence[tuple[Deposit, Invoice]],
    moment: Moment,
    heads: Confirmations,
) -> None:
    """Tell merchants what came to an address of their invoice and does not pay it."""
    for deposit, invoice in found:
        currency = await session.get_one(Currency, deposit.currency_id)
        if deposit.units < currency.minimum_deposit_units:
            continue
        if await repository.told_at(session, deposit) >= DEPOSITS_TOLD:
            continue
        await emit(
            session,
            moment,
            type_="deposit.unmatched",
            merchant_id=invoice.merchant_id,
            livemode=invoice.livemode,
            subject=deposit.id,
            data={"object": _document(deposit, currency, heads)},
        )


async def announce_balances(
    session: AsyncSession, credited: Sequence[Deposit], moment: Moment
) -> None:
    """Tell merchants what their customers have now that these deposits were credited."""
    wallets = {
        (each.merchant_id, each.customer_id, each.currency_id)
        for each in credited
        if each.merchant_id is not None and each.customer_id is not None
    }
    for merchant_id, customer_id, currency_id in sorted(wallets):
        await tell_balance(session, merchant_id, customer_id, currency_id, moment)


async def tell(
    session: AsyncSession,
    deposit: Deposit,
    name: str,
    moment: Moment,
    heads: Confirmations = NO_HEADS,
) -> None:
    """Write one event of a deposit that belongs to a merchant."""
    if deposit.merchant_id is None:
        raise ValueError(f"deposit {deposit.id} belongs to nobody")
    currency = await session.get_one(Currency, deposit.currency_id)
    network = await session.get_one(Network, deposit.network_id)
    await emit(
        session,
        moment,
        type_=name,
        merchant_id=deposit.merchant_id,
        livemode=not network.test,
        subject=deposit.id,
        data={"object": _document(deposit, currency, heads)},
    )


def _document(deposit: Deposit, currency: Currency, heads: Confirmations) -> Any:
    return msgspec.to_builtins(deposit_document(deposit, currency, heads.head_heights))


async def _loud(
    session: AsyncSession, deposits: Sequence[Deposit], told: Counter[str]
) -> list[Deposit]:
    loud = []
    for deposit in deposits:
        currency = await session.get_one(Currency, deposit.currency_id)
        owner = deposit.invoice_id or deposit.customer_id or ""
        if deposit.units < currency.minimum_deposit_units or told[owner] >= DEPOSITS_TOLD:
            continue
        told[owner] += 1
        loud.append(deposit)
    return loud
