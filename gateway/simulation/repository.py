"""Named queries for simulations; the database's clock decides what has expired."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import NotFound
from gateway.models import Network, Simulation


async def add(session: AsyncSession, values: Mapping[str, Any]) -> Simulation:
    """Write a simulation and return it with what the database has filled in."""
    await session.execute(insert(Simulation).values(**values).inline())
    return await session.get_one(Simulation, values["id"])


async def simulation_of(
    session: AsyncSession, merchant_id: str, simulation_id: str, *, livemode: bool
) -> Simulation:
    """Return the merchant's simulation; raise `NotFound` where it has none, and in live mode."""
    query = select(Simulation).where(
        Simulation.id == simulation_id, Simulation.merchant_id == merchant_id
    )
    row = None if livemode else (await session.scalars(query)).one_or_none()
    if row is None:
        raise NotFound(f"there is no simulation {simulation_id[:64]}")
    return row


async def under_way(session: AsyncSession, invoice_id: str) -> bool:
    """Tell whether one of this invoice is waiting or being played."""
    query = select(Simulation.id).where(
        Simulation.invoice_id == invoice_id,
        Simulation.ended_at.is_(None),
        Simulation.expires_at > func.now(),
    )
    return (await session.scalars(query)).first() is not None


async def local_networks(session: AsyncSession) -> set[str]:
    """Return the networks that the database knows as local ones for tests."""
    query = select(Network.id).where(Network.test, Network.local, Network.enabled)
    return set(await session.scalars(query))
