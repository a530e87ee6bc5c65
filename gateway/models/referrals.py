"""Referrals: codes, who came through them, rates, and what was earned by it."""

from datetime import datetime

from sqlalchemy import ARRAY, Integer
from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import Table, TextKey, UnitsColumn


class ReferralCode(Table):
    """A word that a merchant, or one of its customers (`customer_id`), gives away."""

    __tablename__ = "referral_code"
    id: Mapped[TextKey]
    merchant_id: Mapped[str]
    customer_id: Mapped[str | None]
    code: Mapped[str]
    vanity: Mapped[bool]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Referral(Table):
    """Who came through whom, for good; `programme` is `house` or `merchant`."""

    __tablename__ = "referral"
    id: Mapped[TextKey]
    merchant_id: Mapped[str]
    programme: Mapped[str]
    referrer_id: Mapped[str]
    referred_id: Mapped[str]
    code_id: Mapped[str]
    created_at: Mapped[datetime]


class ReferralSchedule(Table):
    """Rates of levels 1, 2, ... in basis points, from a time on; without a merchant the house's."""

    __tablename__ = "referral_schedule"
    id: Mapped[TextKey]
    merchant_id: Mapped[str | None]
    rates: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    share_basis_points: Mapped[int | None]
    effective_from: Mapped[datetime]
    created_by: Mapped[str]
    created_at: Mapped[datetime]


class CommissionPot(Table):
    """What one payment earned that may be shared; `reason` says why it is not shared yet.

    With `refunded_at` some of it went back since anybody looked.
    """

    __tablename__ = "commission_pot"
    payment_id: Mapped[TextKey]
    programme: Mapped[TextKey]
    merchant_id: Mapped[str]
    party_id: Mapped[str]
    currency_id: Mapped[str]
    pot_units: Mapped[UnitsColumn]
    earned_at: Mapped[datetime]
    schedule_id: Mapped[str]
    shared_at: Mapped[datetime | None]
    next_attempt_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    refunded_at: Mapped[datetime | None]


class CustomerPaid(Table):
    """What a referred customer paid its merchant, less what came back, and what of it was shared."""

    __tablename__ = "customer_paid"
    customer_id: Mapped[TextKey]
    currency_id: Mapped[TextKey]
    merchant_id: Mapped[str]
    net_units: Mapped[UnitsColumn]
    counted_units: Mapped[UnitsColumn]


class Commission(Table):
    """One level's part of one pot, posted from `payer` to `account`."""

    __tablename__ = "commission"
    id: Mapped[TextKey]
    merchant_id: Mapped[str]
    account: Mapped[str]
    payer: Mapped[str]
    referral_id: Mapped[str]
    payment_id: Mapped[str]
    programme: Mapped[str]
    level: Mapped[int]
    rate_basis_points: Mapped[int]
    currency_id: Mapped[str]
    units: Mapped[UnitsColumn]
    livemode: Mapped[bool]
    status: Mapped[str]
    created_at: Mapped[datetime]
    reversed_at: Mapped[datetime | None]
