"""Codes, rates and fees: who may make and change them, each on record."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit.service import record
from gateway.db import acting_for
from gateway.domain.actor import Actor
from gateway.domain.commission import WHOLE, are_sound
from gateway.domain.errors import Conflict, Invalid
from gateway.domain.moment import CROCKFORD, Moment
from gateway.merchants.repository import merchant_of
from gateway.models import Merchant, ReferralCode, ReferralSchedule
from gateway.referrals import repository
from gateway.referrals.documents import (
    ProcessingFeeDocument,
    ReferralCodeDocument,
    ScheduleDocument,
    code_document,
    schedule_document,
)

CODE_LENGTH = 12
"""Letters of a drawn code: 60 bits, which nobody guesses through the door's budget."""
CODES_MAX = 100
"""So many codes of one party are in force at once."""
AHEAD_MAX = timedelta(days=3650)
"""Rates begin within so much: a time past the year 9999 cannot be read back."""


@dataclass(frozen=True, slots=True)
class Office:
    """What every use case needs: the transaction, who asks, the moment."""

    session: AsyncSession
    actor: Actor
    moment: Moment


async def draw_code(office: Office, customer: str | None) -> ReferralCodeDocument:
    """Make a random code for the merchant itself or for one of its customers."""
    session, actor = office.session, office.actor
    if customer is not None and not await repository.has_customer(
        session, actor.tenant, customer, livemode=actor.livemode
    ):
        raise Invalid.field("/customer", "unknown_customer", "there is no such customer")
    if await repository.codes_in_force(session, actor.tenant, customer) >= CODES_MAX:
        raise Conflict(f"{CODES_MAX} codes are in force already", code="too_many_codes")
    row = _code(office, actor.tenant, drawn(office.moment), customer, vanity=False)
    session.add(row)
    await session.flush()
    await _note(office, "referral_code.created", row.id, {"customer": customer})
    return code_document(row)


async def give_code(office: Office, merchant_id: str, code: str) -> ReferralCodeDocument:
    """Give a merchant a code of one's own choice; for operators."""
    session = office.session
    await _merchant(office, merchant_id)
    row = _code(office, merchant_id, code.upper(), None, vanity=True)
    try:
        async with session.begin_nested():
            session.add(row)
            await session.flush()
    except IntegrityError as taken:
        raise Conflict("this code is taken", code="code_taken") from taken
    after = {"code": row.code, "vanity": True}
    await _note(office, "referral_code.created", row.id, after, merchant_id=merchant_id)
    return code_document(row)


async def is_of_mode(office: Office, code_id: str) -> bool:
    """Tell whether a code is a customer's of the actor's mode: the merchant's own is of neither."""
    session, actor = office.session, office.actor
    row = await repository.code_of(session, actor.tenant, code_id)
    return row.customer_id is not None and await repository.has_customer(
        session, actor.tenant, row.customer_id, livemode=actor.livemode
    )


async def revoke_code(office: Office, code_id: str) -> ReferralCodeDocument:
    """Take a code out of force; who came through it stays."""
    row = await repository.code_of(office.session, office.actor.tenant, code_id)
    if row.revoked_at is None:
        row.revoked_at = office.moment.at
        await office.session.flush()
        after = {"revoked_at": office.moment.at.isoformat()}
        await _note(office, "referral_code.revoked", row.id, after, before={"revoked_at": None})
    return code_document(row)


async def set_rates(
    office: Office, rates: Sequence[int], share: int | None, begins: datetime | None
) -> ScheduleDocument:
    """Begin a schedule; payments before it keep the rates of their time. `share` None: the house's."""
    at = office.moment.at
    if not are_sound(rates):
        raise Invalid.field("/rates", "too_much", f"all rates together are at most {WHOLE}")
    if begins is not None and begins < at:
        raise Invalid.field("/effective_from", "in_the_past", "rates change from now on only")
    if begins is not None and begins > at + AHEAD_MAX:
        raise Invalid.field("/effective_from", "too_far", "rates begin within ten years")
    values: dict[str, Any] = {
        "id": office.moment.id("rfs"),
        "merchant_id": None if share is None else office.actor.tenant,
        "rates": list(rates),
        "share_basis_points": share,
        "effective_from": begins or at,
        "created_by": office.actor.key_id,
        "created_at": at,
    }
    try:
        async with office.session.begin_nested():
            await office.session.execute(insert(ReferralSchedule).values(values))
    except IntegrityError as taken:
        raise Conflict("rates begin at that time already", code="schedule_exists") from taken
    after = {
        "rates": list(rates),
        "share_basis_points": share,
        "effective_from": values["effective_from"].isoformat(),
    }
    await _note(office, "referral_schedule.created", values["id"], after)
    return schedule_document(ReferralSchedule(**values))


async def set_fee(office: Office, merchant_id: str, basis_points: int) -> ProcessingFeeDocument:
    """Set what the house keeps of each payment that becomes final from now on; for operators."""
    row = await _merchant(office, merchant_id, lock=True)
    before = row.processing_fee_basis_points
    if before != basis_points:
        row.processing_fee_basis_points = basis_points
        await office.session.flush()
        await _note(
            office,
            "merchant.fee_changed",
            merchant_id,
            {"processing_fee_basis_points": basis_points},
            before={"processing_fee_basis_points": before},
            merchant_id=merchant_id,
        )
    return fee_document(row)


async def fee_of(session: AsyncSession, merchant_id: str) -> ProcessingFeeDocument:
    """Return what the house keeps of a merchant's payments."""
    return fee_document(await merchant_of(session, merchant_id))


def fee_document(row: Merchant) -> ProcessingFeeDocument:
    """Shape one merchant's fee."""
    return ProcessingFeeDocument(
        object="processing_fee",
        merchant_id=row.id,
        basis_points=row.processing_fee_basis_points,
    )


def drawn(moment: Moment) -> str:
    """Return a random code in Crockford's capital letters and digits."""
    number = int.from_bytes(moment.randomness(8), "big")
    letters = (CROCKFORD[(number >> 5 * place) & 31] for place in range(CODE_LENGTH))
    return "".join(letters).upper()


def _code(
    office: Office, merchant_id: str, code: str, customer: str | None, *, vanity: bool
) -> ReferralCode:
    return ReferralCode(
        id=office.moment.id("rfc"),
        merchant_id=merchant_id,
        customer_id=customer,
        code=code,
        vanity=vanity,
        created_by=office.actor.key_id,
        created_at=office.moment.at,
        revoked_at=None,
    )


async def _merchant(office: Office, merchant_id: str, *, lock: bool = False) -> Merchant:
    """Return a merchant as an operator sees it."""
    return await merchant_of(office.session, merchant_id, lock=lock)


async def _note(
    office: Office,
    action: str,
    subject: str,
    after: dict[str, Any],
    *,
    before: dict[str, Any] | None = None,
    merchant_id: str | None = None,
) -> None:
    """Record a change, in the books of the merchant it is about."""
    session, actor, moment = office.session, office.actor, office.moment
    if merchant_id is None:
        await record(
            session, actor, moment, action=action, subject=subject, before=before, after=after
        )
        return
    async with acting_for(session, merchant_id):
        await record(
            session,
            actor,
            moment,
            action=action,
            subject=subject,
            merchant_id=merchant_id,
            before=before,
            after=after,
        )
