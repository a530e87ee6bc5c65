"""What our rows say of signed transactions, and where that is not what the keystore says."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from sqlalchemy import and_, case, delete, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.models import (
    Attempt,
    Currency,
    Signature,
    SignatureDrift,
    SignatureMark,
    Withdrawal,
)
from watchers.pay.withdrawing import contradiction
from watchers.reconcile.signed import (
    NO_NUMBER,
    NOT_IN_JOURNAL,
    Finding,
    Row,
    ours_alone,
)

UNNUMBERED = "setup"
"""The purpose of transactions that the keystore gives no number."""
TOLD_MAX = 3


async def of(
    session: AsyncSession, network: str, hashes: Sequence[str], currencies: Sequence[Currency]
) -> dict[str, Row]:
    """Return what we know of these transactions, by hash."""
    listed = {currency.id: currency for currency in currencies}
    numbered = and_(
        Signature.network_id == Attempt.network_id, Signature.tx_hash == Attempt.tx_hash
    )
    query = (
        select(Attempt, Signature.number, Withdrawal)
        .outerjoin(Signature, numbered)
        .outerjoin(Withdrawal, Withdrawal.id == Attempt.withdrawal_id)
        .where(Attempt.network_id == network, Attempt.tx_hash.in_(hashes))
        .execution_options(populate_existing=True)
    )
    return {
        attempt.tx_hash or "": Row(
            attempt.order_id,
            attempt.sender,
            attempt.intent,
            attempt.raw,
            number,
            _against(attempt, withdrawal, listed),
        )
        for attempt, number, withdrawal in await session.execute(query)
    }


def _against(
    attempt: Attempt, withdrawal: Withdrawal | None, listed: dict[str, Currency]
) -> str | None:
    """Say what the withdrawal asked for else than what was signed for it."""
    if withdrawal is None or attempt.purpose != "payout":
        return None
    currency = listed.get(withdrawal.currency_id)
    return None if currency is None else contradiction(attempt.intent, withdrawal, currency)


async def rowless(session: AsyncSession, network: str, limit: int) -> list[int]:
    """Return numbers that deserve a look out of their turn: without a row, or differing before."""
    kept = select(Attempt.id).where(
        Attempt.network_id == network, Attempt.tx_hash == Signature.tx_hash
    )
    lacking = select(Signature.number).where(Signature.network_id == network, ~kept.exists())
    before = select(SignatureDrift.number).where(
        SignatureDrift.network_id == network, SignatureDrift.number.is_not(None)
    )
    numbers = lacking.union(before).limit(limit)
    return sorted(await session.scalars(numbers))


async def unnumbered(session: AsyncSession, network: str, limit: int) -> list[Finding]:
    """Return transactions that our rows call signed under no number."""
    noted = select(Signature.number).where(
        Signature.network_id == network, Signature.tx_hash == Attempt.tx_hash
    )
    query = (
        select(Attempt.tx_hash, Attempt.order_id, Attempt.intent)
        .where(
            Attempt.network_id == network,
            Attempt.tx_hash.is_not(None),
            Attempt.purpose != UNNUMBERED,
            ~noted.exists(),
        )
        .order_by(Attempt.id)
        .limit(limit)
    )
    return [
        ours_alone(row.tx_hash, row.order_id, row.intent, NO_NUMBER)
        for row in await session.execute(query)
    ]


async def under(session: AsyncSession, network: str, number: int) -> Finding:
    """Return the transaction that only our rows have under this number."""
    noted = await session.get_one(Signature, (network, number))
    query = select(Attempt.intent).where(
        Attempt.network_id == network, Attempt.tx_hash == noted.tx_hash
    )
    intent = await session.scalar(query)
    return ours_alone(noted.tx_hash, noted.withdrawal_id, intent or {}, NOT_IN_JOURNAL)


async def mark_of(session: AsyncSession, network: str) -> int:
    """Return the number up to which the present way through the journal has come."""
    query = select(SignatureMark.number).where(SignatureMark.network_id == network)
    return await session.scalar(query) or 0


async def go_on(session: AsyncSession, network: str, number: int, at: datetime) -> None:
    """Remember where the next look goes on; 0 is the beginning."""
    values = {"number": number, "checked_at": at}
    await session.execute(
        insert(SignatureMark)
        .values(network_id=network, **values)
        .on_conflict_do_update(index_elements=["network_id"], set_=values)
    )


async def note(
    session: AsyncSession, currency: Currency, finding: Finding, at: datetime
) -> bool:
    """Write down a finding, borne only as it was; return whether it is news."""
    values = {
        "number": finding.number,
        "signed_units": finding.signed_units,
        "known_units": finding.known_units,
        "reason": finding.reason,
    }
    key = (currency.id, finding.tx_hash)
    before = await session.get(SignatureDrift, key)
    statement = insert(SignatureDrift).values(
        currency_id=currency.id,
        network_id=currency.network_id,
        tx_hash=finding.tx_hash,
        order_id=finding.order_id,
        acknowledged=False,
        since=at,
        **values,
    )
    same = and_(*(getattr(SignatureDrift, name) == value for name, value in values.items()))
    borne = case((same, SignatureDrift.acknowledged), else_=False)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["currency_id", "tx_hash"], set_=values | {"acknowledged": borne}
        )
    )
    return before is None


async def forget(
    session: AsyncSession, network: str, right: AbstractSet[str], alone: AbstractSet[str]
) -> None:
    """Drop what is `right` now, and what our rows no longer say `alone`."""
    gone = and_(SignatureDrift.number.is_(None), SignatureDrift.tx_hash.not_in(alone))
    await session.execute(
        delete(SignatureDrift).where(
            SignatureDrift.network_id == network,
            or_(SignatureDrift.tx_hash.in_(right), gone),
        )
    )


async def disagreeing(session: AsyncSession, network: str) -> list[SignatureDrift]:
    """Return every transaction of a network of which journal and rows say something else."""
    order = (SignatureDrift.currency_id, SignatureDrift.number, SignatureDrift.tx_hash)
    query = select(SignatureDrift).where(SignatureDrift.network_id == network).order_by(*order)
    rows = await session.scalars(query.execution_options(populate_existing=True))
    return list(rows)


def told(drifts: Sequence[SignatureDrift]) -> str:
    """Say what differs, for the people who wait."""
    parts = [
        f"{drift.order_id}, signed as {drift.tx_hash}: {drift.reason}"
        for drift in drifts[:TOLD_MAX]
    ]
    if len(drifts) > TOLD_MAX:
        parts.append(f"{len(drifts) - TOLD_MAX} more transactions")
    return "; ".join(parts)
