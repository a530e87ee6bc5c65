"""What operators decide about a merchant: verified, suspended, gone, and back again.

The transaction is the operator's own, not the merchant's: the database lets nobody else write
these columns. A suspended merchant may look and change nothing; what payers send is credited on.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit.service import record
from gateway.db import acting_for
from gateway.domain.actor import Actor
from gateway.domain.errors import Conflict
from gateway.domain.moment import Moment
from gateway.merchants.documents import MerchantDocument, merchant_document
from gateway.merchants.repository import has_money, merchant_of
from gateway.models import Merchant


async def verify_merchant(
    session: AsyncSession,
    actor: Actor,
    merchant_id: str,
    found: tuple[str, str | None],
    moment: Moment,
) -> MerchantDocument:
    """Write down what was found out, and the note that the merchant reads."""
    row = await merchant_of(session, merchant_id, lock=True)
    verification, note = found
    after = {
        "verification": verification,
        "verification_note": note,
        "verification_by": actor.key_id,
        "verification_at": moment.at,
    }
    return await _decided(
        session, actor, moment, row, action="merchant.verification", after=after
    )


async def suspend_merchant(
    session: AsyncSession, actor: Actor, merchant_id: str, reason: str, moment: Moment
) -> MerchantDocument:
    """Let the merchant change nothing from now on; one that is suspended stays as it is."""
    row = await merchant_of(session, merchant_id, lock=True)
    if row.status == "suspended":
        return merchant_document(row, for_operator=True)
    after = {
        "status": "suspended",
        "suspension_reason": reason,
        "suspended_by": actor.key_id,
        "suspended_at": moment.at,
    }
    return await _decided(session, actor, moment, row, action="merchant.suspended", after=after)


async def unsuspend_merchant(
    session: AsyncSession, actor: Actor, merchant_id: str, moment: Moment
) -> MerchantDocument:
    """End a suspension; one that is active stays as it is."""
    row = await merchant_of(session, merchant_id, lock=True)
    if row.status == "active":
        return merchant_document(row, for_operator=True)
    after = {
        "status": "active",
        "suspension_reason": None,
        "suspended_by": None,
        "suspended_at": None,
    }
    return await _decided(
        session, actor, moment, row, action="merchant.unsuspended", after=after
    )


async def delete_merchant(
    session: AsyncSession, actor: Actor, merchant_id: str, moment: Moment
) -> MerchantDocument:
    """End the account: no key and nobody gets in; its rows stay, and late payments are credited.

    Not while it has money: nobody could pay that out.
    """
    row = await merchant_of(session, merchant_id, lock=True, deleted=True)
    if row.deleted_at is not None:
        return merchant_document(row, for_operator=True)
    async with acting_for(session, merchant_id):
        funded = await has_money(session, merchant_id)
    if funded:
        raise Conflict("the merchant still has money", code="merchant_not_empty")
    after = {"deleted_at": moment.at}
    return await _decided(session, actor, moment, row, action="merchant.deleted", after=after)


async def restore_merchant(
    session: AsyncSession, actor: Actor, merchant_id: str, moment: Moment
) -> MerchantDocument:
    """Take a deletion back: keys that were in force are so again."""
    row = await merchant_of(session, merchant_id, lock=True, deleted=True)
    if row.deleted_at is None:
        return merchant_document(row, for_operator=True)
    return await _decided(
        session, actor, moment, row, action="merchant.restored", after={"deleted_at": None}
    )


async def _decided(
    session: AsyncSession,
    actor: Actor,
    moment: Moment,
    row: Merchant,
    *,
    action: str,
    after: Mapping[str, Any],
) -> MerchantDocument:
    """Set the columns as the operator, and put it on the merchant's record."""
    before = {name: getattr(row, name) for name in after}
    for name, value in after.items():
        setattr(row, name, value)
    await session.flush()
    async with acting_for(session, row.id):
        await record(
            session,
            actor,
            moment,
            action=action,
            subject=row.id,
            merchant_id=row.id,
            before=_said(before),
            after=_said(after),
        )
    return merchant_document(row, for_operator=True)


def _said(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in columns.items()
    }
