"""Named queries for networks, currencies and what is published about them."""

from collections.abc import Sequence

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.models import AssetHold, Currency, Network, NetworkHealth


async def networks(session: AsyncSession) -> dict[str, Network]:
    """Return every network ever configured, by id."""
    return {row.id: row for row in await session.scalars(select(Network))}


async def currencies(session: AsyncSession) -> dict[str, Currency]:
    """Return every currency ever configured, by id."""
    return {row.id: row for row in await session.scalars(select(Currency))}


async def offered(session: AsyncSession, *, test: bool) -> list[tuple[Currency, Network]]:
    """Return the enabled currencies of test networks, or of the others, by id."""
    query = (
        select(Currency, Network)
        .join(Network, Network.id == Currency.network_id)
        .where(Currency.enabled, Network.enabled, Network.test == test)
        .order_by(Currency.id)
    )
    return [(currency, network) for currency, network in await session.execute(query)]


async def health_of(
    session: AsyncSession, *, test: bool
) -> list[tuple[Network, NetworkHealth | None]]:
    """Return the enabled networks with what their watcher published, None if nothing yet."""
    query = (
        select(Network, NetworkHealth)
        .outerjoin(NetworkHealth, NetworkHealth.network_id == Network.id)
        .where(Network.enabled, Network.test == test)
        .order_by(Network.id)
        .execution_options(populate_existing=True)
    )
    return [(network, health) for network, health in await session.execute(query)]


async def published_health(session: AsyncSession) -> Sequence[NetworkHealth]:
    """Return what every watcher published, by network."""
    query = select(NetworkHealth).order_by(NetworkHealth.network_id)
    return (await session.scalars(query)).all()


async def scanned_heights(session: AsyncSession) -> dict[str, int]:
    """Return the newest height that was scanned, per network whose watcher has spoken."""
    query = select(NetworkHealth.network_id, NetworkHealth.scanned_height)
    return {row.network_id: row.scanned_height for row in await session.execute(query)}


async def free_addresses(session: AsyncSession, network_ids: Sequence[str]) -> dict[str, int]:
    """Return how many addresses nobody has been shown, per network, counted up to 1000."""
    query = select(Network.id, func.free_addresses(Network.id)).where(
        Network.id.in_(network_ids)
    )
    return {network: int(count) for network, count in await session.execute(query)}


async def causes_of_holds(session: AsyncSession) -> dict[str, set[str]]:
    """Return why whole assets are held, by currency."""
    query = select(AssetHold.currency_id, AssetHold.cause).where(AssetHold.address == "")
    causes: dict[str, set[str]] = {}
    for currency_id, cause in await session.execute(query):
        causes.setdefault(currency_id, set()).add(cause)
    return causes


HOLDING_CREDIT = ("changed", "refused")
"""Causes of a hold for which what arrives is recorded and not credited."""


def suspended_currencies() -> Select[str]:
    """Select the currencies whose deposits are recorded and wait, until an operator looked."""
    return select(AssetHold.currency_id).where(
        AssetHold.address == "", AssetHold.cause.in_(HOLDING_CREDIT)
    )
