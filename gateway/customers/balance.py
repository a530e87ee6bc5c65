"""What a customer has, as its merchant hears it whenever it changes."""

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.moment import Moment
from gateway.domain.money import to_text
from gateway.models import Currency, Network, Wallet
from gateway.webhooks.outbox import emit

CHANGED = "customer.balance_changed"


class CustomerBalanceDocument(msgspec.Struct, kw_only=True):
    """One balance of one customer: decimal strings in whole coins, `*_atomic` in base units.

    `version` counts its changes: whoever has seen a higher one knows it better.
    """

    object: str
    customer_id: str
    payment_method: str
    currency: str
    network: str
    confirmed: str
    confirmed_atomic: str
    locked: str
    locked_atomic: str
    version: int


async def tell_balance(
    session: AsyncSession, merchant_id: str, customer_id: str, currency_id: str, moment: Moment
) -> None:
    """Write the event of a balance that the caller has just posted to.

    Its wallet's row lock, which the posting took, puts the events of one balance in an order.
    A customer that never had anything has no wallet, and nothing to be told.
    """
    query = (
        select(Wallet.confirmed, Wallet.locked, Wallet.version, Currency, Network.test)
        .join(Currency, Currency.id == Wallet.currency_id)
        .join(Network, Network.id == Currency.network_id)
        .where(Wallet.account == customer_id, Wallet.currency_id == currency_id)
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        return
    confirmed, locked, version, currency, test = found
    document = CustomerBalanceDocument(
        object="customer_balance",
        customer_id=customer_id,
        payment_method=currency.id,
        currency=currency.code,
        network=currency.network_id,
        confirmed=to_text(confirmed, currency.decimals),
        confirmed_atomic=str(confirmed),
        locked=to_text(locked, currency.decimals),
        locked_atomic=str(locked),
        version=version,
    )
    await emit(
        session,
        moment,
        type_=CHANGED,
        merchant_id=merchant_id,
        livemode=not test,
        subject=f"{customer_id}:{currency_id}",
        data={"object": msgspec.to_builtins(document)},
    )
