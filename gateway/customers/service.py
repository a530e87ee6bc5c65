"""Making, changing and forgetting customers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit.noting import Noting
from gateway.customers.documents import CustomerDocument, customer_document
from gateway.customers.repository import customer_of
from gateway.domain.actor import Actor
from gateway.domain.errors import Conflict
from gateway.domain.moment import Moment
from gateway.merchants.referrers import attributed, require_referrer
from gateway.models import Customer

NAMED = ("reference", "email", "name")


@dataclass(frozen=True, slots=True)
class Counter(Noting):
    """What every use case needs: the transaction, who asks, the moment."""

    session: AsyncSession
    actor: Actor
    moment: Moment

    async def customer(self, customer_id: str, *, lock: bool = False) -> Customer:
        """Return the actor's customer; raise `NotFound` where there is none."""
        return await customer_of(
            self.session,
            self.actor.tenant,
            customer_id,
            livemode=self.actor.livemode,
            lock=lock,
        )

    async def standing(self, customer_id: str) -> Customer:
        """Return the actor's customer under its row lock; refuse a deleted one."""
        row = await self.customer(customer_id, lock=True)
        if row.deleted_at is not None:
            raise Conflict("this customer is deleted", code="customer_deleted")
        return row


async def create_customer(counter: Counter, wanted: Mapping[str, Any]) -> CustomerDocument:
    """Write a customer down; its reference is taken until it is deleted."""
    session, actor, at = counter.session, counter.actor, counter.moment.at
    code = wanted.get("referral_code")
    if code is not None:
        await require_referrer(
            session, code, wanted["email"], tenant=actor.tenant, livemode=actor.livemode
        )
    values = {
        "id": counter.moment.id("cus"),
        "merchant_id": actor.tenant,
        "livemode": actor.livemode,
        **{name: wanted[name] for name in NAMED},
        "metadata": dict(wanted["metadata"]),
        "referred_by": code,
        "created_at": at,
        "updated_at": at,
    }
    with attributed():
        added = await session.scalar(
            insert(Customer).values(values).on_conflict_do_nothing().returning(Customer)
        )
    if added is None:
        raise _taken()
    after = {name: wanted[name] for name in NAMED} | {"referred_by": code}
    await counter.note("customer.created", added.id, after)
    return customer_document(added)


async def change_customer(
    counter: Counter, customer_id: str, wanted: Mapping[str, Any]
) -> CustomerDocument:
    """Set what is given; what does not differ is neither written nor recorded."""
    row = await counter.standing(customer_id)
    columns = {_column(name): value for name, value in wanted.items()}
    after = {name: value for name, value in columns.items() if getattr(row, name) != value}
    if after:
        before = {name: getattr(row, name) for name in after}
        try:
            async with counter.session.begin_nested():
                for name, value in after.items():
                    setattr(row, name, value)
                row.updated_at = counter.moment.at
                await counter.session.flush()
        except IntegrityError as fault:
            if "customer_reference" not in str(fault.orig):
                raise
            raise _taken() from fault
        await counter.note("customer.changed", row.id, _said(after), before=_said(before))
    return customer_document(row)


async def delete_customer(counter: Counter, customer_id: str) -> CustomerDocument:
    """Forget a customer; its money and its addresses stay what they are."""
    row = await counter.standing(customer_id)
    row.deleted_at = row.updated_at = counter.moment.at
    await counter.session.flush()
    after = {"deleted_at": counter.moment.at.isoformat()}
    await counter.note("customer.deleted", row.id, after, before={"deleted_at": None})
    return customer_document(row)


def _taken() -> Conflict:
    return Conflict("another customer has this reference", code="reference_already_used")


def _column(name: str) -> str:
    """Name the attribute of a field: `metadata` is SQLAlchemy's own word."""
    return "metadata_" if name == "metadata" else name


def _said(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {name.rstrip("_"): value for name, value in columns.items()}
