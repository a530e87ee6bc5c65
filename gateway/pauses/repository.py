"""Named queries for pauses. The database shows these rows to operators' keys only."""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import NotFound
from gateway.domain.moment import Moment
from gateway.models import Pause
from gateway.paging import PageRequest, Slice, newest_first


async def pause_of(session: AsyncSession, pause_id: str, *, livemode: bool) -> Pause:
    """Return a pause; raise `NotFound` where this caller has no such thing."""
    query = select(Pause).where(Pause.id == pause_id, Pause.livemode == livemode)
    row = (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()
    if row is None:
        raise NotFound(f"there is no pause {pause_id[:64]}")
    return row


async def pause_page(
    session: AsyncSession, page: PageRequest, *, active: bool | None, livemode: bool
) -> Slice[Pause]:
    """Return one page of pauses, those that stand, those that do not, or all."""
    query = select(Pause).where(Pause.livemode == livemode)
    if active is not None:
        stands = Pause.lifted_at.is_(None)
        query = query.where(stands if active else ~stands)
    return await newest_first(session, query, Pause.id, page)


async def lifted(session: AsyncSession, pause_id: str, by: str, moment: Moment) -> bool:
    """Lift a pause; return False where it is lifted already."""
    changed = await session.scalar(
        update(Pause)
        .where(Pause.id == pause_id, Pause.lifted_at.is_(None))
        .values(lifted_at=moment.at, lifted_by=by)
        .returning(Pause.id)
        .execution_options(synchronize_session=False)
    )
    return changed is not None
