"""Named queries for payout rules and what they look at."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.models import (
    AddressBookEntry,
    Currency,
    Merchant,
    Network,
    Pause,
    PayoutRule,
    Wallet,
    Withdrawal,
)
from gateway.paging import PageRequest, Slice, newest_first, sole

OPEN = ("pending", "approved", "signing", "broadcast", "confirming")


@dataclass(frozen=True, slots=True)
class Standing:
    """A rule with everything that decides whether it pays now; `busy` says with what it is."""

    rule: PayoutRule
    currency: Currency
    network: Network
    merchant_active: bool
    entry: AddressBookEntry
    confirmed: int
    busy: str | None
    paused: bool


async def rule_page(
    session: AsyncSession, merchant_id: str, page: PageRequest, *, livemode: bool
) -> Slice[PayoutRule]:
    """Return one page of the merchant's standing rules, newest first."""
    query = select(PayoutRule).where(
        PayoutRule.merchant_id == merchant_id,
        PayoutRule.livemode == livemode,
        PayoutRule.deleted_at.is_(None),
    )
    return await newest_first(session, query, PayoutRule.id, page)


async def rule_of(
    session: AsyncSession,
    merchant_id: str,
    rule_id: str,
    *,
    livemode: bool,
    lock: bool = False,
) -> PayoutRule:
    """Return the merchant's rule, a deleted one too; raise `NotFound` where there is none."""
    query = select(PayoutRule).where(
        PayoutRule.id == rule_id,
        PayoutRule.merchant_id == merchant_id,
        PayoutRule.livemode == livemode,
    )
    return await sole(session, query, "payout rule", rule_id, lock=lock)


async def parts_of(
    session: AsyncSession, rules: Sequence[PayoutRule]
) -> dict[str, tuple[Currency, AddressBookEntry]]:
    """Return currency and entry of each rule, by the rule's id."""
    query = (
        select(PayoutRule.id, Currency, AddressBookEntry)
        .join(Currency, Currency.id == PayoutRule.currency_id)
        .join(AddressBookEntry, AddressBookEntry.id == PayoutRule.entry_id)
        .where(PayoutRule.id.in_([rule.id for rule in rules]))
    )
    return {
        rule_id: (currency, entry) for rule_id, currency, entry in await session.execute(query)
    }


async def worth_a_look(session: AsyncSession) -> Sequence[str]:
    """Return the rules whose balance is there, and those whose reason may have gone."""
    query = (
        select(PayoutRule.id)
        .outerjoin(
            Wallet,
            (Wallet.account == PayoutRule.merchant_id)
            & (Wallet.currency_id == PayoutRule.currency_id),
        )
        .where(
            PayoutRule.enabled,
            PayoutRule.deleted_at.is_(None),
            or_(Wallet.confirmed >= PayoutRule.threshold_units, PayoutRule.reason.is_not(None)),
        )
        .order_by(PayoutRule.id)
    )
    return (await session.scalars(query)).all()


async def standing_of(session: AsyncSession, rule_id: str) -> Standing | None:
    """Return a rule under its row lock with what it looks at; None where another has it."""
    query = (
        select(PayoutRule, Currency, Network, Merchant, AddressBookEntry)
        .join(Currency, Currency.id == PayoutRule.currency_id)
        .join(Network, Network.id == Currency.network_id)
        .join(Merchant, Merchant.id == PayoutRule.merchant_id)
        .join(AddressBookEntry, AddressBookEntry.id == PayoutRule.entry_id)
        .where(PayoutRule.id == rule_id, PayoutRule.enabled, PayoutRule.deleted_at.is_(None))
        .with_for_update(of=PayoutRule, skip_locked=True)
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        return None
    rule, currency, network, merchant, entry = found
    balance = select(Wallet.confirmed).where(
        Wallet.account == rule.merchant_id, Wallet.currency_id == rule.currency_id
    )
    return Standing(
        rule,
        currency,
        network,
        merchant.status == "active" and merchant.deleted_at is None,
        entry,
        await session.scalar(balance) or 0,
        await _busy(session, rule),
        await _is_paused(session, rule, currency),
    )


async def is_referenced(session: AsyncSession, rule: PayoutRule, reference: str) -> bool:
    """Tell whether the merchant has a withdrawal of this reference, however it ended."""
    query = select(Withdrawal.id).where(
        Withdrawal.merchant_id == rule.merchant_id,
        Withdrawal.livemode == rule.livemode,
        Withdrawal.reference == reference,
    )
    return await session.scalar(query) is not None


async def _busy(session: AsyncSession, rule: PayoutRule) -> str | None:
    """Name the rule's own withdrawal that is under way, and what it waits for."""
    query = select(Withdrawal.id, Withdrawal.blocked_reason).where(
        Withdrawal.rule_id == rule.id, Withdrawal.status.in_(OPEN)
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        return None
    withdrawal_id, blocked = found
    return f"{withdrawal_id} waits: {blocked}" if blocked else f"{withdrawal_id} is under way"


async def _is_paused(session: AsyncSession, rule: PayoutRule, currency: Currency) -> bool:
    query = select(Pause.id).where(
        Pause.lifted_at.is_(None),
        Pause.livemode == rule.livemode,
        or_(Pause.network_id.is_(None), Pause.network_id == currency.network_id),
        or_(Pause.currency_id.is_(None), Pause.currency_id == currency.id),
        or_(Pause.merchant_id.is_(None), Pause.merchant_id == rule.merchant_id),
    )
    return await session.scalar(query.limit(1)) is not None
