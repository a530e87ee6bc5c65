"""Money between a merchant's balance and a customer's: one journal each, covered or refused."""

from dataclasses import dataclass
from typing import Literal

from gateway.customers.balance import tell_balance
from gateway.customers.documents import TransferDocument, transfer_document
from gateway.customers.repository import currency_of_mode
from gateway.customers.service import Counter
from gateway.domain import posting
from gateway.domain.errors import Conflict
from gateway.domain.fields import units
from gateway.ledger.service import post_covered
from gateway.models import CustomerTransfer

Direction = Literal["charge", "grant"]


@dataclass(frozen=True, slots=True)
class Transfer:
    """What is asked for; `amount` in whole coins, a `charge` takes it from the customer."""

    direction: Direction
    payment_method: str
    amount: str
    description: str | None = None


async def transfer(counter: Counter, customer_id: str, wanted: Transfer) -> TransferDocument:
    """Move money between the merchant and one of its customers.

    A deleted customer can be charged, so that nothing is stuck with it, and is granted nothing.
    """
    session, actor, moment = counter.session, counter.actor, counter.moment
    customer = await counter.customer(customer_id, lock=True)
    if customer.deleted_at is not None and wanted.direction == "grant":
        raise Conflict("this customer is deleted", code="customer_deleted")
    currency = await currency_of_mode(session, wanted.payment_method, livemode=actor.livemode)
    row = CustomerTransfer(
        id=moment.id("ctr"),
        merchant_id=actor.tenant,
        livemode=actor.livemode,
        customer_id=customer.id,
        currency_id=currency.id,
        direction=wanted.direction,
        units=units("/amount", wanted.amount, currency.decimals),
        description=wanted.description,
        created_by=actor.key_id,
        created_at=moment.at,
    )
    session.add(row)
    await session.flush()
    await post_covered(session, entry_of(row), moment)
    await tell_balance(session, actor.tenant, customer.id, currency.id, moment)
    after = {
        "transfer_id": row.id,
        "direction": row.direction,
        "payment_method": currency.id,
        "amount": wanted.amount,
    }
    await counter.note("customer.transfer", customer.id, after)
    return transfer_document(row, currency)


def entry_of(row: CustomerTransfer) -> posting.JournalEntry:
    """Return the journal of a transfer."""
    charged = row.direction == "charge"
    return posting.transfer(
        row.id,
        row.merchant_id,
        row.currency_id,
        row.units,
        payer=row.customer_id if charged else row.merchant_id,
        account=row.merchant_id if charged else row.customer_id,
    )
