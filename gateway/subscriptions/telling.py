"""What merchants hear of a subscription, and what its customer is written."""

from datetime import datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.moment import Moment
from gateway.invoices.documents import amount_decimals
from gateway.models import Customer, Invoice, Package, Subscription
from gateway.notifications import Message, post
from gateway.subscriptions.documents import subscription_document
from gateway.webhooks.outbox import emit


async def tell(
    session: AsyncSession,
    row: Subscription,
    type_: str,
    moment: Moment,
    *,
    invoice_id: str | None = None,
) -> None:
    """Write one event; the caller holds the subscription's row lock."""
    document = msgspec.to_builtins(subscription_document(row, moment.at))
    more = {} if invoice_id is None else {"invoice_id": invoice_id}
    await emit(
        session,
        moment,
        type_=type_,
        merchant_id=row.merchant_id,
        livemode=row.livemode,
        subject=row.id,
        data={"object": document, **more},
    )


async def write(
    session: AsyncSession,
    customer: Customer,
    package: Package,
    kind: str,
    moment: Moment,
    *,
    invoice: Invoice,
    until: datetime,
    link: str,
) -> None:
    """Write to a customer that has an address: what is due, by when, and where to pay it.

    The amount is the bill's: a tax may lie on the package's price.
    """
    if customer.email is None:
        return
    digits = amount_decimals(invoice.currency, invoice.amount)
    price = f"{invoice.amount:.{digits}f} {invoice.currency}"
    if kind == "subscription.reminder":
        words = f"{package.name}: {price} is due."
    elif invoice.exception == "paid_partial":
        words = f"{package.name}: {price} has been paid in part only."
    else:
        words = f"{package.name}: {price} has not been paid."
    message = Message(
        merchant_id=customer.merchant_id,
        recipient=customer.email,
        kind=kind,
        subject=words,
        body=f"{words}\n\nPay here: {link}\nUntil {until:%Y-%m-%d %H:%M} UTC.\n",
        livemode=customer.livemode,
    )
    await post(session, message, moment)
