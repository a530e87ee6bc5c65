"""Who is told what becomes of a transaction: one keeper for each purpose.

A keeper's call stands in the transaction that makes it so: rows of an order and rows of its
transactions never disagree. Withdrawals have theirs in `watchers.pay.withdrawing`; a room that
moves the house's own money registers one for each of its purposes when it is composed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import Database
from gateway.domain.moment import Moment
from gateway.models import Attempt

Fate = Literal["succeeded", "failed", "canceled"]
CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class End:
    """How an order ended for good: `fee_units` is what its landed transaction took, 0 without one.

    `failed` is a transaction that landed and did nothing, or that can never land; `canceled` one
    whose place on the chain was taken by a transaction that moves nothing.
    """

    fate: Fate
    fee_units: int = 0
    reason: str | None = None


class Keeper:
    """Follows the orders of a purpose. What a keeper does not care about stays as it is here."""

    async def objection(self, session: AsyncSession, attempt: Attempt) -> str | None:
        """Say why this intent must not be signed, from the rows it was made for; None: nothing."""
        del session, attempt
        return None

    async def held(self, session: AsyncSession, attempt: Attempt) -> str | None:
        """Say why nothing is signed for this order now, though nothing is wrong with it."""
        del session, attempt
        return None

    async def waiting(
        self, session: AsyncSession, attempt: Attempt, reason: str, moment: Moment
    ) -> None:
        """Hear why it is not signed yet, or not mined yet."""

    async def signed(self, session: AsyncSession, attempt: Attempt, moment: Moment) -> None:
        """Hear that bytes exist: from now on only the chain decides."""

    async def refused(
        self, session: AsyncSession, attempt: Attempt, code: str, reason: str, moment: Moment
    ) -> None:
        """Hear that it was never signed and never will be: its place on the chain is free again.

        `code` is the keystore's, or empty where something else stood in the way. The order is
        over unless the keeper begins it anew.
        """

    async def included(self, session: AsyncSession, attempt: Attempt, moment: Moment) -> None:
        """Hear that it stands in a block; `attempt.success` is None where a person must judge."""

    async def orphaned(self, session: AsyncSession, attempt: Attempt, moment: Moment) -> None:
        """Hear that its block is no longer on the chain."""

    async def ended(
        self, session: AsyncSession, attempt: Attempt, end: End, moment: Moment
    ) -> None:
        """Hear how the order ended, with what decided it; once more where a reopened chain judges anew."""

    async def reopened(self, session: AsyncSession, attempt: Attempt, moment: Moment) -> None:
        """Hear that the block in which it ended is given up: it still says what the network took there."""

    async def adopted(self, session: AsyncSession, attempt: Attempt, moment: Moment) -> None:
        """Hear of a signed transaction that this database had forgotten; `signed` is not called."""


KEEPERS = "keepers"
"""Where `Database.info`, and so every session of it, carries them by purpose."""
_ALWAYS: dict[str, Keeper] = {}
_NOBODY = Keeper()


def always(purpose: str, keeper: Keeper) -> None:
    """Name the keeper of a purpose whichever database it is: its room says so when it is loaded."""
    _ALWAYS[purpose] = keeper


def register(database: Database, purpose: str, keeper: Keeper) -> None:
    """Name the keeper of a purpose for what is done through a database; the last one counts."""
    database.info.setdefault(KEEPERS, {})[purpose] = keeper


async def purpose_of(session: AsyncSession, attempt: Attempt) -> str:
    """Return what the order is for: a cancel is for what it takes back."""
    if attempt.purpose != CANCEL:
        return attempt.purpose
    first = select(Attempt.purpose).where(
        Attempt.order_id == attempt.order_id, Attempt.place == 1, Attempt.state != "refused"
    )
    return await session.scalar(first) or CANCEL


async def keeper_of(session: AsyncSession, attempt: Attempt) -> Keeper:
    """Return who follows this transaction's order."""
    named: Mapping[str, Keeper] = session.info.get(KEEPERS, {})
    purpose = await purpose_of(session, attempt)
    return named.get(purpose) or _ALWAYS.get(purpose, _NOBODY)
