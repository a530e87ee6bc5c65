"""Sharing what payments earned: the worker posts commissions, a moment after the payment is final.

Whatever credits a payment leaves a pot in the same transaction and goes on: crediting waits for
nobody's referrer. A pot is shared once: it is closed in the transaction that posts, and each
level's commission and journal are unique.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import structlog
from psycopg.errors import LockNotAvailable
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.customers.balance import tell_balance
from gateway.db import CROSS_TENANT, Database
from gateway.domain import posting
from gateway.domain.commission import LEVELS_MAX, shares
from gateway.domain.moment import Moment
from gateway.ledger.service import post_many
from gateway.models import Commission, CommissionPot, Currency, Network, ReferralSchedule
from gateway.referrals.documents import commission_document
from gateway.webhooks.outbox import emit

AT_ONCE = 100
RETRY = timedelta(minutes=15)
RETRY_MAX = timedelta(hours=6)
"""A merchant whose balance does not cover its own programme is asked again, the older the rarer."""
UNCOVERED = "the merchant's balance does not cover it"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Link:
    """One step of the chain above a payer; one that is suspended or gone earns nothing."""

    level: int
    referral_id: str
    merchant_id: str
    account: str
    active: bool


def asked_again(age: timedelta) -> timedelta:
    """Return after how long a commission that waits since `age` is tried again."""
    return min(max(RETRY, age / 4), RETRY_MAX)


async def share_round(database: Database, moment: Moment) -> bool:
    """Share what is due, each pot in a transaction of its own; tell whether there may be more.

    One that somebody else's posting holds up is left for the next round.
    """
    async with database.unit_of_work(CROSS_TENANT) as session:
        due = await _due(session, moment)
    busy = False
    for payment_id, programme in due:
        done = await giving_way(
            database, partial(_share, payment_id=payment_id, programme=programme, moment=moment)
        )
        busy = busy or not done
    return len(due) == AT_ONCE and not busy


async def giving_way(
    database: Database, work: Callable[[AsyncSession], Awaitable[None]]
) -> bool:
    """Do it in a transaction of its own; return False where somebody else's posting is in the way."""
    try:
        async with database.unit_of_work(CROSS_TENANT) as session:
            await session.execute(_GIVE_WAY)
            await work(session)
    except OperationalError as fault:
        if not isinstance(fault.orig, LockNotAvailable):
            raise
        return False
    return True


async def tell(session: AsyncSession, row: Commission, name: str, moment: Moment) -> None:
    """Write one event of a commission, for the merchant in whose books it is.

    The caller has just posted it: where it is a customer's, that one's balance is told as well.
    """
    currency = await session.get_one(Currency, row.currency_id)
    await emit(
        session,
        moment,
        type_=name,
        merchant_id=row.merchant_id,
        livemode=row.livemode,
        subject=row.id,
        data={"object": msgspec.to_builtins(commission_document(row, currency))},
    )
    if row.programme == "merchant":
        await tell_balance(session, row.merchant_id, row.account, row.currency_id, moment)


async def _due(session: AsyncSession, moment: Moment) -> Sequence[Any]:
    query = (
        select(CommissionPot.payment_id, CommissionPot.programme)
        .where(CommissionPot.shared_at.is_(None), CommissionPot.next_attempt_at <= moment.at)
        .order_by(CommissionPot.next_attempt_at, CommissionPot.payment_id)
        .limit(AT_ONCE)
    )
    return (await session.execute(query)).all()


async def _share(
    session: AsyncSession, payment_id: str, programme: str, moment: Moment
) -> None:
    """Share one pot under its row lock; another worker's is left to it."""
    query = (
        select(CommissionPot)
        .where(
            CommissionPot.payment_id == payment_id,
            CommissionPot.programme == programme,
            CommissionPot.shared_at.is_(None),
        )
        .with_for_update(skip_locked=True)
    )
    pot = (await session.scalars(query)).one_or_none()
    if pot is None:
        return
    parts = await _parts(session, pot, moment)
    try:
        async with session.begin_nested():
            session.add_all(parts)
            await session.flush()
            await post_many(session, [_journal(each) for each in parts], moment)
    except IntegrityError as fault:
        if "wallet" not in str(fault.orig):
            raise
        pot.reason = UNCOVERED
        pot.next_attempt_at = moment.at + asked_again(moment.at - pot.earned_at)
        log.warning("commission waits", payment=payment_id, reason=UNCOVERED)
        return
    for each in parts:
        await tell(session, each, "commission.earned", moment)
    pot.shared_at, pot.next_attempt_at, pot.reason = moment.at, None, None


async def _parts(session: AsyncSession, pot: CommissionPot, moment: Moment) -> list[Commission]:
    """Return a commission for every level that is there and earns at least one unit."""
    schedule = await session.get_one(ReferralSchedule, pot.schedule_id)
    currency = await session.get_one(Currency, pot.currency_id)
    network = await session.get_one(Network, currency.network_id)
    units = shares(pot.pot_units, schedule.rates)
    return [
        Commission(
            id=moment.id("com"),
            merchant_id=link.merchant_id,
            account=link.account,
            payer=posting.REVENUE if pot.programme == "house" else pot.merchant_id,
            referral_id=link.referral_id,
            payment_id=pot.payment_id,
            programme=pot.programme,
            level=link.level,
            rate_basis_points=schedule.rates[link.level - 1],
            currency_id=pot.currency_id,
            units=units[link.level - 1],
            livemode=not network.test,
            status="earned",
            created_at=moment.at,
            reversed_at=None,
        )
        for link in await _chain(session, pot)
        if link.active and link.level <= len(units) and units[link.level - 1]
    ]


def _journal(row: Commission) -> posting.JournalEntry:
    return posting.commission(
        row.id,
        row.merchant_id,
        row.currency_id,
        row.units,
        payer=row.payer,
        account=row.account,
    )


async def _chain(session: AsyncSession, pot: CommissionPot) -> list[Link]:
    """Return who referred the payer, who referred that one, and so on, nearest first."""
    arguments: dict[str, Any] = {
        "party": pot.party_id,
        "programme": pot.programme,
        "levels": LEVELS_MAX,
    }
    return [Link(*row) for row in await session.execute(_CHAIN, arguments)]


# Crediting locks wallets in an order of its own for a whole block: whoever meets it gives way at
# once and comes again, so that it never waits for a commission.
_GIVE_WAY = text("SET LOCAL lock_timeout = '100ms'")
_CHAIN = text("""
WITH RECURSIVE chain AS (
    SELECT 1 AS level, r.* FROM referral r
        WHERE r.referred_id = :party AND r.programme = :programme
    UNION ALL
    SELECT c.level + 1, r.* FROM chain c
        JOIN referral r ON r.referred_id = c.referrer_id AND r.programme = :programme
        WHERE c.level < :levels
)
SELECT c.level, c.id, c.merchant_id, c.referrer_id,
       m.status = 'active' AND m.deleted_at IS NULL AND (u.id IS NULL OR u.deleted_at IS NULL)
FROM chain c
JOIN merchant m ON m.id = c.merchant_id
LEFT JOIN customer u ON u.id = c.referrer_id
ORDER BY c.level
""")
