"""Named queries for questions; the database's clock decides what is fresh."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.models import NetworkHealth, Question

_FRESH = text("now() - interval '5 seconds'")
_HEARD = text("interval '30 seconds'")
_MINUTE_AGO = text("now() - interval '1 minute'")


async def asked_lately(session: AsyncSession, asker: str, kind: str) -> int:
    """Return how many questions of a kind this asker had in the last minute."""
    query = select(func.count()).where(
        Question.asker == asker, Question.kind == kind, Question.asked_at > _MINUTE_AGO
    )
    return int(await session.scalar(query) or 0)


async def same_question(
    session: AsyncSession, asker: str, kind: str, network: str, body: Mapping[str, Any]
) -> Question | None:
    """Return the asker's same question of the last seconds, answered or still open."""
    query = (
        select(Question)
        .where(
            Question.asker == asker,
            Question.kind == kind,
            Question.network_id == network,
            Question.body == body,
            Question.asked_at > _FRESH,
        )
        .order_by(Question.asked_at.desc())
        .limit(1)
    )
    return (await session.scalars(query)).one_or_none()


async def is_heard(session: AsyncSession, network: str) -> bool:
    """Tell whether the network's watcher has shown a sign of life just now."""
    query = select(NetworkHealth.network_id).where(
        NetworkHealth.network_id == network,
        NetworkHealth.updated_at.between(func.now() - _HEARD, func.now() + _HEARD),
    )
    return await session.scalar(query) is not None


async def add(session: AsyncSession, question: Mapping[str, Any]) -> None:
    """Write a question."""
    await session.execute(insert(Question).values(**question).inline())


async def answer_of(session: AsyncSession, question_id: str) -> dict[str, Any] | None:
    """Return the answer, None while there is none."""
    query = select(Question.answer).where(Question.id == question_id)
    found: dict[str, Any] | None = await session.scalar(query)
    return found
