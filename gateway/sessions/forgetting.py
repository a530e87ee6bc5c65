"""What is over for good is forgotten: ended sessions, spent tokens, old attempts, nonces, usage."""

from sqlalchemy import text

from gateway.db import CROSS_TENANT, Database
from gateway.domain.moment import Moment

BATCH = 1000
_FORGET = text("SELECT forget_spent(:now, :batch)")


async def forget_round(database: Database, moment: Moment, batch: int = BATCH) -> bool:
    """Delete up to `batch` rows of each kind; tell whether there is more."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        return bool(await session.scalar(_FORGET, {"now": moment.at, "batch": batch}))
