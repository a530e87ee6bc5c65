"""Named queries for codes, referrals, rates and commissions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.models import (
    Commission,
    CommissionPot,
    Currency,
    Customer,
    Network,
    Referral,
    ReferralCode,
    ReferralSchedule,
)
from gateway.paging import PageRequest, Slice, newest_first, sole

AT_ONCE = 100


async def code_page(
    session: AsyncSession, merchant_id: str, page: PageRequest, customer: str | None
) -> Slice[ReferralCode]:
    """Return one page of the merchant's codes, newest first."""
    query = select(ReferralCode).where(ReferralCode.merchant_id == merchant_id)
    if customer is not None:
        query = query.where(ReferralCode.customer_id == customer)
    return await newest_first(session, query, ReferralCode.id, page)


async def code_of(session: AsyncSession, merchant_id: str, code_id: str) -> ReferralCode:
    """Return the merchant's code under its row lock; raise `NotFound` where there is none."""
    query = select(ReferralCode).where(
        ReferralCode.id == code_id, ReferralCode.merchant_id == merchant_id
    )
    return await sole(session, query, "referral code", code_id, lock=True)


async def codes_in_force(session: AsyncSession, merchant_id: str, customer: str | None) -> int:
    """Return how many codes a party has that are not revoked."""
    query = select(func.count()).where(
        ReferralCode.merchant_id == merchant_id,
        ReferralCode.customer_id.is_not_distinct_from(customer),
        ReferralCode.revoked_at.is_(None),
    )
    return int(await session.scalar(query) or 0)


async def has_customer(
    session: AsyncSession, merchant_id: str, customer: str, *, livemode: bool
) -> bool:
    """Tell whether the merchant has this customer in this mode."""
    query = select(Customer.id).where(
        Customer.id == customer,
        Customer.merchant_id == merchant_id,
        Customer.livemode == livemode,
        Customer.deleted_at.is_(None),
    )
    return await session.scalar(query) is not None


async def referral_page(
    session: AsyncSession, merchant_id: str, page: PageRequest, wanted: dict[str, Any]
) -> Slice[Referral]:
    """Return one page of those who came through the merchant or its customers, newest first."""
    query = select(Referral).where(Referral.merchant_id == merchant_id)
    for name in ("programme", "referrer_id", "code_id"):
        if name in wanted:
            query = query.where(getattr(Referral, name) == wanted[name])
    return await newest_first(session, query, Referral.id, page)


async def schedule_page(
    session: AsyncSession, merchant_id: str | None, page: PageRequest
) -> Slice[ReferralSchedule]:
    """Return one page of a programme's schedules, newest first; None asks for the house's."""
    query = select(ReferralSchedule).where(
        ReferralSchedule.merchant_id.is_not_distinct_from(merchant_id)
    )
    return await newest_first(session, query, ReferralSchedule.id, page)


async def commission_page(
    session: AsyncSession,
    merchant_id: str,
    page: PageRequest,
    wanted: dict[str, Any],
    *,
    livemode: bool,
) -> Slice[Commission]:
    """Return one page of what the merchant or its customers earned, newest first."""
    query = _commissions(select(Commission), merchant_id, wanted, livemode=livemode)
    return await newest_first(session, query, Commission.id, page)


async def commission_of(
    session: AsyncSession, merchant_id: str, commission_id: str, *, livemode: bool
) -> Commission:
    """Return one commission; raise `NotFound` where there is none."""
    query = select(Commission).where(
        Commission.id == commission_id,
        Commission.merchant_id == merchant_id,
        Commission.livemode == livemode,
    )
    return await sole(session, query, "commission", commission_id)


async def totals(
    session: AsyncSession,
    merchant_id: str,
    period: str,
    wanted: dict[str, Any],
    *,
    livemode: bool,
) -> Sequence[Any]:
    """Return earned and reversed units per period (UTC), account and currency, newest first."""
    begins_at = func.date_trunc(period, Commission.created_at, "UTC")
    query: Select[Any] = (
        select(
            begins_at,
            Commission.account,
            Commission.currency_id,
            Currency.decimals,
            func.count(),
            func.sum(Commission.units),
            func.coalesce(
                func.sum(Commission.units).filter(Commission.status == "reversed"), 0
            ),
        )
        .join(Currency, Currency.id == Commission.currency_id)
        .group_by(text("1"), Commission.account, Commission.currency_id, Currency.decimals)
        .order_by(text("1 DESC"), Commission.account, Commission.currency_id)
        .limit(1000)
    )
    query = _commissions(query, merchant_id, wanted, livemode=livemode)
    found: Sequence[Any] = (await session.execute(query)).all()
    return found


async def waiting(
    session: AsyncSession, merchant_id: str, *, livemode: bool
) -> Sequence[CommissionPot]:
    """Return payments of the merchant's own programme that are not shared yet, oldest first."""
    query = (
        select(CommissionPot)
        .join(Currency, Currency.id == CommissionPot.currency_id)
        .join(Network, Network.id == Currency.network_id)
        .where(
            CommissionPot.merchant_id == merchant_id,
            CommissionPot.programme == "merchant",
            CommissionPot.shared_at.is_(None),
            Network.test != livemode,
        )
        .order_by(CommissionPot.earned_at)
        .limit(AT_ONCE)
    )
    return (await session.scalars(query)).all()


def _commissions(
    query: Select[Any], merchant_id: str, wanted: dict[str, Any], *, livemode: bool
) -> Select[Any]:
    query = query.where(Commission.merchant_id == merchant_id, Commission.livemode == livemode)
    for name in ("status", "currency_id", "referral_id", "account", "programme"):
        if name in wanted:
            query = query.where(getattr(Commission, name) == wanted[name])
    begins: datetime | None = wanted.get("created_from")
    ends: datetime | None = wanted.get("created_before")
    if begins is not None:
        query = query.where(Commission.created_at >= begins)
    return query if ends is None else query.where(Commission.created_at < ends)
