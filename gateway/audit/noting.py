"""Use cases that put their steps on record in the name of whoever asked for them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit.service import record
from gateway.domain.actor import Actor
from gateway.domain.moment import Moment


class Noting:
    """What a use case has in hand, as far as the record needs it; its own class has the fields."""

    __slots__ = ()

    session: AsyncSession
    actor: Actor
    moment: Moment

    async def note(
        self,
        action: str,
        subject: str,
        after: Mapping[str, Any],
        *,
        before: Mapping[str, Any] | None = None,
    ) -> None:
        """Write one row of the audit log."""
        await record(
            self.session,
            self.actor,
            self.moment,
            action=action,
            subject=subject,
            before=before,
            after=after,
        )
