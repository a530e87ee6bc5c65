"""Opening a merchant's account and changing what is written about it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit.service import record
from gateway.db import acting_for
from gateway.domain.actor import Actor
from gateway.domain.errors import Conflict, Invalid
from gateway.domain.moment import Moment
from gateway.domain.money import to_units
from gateway.merchants.documents import MerchantDocument, merchant_document
from gateway.merchants.referrers import attributed, require_referrer
from gateway.merchants.repository import merchant_of
from gateway.models import Merchant
from gateway.notifications.moved import alerts_moved

TOLERANCE_BASIS_POINTS_MAX = 1000
VERIFIED = frozenset({"legal_name", "address", "country", "tax_id"})
"""What an operator looks at when it verifies a merchant."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything about a merchant that can be written."""

    name: str
    email: str | None = None
    legal_name: str | None = None
    address: Mapping[str, Any] | None = None
    country: str | None = None
    tax_id: str | None = None
    website: str | None = None
    phone: str | None = None
    support_email: str | None = None
    support_url: str | None = None
    invoice_expiry_minutes: int = 60
    monitoring_days: int = 7
    tolerance_basis_points: int = 50
    referred_by: str | None = None


def basis_points(percent: str) -> int:
    """Read a percentage with at most two decimals."""
    points = to_units(percent, 2)
    if points > TOLERANCE_BASIS_POINTS_MAX:
        raise Invalid.field(
            "/payment_tolerance_percent", "invalid", "the tolerance is at most 10 percent"
        )
    return points


async def open_merchant(
    session: AsyncSession, actor: Actor, profile: Profile, moment: Moment
) -> MerchantDocument:
    """Create a merchant, as an operator inside the tenant that begins with it."""
    if profile.referred_by is not None:
        await require_referrer(
            session, profile.referred_by, profile.email, tenant=None, livemode=False
        )
    merchant_id = moment.id("mer")
    async with acting_for(session, merchant_id):
        row = Merchant(
            id=merchant_id,
            status="active",
            **asdict(profile),
            created_at=moment.at,
            deleted_at=None,
        )
        session.add(row)
        with attributed():
            await session.flush()
        await record(
            session,
            actor,
            moment,
            action="merchant.created",
            subject=merchant_id,
            merchant_id=merchant_id,
            after=asdict(profile),
        )
    return merchant_document(row, for_operator=True)


async def change_merchant(
    session: AsyncSession,
    actor: Actor,
    merchant_id: str,
    changes: Mapping[str, Any],
    moment: Moment,
) -> MerchantDocument:
    """Set the given columns; what does not differ is neither written nor recorded.

    The transaction is the caller's own: the merchant's, or the operator's.
    """
    operator = actor.merchant_id is None
    row = await merchant_of(session, merchant_id, lock=True)
    after = {name: value for name, value in changes.items() if getattr(row, name) != value}
    if not operator and row.verification == "verified" and VERIFIED & after.keys():
        raise Conflict(
            "this was verified: only the operator can change it", code="merchant_verified"
        )
    before = {name: getattr(row, name) for name in after}
    if after:
        for name, value in after.items():
            setattr(row, name, value)
        await session.flush()
        async with acting_for(session, merchant_id):
            await record(
                session,
                actor,
                moment,
                action="merchant.changed",
                subject=merchant_id,
                merchant_id=merchant_id,
                before=before,
                after=after,
            )
            if "email" in after:
                await alerts_moved(session, merchant_id, before["email"], moment)
    return merchant_document(row, for_operator=operator)
