"""Answers what the API asks of this network: woken by LISTEN, a request row in, an answer out.

A question waits seconds for its answer, so it is answered at once, beside the other loops and
beside other questions: a slow one holds up nobody. One that has expired is nobody's any more.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import delete, func, select, text, update

from gateway.db import CROSS_TENANT, Database, notify
from gateway.models import Question
from gateway.questions.service import ANSWERED, ASKED
from watchers.desk.destinations import Destinations
from watchers.explain.answer import document
from watchers.explain.explainer import Explainer

AT_ONCE = 16
"""Questions answered side by side; more wait, and what has waited too long is dropped."""
LOOK_SECONDS = 5.0
"""How often is looked without a wake-up, for one that got lost."""
_KEPT = text("now() - interval '1 hour'")


@dataclass(slots=True)
class Answers:
    """Answers the questions about one network."""

    network: str
    database: Database
    explainer: Explainer
    destinations: Destinations

    async def serve(self, hears: Callable[[], None] = lambda: None) -> None:
        """Answer until the database's connection breaks, which is a `ConnectionError`.

        `hears` is called as soon as there is one.
        """
        try:
            async with self.database.listening(ASKED) as driver:
                hears()
                await self._serve(driver)
        except psycopg.OperationalError as broken:
            raise ConnectionError(f"listening for questions: {broken}") from broken

    async def _serve(self, driver: psycopg.AsyncConnection[Any]) -> None:
        """Begin what is open whenever a question is put or an answer makes room."""
        woken = asyncio.create_task(_woken(driver, self.network))
        busy: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                for question in await self.waiting(busy):
                    busy[question.id] = asyncio.create_task(self._settle(question))
                await asyncio.wait({woken, *busy.values()}, return_when=asyncio.FIRST_COMPLETED)
                for question_id in [each for each, task in busy.items() if task.done()]:
                    busy.pop(question_id).result()
                if woken.done():
                    woken.result()
                    woken = asyncio.create_task(_woken(driver, self.network))
        finally:
            for task in (woken, *busy.values()):
                task.cancel()
            await asyncio.gather(woken, *busy.values(), return_exceptions=True)

    async def waiting(self, busy: Collection[str] = ()) -> Sequence[Question]:
        """Return the open questions that there is room for beside the `busy` ones."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                delete(Question).where(
                    Question.network_id == self.network, Question.asked_at < _KEPT
                )
            )
            query = (
                select(Question)
                .where(
                    Question.network_id == self.network,
                    Question.answer.is_(None),
                    Question.expires_at > func.now(),
                    Question.id.not_in(list(busy)),
                )
                .order_by(Question.asked_at)
                .limit(AT_ONCE - len(busy))
            )
            return (await session.scalars(query)).all()

    async def _settle(self, question: Question) -> None:
        """Answer one question; nobody waits for the others'."""
        if question.kind == "destination":
            answer = await self.destinations.answer(question.body)
        else:
            answer = await self._explained(question)
        await self._put(question.id, answer)

    async def _explained(self, question: Question) -> dict[str, Any]:
        merchant_id = None if question.operator else question.asker
        try:
            found = await self.explainer.explain(str(question.body.get("tx")), merchant_id)
        except ValueError as fault:
            return {"fault": str(fault)}
        return {"explanation": document(found)}

    async def _put(self, question_id: str, answer: dict[str, Any]) -> None:
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                update(Question)
                .where(Question.id == question_id, Question.answer.is_(None))
                .values(answer=answer, answered_at=func.now())
            )
            await notify(session, ANSWERED, question_id)


async def _woken(driver: psycopg.AsyncConnection[Any], network: str) -> None:
    """Wait for a question about this network, or for the next look."""
    async for notice in driver.notifies(timeout=LOOK_SECONDS):
        if notice.payload == network:
            return
