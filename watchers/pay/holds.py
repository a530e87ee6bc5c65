"""What holds an asset back: rows that payouts, sweeps and the offer of methods look at."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.models import AssetHold, Currency

DRIFT, LOST = "drift", "lost"
CHANGED, REFUSED = "changed", "refused"
PAUSED, FROZEN = "paused", "frozen"
REASON_MAX = 300


async def put(
    session: AsyncSession,
    network: str,
    currency_id: str,
    cause: str,
    reason: str,
    *,
    at: datetime,
    address: str = "",
) -> bool:
    """Hold an asset, or one address of it; return whether that is news."""
    statement = insert(AssetHold).values(
        currency_id=currency_id,
        network_id=network,
        cause=cause,
        address=address,
        reason=reason[:REASON_MAX],
        since=at,
    )
    before = await session.get(AssetHold, (currency_id, cause, address))
    keys = ["currency_id", "cause", "address"]
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=keys, set_={"reason": statement.excluded.reason}
        )
    )
    return before is None


async def lift(
    session: AsyncSession, currency_id: str, cause: str, *, address: str = ""
) -> bool:
    """End a hold; return whether there was one."""
    ended = await session.execute(
        delete(AssetHold)
        .where(
            AssetHold.currency_id == currency_id,
            AssetHold.cause == cause,
            AssetHold.address == address,
        )
        .returning(AssetHold.currency_id)
    )
    return ended.first() is not None


async def everywhere(session: AsyncSession) -> Sequence[AssetHold]:
    """Return every hold."""
    order = (AssetHold.currency_id, AssetHold.cause, AssetHold.address)
    return (await session.scalars(select(AssetHold).order_by(*order))).all()


async def of_network(session: AsyncSession, network: str) -> Sequence[AssetHold]:
    """Return every hold of a network."""
    query = select(AssetHold).where(AssetHold.network_id == network)
    order = (AssetHold.currency_id, AssetHold.cause, AssetHold.address)
    return (await session.scalars(query.order_by(*order))).all()


async def reason_against(session: AsyncSession, currency_id: str, sender: str) -> str | None:
    """Return why `sender` must not pay in this currency now."""
    currency = await session.get_one(Currency, currency_id)
    if currency.fee_on_transfer:
        return f"{currency_id} keeps a part of every transfer: nothing of it is sent"
    query = (
        select(AssetHold.cause, AssetHold.reason)
        .where(AssetHold.currency_id == currency_id, AssetHold.address.in_(["", sender]))
        .order_by(AssetHold.since, AssetHold.cause)
        .limit(1)
    )
    row = (await session.execute(query)).first()
    return None if row is None else f"{currency_id} is held ({row.cause}): {row.reason}"
