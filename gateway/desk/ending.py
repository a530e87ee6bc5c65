"""How a resolution ends: its row, and the record of what became of its deposit."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit.service import record
from gateway.deposits.service import Desk
from gateway.domain.actor import Actor
from gateway.models import Deposit, Resolution

NOT_OPEN = "the deposit is no longer unattributed"


async def locked(session: AsyncSession, deposit_id: str) -> Deposit:
    """Return a deposit with its row lock."""
    return await session.get_one(
        Deposit, deposit_id, with_for_update=True, populate_existing=True
    )


async def end(desk: Desk, resolution: Resolution, status: str, why: str | None) -> None:
    """Write how it ended, and why it did not do what was asked."""
    resolution.status, resolution.failure_reason = status, why
    resolution.ended_at = desk.moment.at
    await desk.session.flush()


async def note(
    desk: Desk,
    resolution: Resolution,
    action: str,
    before: dict[str, Any],
    after: dict[str, Any],
) -> None:
    """Record what happened to the deposit, in the name of whoever approved it."""
    decider = Actor(resolution.decided_by or "", None, frozenset(), livemode=False)
    await record(
        desk.session,
        decider,
        desk.moment,
        action=action,
        subject=resolution.deposit_id,
        before=before,
        after={
            **after,
            "resolution_id": resolution.id,
            "requested_by": resolution.requested_by,
        },
    )
