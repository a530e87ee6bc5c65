"""Why deposits in final blocks are not posted, as the final lane decides it."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.catalog.repository import HOLDING_CREDIT
from gateway.models import AssetHold, Cursor, Deposit, NetworkHealth
from watchers.explain.facts import Wait
from watchers.scan.inside import doubtful


async def waits(
    session: AsyncSession, cursor: Cursor | None, deposits: Iterable[Deposit]
) -> dict[str, Wait]:
    """Return why these wait, by id, where they are pending in final blocks."""
    if cursor is None:
        return {}
    late = [
        each
        for each in deposits
        if each.status == "pending" and each.block_height <= cursor.final_height
    ]
    if not late:
        return {}
    if cursor.halted is not None:
        return {each.id: Wait("halted", cursor.halted) for each in late}
    network, final = cursor.network_id, cursor.final_height
    holds = await _suspended(session, network)
    # What reached a wallet since the keystore was last read is in the watcher's own sentence.
    own = await doubtful(session, network, final, None)
    said = await session.scalar(
        select(NetworkHealth.trouble).where(NetworkHealth.network_id == network)
    )
    left = Wait("due") if said is None else Wait("held", said)
    return {
        each.id: holds.get(each.currency_id) or (Wait("doubtful") if each.id in own else left)
        for each in late
    }


async def _suspended(session: AsyncSession, network: str) -> dict[str, Wait]:
    """Return the suspended currencies of a network, each with the reason."""
    query = select(AssetHold.currency_id, AssetHold.reason).where(
        AssetHold.network_id == network,
        AssetHold.address == "",
        AssetHold.cause.in_(HOLDING_CREDIT),
    )
    rows = (await session.execute(query.order_by(AssetHold.since.desc()))).tuples()
    return {currency_id: Wait("suspended", reason) for currency_id, reason in rows}
