"""What operators paused: payouts that are not begun. Deposits go on."""

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.models import Network, Pause


async def reason_against(
    session: AsyncSession, network: str, currency_id: str, merchant_id: str | None
) -> str | None:
    """Return why nothing is paid out of this network, asset or merchant now, the oldest pause first."""
    query = (
        select(Pause.reason)
        .join(Network, Network.test != Pause.livemode)
        .where(
            Network.id == network,
            Pause.lifted_at.is_(None),
            or_(Pause.network_id.is_(None), Pause.network_id == network),
            or_(Pause.currency_id.is_(None), Pause.currency_id == currency_id),
            or_(Pause.merchant_id.is_(None), Pause.merchant_id == merchant_id),
        )
        .order_by(Pause.created_at, Pause.id)
        .limit(1)
    )
    reason = await session.scalar(query)
    return None if reason is None else f"paused: {reason}"
