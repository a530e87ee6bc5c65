"""What the world sees of codes, referrals, rates and commissions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from gateway.domain.money import to_text
from gateway.models import (
    Commission,
    CommissionPot,
    Currency,
    Referral,
    ReferralCode,
    ReferralSchedule,
)


class ReferralCodeDocument(msgspec.Struct, kw_only=True):
    """A code to give away; with a `customer` it is that customer's."""

    id: str
    object: str
    merchant_id: str
    customer: str | None
    code: str
    vanity: bool
    created_by: str
    created_at: datetime
    revoked_at: datetime | None


class ReferralDocument(msgspec.Struct, kw_only=True):
    """One party that came through a code, for good.

    `referrer` is who gave the code. `referred` is named where it is your own customer; another
    merchant stays unnamed.
    """

    id: str
    object: str
    programme: str
    referrer: str
    referred: str | None
    code_id: str
    created_at: datetime


class ScheduleDocument(msgspec.Struct, kw_only=True):
    """Rates from a time on: `rates` of levels 1, 2, ... in basis points of what a payment earned.

    For a merchant's own programme that is `share_basis_points` of what it got of the payment; for
    the house's programme (`merchant_id` null) the whole fee of the house.
    """

    id: str
    object: str
    merchant_id: str | None
    rates: list[int]
    share_basis_points: int | None
    effective_from: datetime
    created_by: str
    created_at: datetime


class CommissionDocument(msgspec.Struct, kw_only=True):
    """One level's part of one payment's earnings; `amount` in whole coins, `account` has it."""

    id: str
    object: str
    livemode: bool
    status: str
    programme: str
    account: str
    referral_id: str
    payment: str | None
    level: int
    rate_basis_points: int
    payment_method: str
    amount: str
    amount_atomic: str
    created_at: datetime
    reversed_at: datetime | None


class WaitingDocument(msgspec.Struct, kw_only=True):
    """A payment of your own programme that is not shared yet, and why."""

    object: str
    payment: str
    payment_method: str
    amount: str
    amount_atomic: str
    reason: str | None
    earned_at: datetime
    next_attempt_at: datetime | None


class TotalDocument(msgspec.Struct, kw_only=True):
    """What one account earned of one payment method in one period that begins at `begins_at`."""

    object: str
    begins_at: datetime
    account: str
    payment_method: str
    commissions: int
    earned: str
    reversed: str
    net: str


class ProcessingFeeDocument(msgspec.Struct, kw_only=True):
    """What the house keeps of each payment of a merchant, in basis points, rounded down."""

    object: str
    merchant_id: str
    basis_points: int


def code_document(row: ReferralCode) -> ReferralCodeDocument:
    """Shape one code."""
    return ReferralCodeDocument(
        id=row.id,
        object="referral_code",
        merchant_id=row.merchant_id,
        customer=row.customer_id,
        code=row.code,
        vanity=row.vanity,
        created_by=row.created_by,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )


def referral_document(row: Referral) -> ReferralDocument:
    """Shape one referral."""
    return ReferralDocument(
        id=row.id,
        object="referral",
        programme=row.programme,
        referrer=row.referrer_id,
        referred=row.referred_id if row.programme == "merchant" else None,
        code_id=row.code_id,
        created_at=row.created_at,
    )


def schedule_document(row: ReferralSchedule) -> ScheduleDocument:
    """Shape one schedule."""
    return ScheduleDocument(
        id=row.id,
        object="referral_schedule",
        merchant_id=row.merchant_id,
        rates=list(row.rates),
        share_basis_points=row.share_basis_points,
        effective_from=row.effective_from,
        created_by=row.created_by,
        created_at=row.created_at,
    )


def commission_document(row: Commission, currency: Currency) -> CommissionDocument:
    """Shape one commission; the payment is named where it is your own."""
    return CommissionDocument(
        id=row.id,
        object="commission",
        livemode=row.livemode,
        status=row.status,
        programme=row.programme,
        account=row.account,
        referral_id=row.referral_id,
        payment=row.payment_id if row.programme == "merchant" else None,
        level=row.level,
        rate_basis_points=row.rate_basis_points,
        payment_method=row.currency_id,
        amount=to_text(row.units, currency.decimals),
        amount_atomic=str(row.units),
        created_at=row.created_at,
        reversed_at=row.reversed_at,
    )


def waiting_document(row: CommissionPot, currency: Currency) -> WaitingDocument:
    """Shape one payment that waits."""
    return WaitingDocument(
        object="commission_pot",
        payment=row.payment_id,
        payment_method=row.currency_id,
        amount=to_text(row.pot_units, currency.decimals),
        amount_atomic=str(row.pot_units),
        reason=row.reason,
        earned_at=row.earned_at,
        next_attempt_at=row.next_attempt_at,
    )


def total_document(row: Sequence[Any]) -> TotalDocument:
    """Shape one line of a statement: period, account, currency, decimals, count, earned, reversed."""
    begins_at, account, currency_id, decimals, commissions, earned, taken_back = row
    return TotalDocument(
        object="commission_total",
        begins_at=begins_at,
        account=account,
        payment_method=currency_id,
        commissions=commissions,
        earned=to_text(int(earned), decimals),
        reversed=to_text(int(taken_back), decimals),
        net=to_text(int(earned) - int(taken_back), decimals),
    )
