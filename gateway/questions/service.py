"""Asking a watcher and waiting for its answer: two seconds, else it is not available now.

An answer wakes its listener (LISTEN/NOTIFY); the row is read all the same, before and after, so
that no answer is missed. Waiting takes a database connection: few may wait at once.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

import psycopg

from gateway.db import Database, notify
from gateway.domain.actor import Actor
from gateway.domain.errors import TooMany, Unavailable
from gateway.domain.moment import Moment
from gateway.questions import repository

ASKED = "questions"
"""Channel of new questions; the payload is the network."""
ANSWERED = "question_answers"
"""Channel of answers; the payload is the question's id."""
PATIENCE_SECONDS = 2.0
PER_MINUTE = 30
LARGER = {"destination": 300}
"""Kinds that cost a node little, and that belong to every request of their kind."""
WAITING_MAX = 2
SILENT = "network_unavailable"


@dataclass(slots=True)
class Questions:
    """The API's way to ask watchers; one per process."""

    database: Database
    patience_seconds: float = PATIENCE_SECONDS
    _waiting: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WAITING_MAX))
    _turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    """One at a time per asker: nobody takes every place by asking again and again."""

    async def ask(
        self, actor: Actor, kind: str, network: str, body: Mapping[str, Any], moment: Moment
    ) -> dict[str, Any]:
        """Return the watcher's answer as JSON types.

        The same question within seconds is one. Raises `TooMany` beyond the kind's limit per
        minute, `Unavailable` where no watcher answers in time.
        """
        asker = actor.merchant_id or actor.key_id
        turn = self._turns.setdefault(asker, asyncio.Lock())
        try:
            async with (
                asyncio.timeout(self.patience_seconds),
                turn,
                self._waiting,
                self.database.listening(ANSWERED) as driver,
            ):
                question_id = await self._put(actor, kind, network, body, moment)
                return await self._answer(driver, actor, question_id)
        except TimeoutError as late:
            raise Unavailable(
                f"the watcher of {network} does not answer", code=SILENT
            ) from late

    async def is_heard(self, actor: Actor, network: str) -> bool:
        """Tell whether somebody is there to answer: waiting for nobody would cost two seconds."""
        async with self.database.unit_of_work(actor.merchant_id or actor.key_id) as session:
            return await repository.is_heard(session, network)

    async def _put(
        self, actor: Actor, kind: str, network: str, body: Mapping[str, Any], moment: Moment
    ) -> str:
        asker = actor.merchant_id or actor.key_id
        async with self.database.unit_of_work(asker) as session:
            known = await repository.same_question(session, asker, kind, network, body)
            if known is not None:
                return known.id
            limit = LARGER.get(kind, PER_MINUTE)
            if await repository.asked_lately(session, asker, kind) >= limit:
                raise TooMany(f"at most {limit} such questions a minute")
            question = {
                "id": moment.id("que"),
                "asker": asker,
                "kind": kind,
                "network_id": network,
                "body": dict(body),
                "operator": actor.merchant_id is None,
            }
            await repository.add(session, question)
            await notify(session, ASKED, network)
        return str(question["id"])

    async def _answer(
        self, driver: psycopg.AsyncConnection[Any], actor: Actor, question_id: str
    ) -> dict[str, Any]:
        """Wait until the row holds the answer; the caller's timeout ends it."""
        asker = actor.merchant_id or actor.key_id
        told = driver.notifies()
        try:
            while True:
                async with self.database.unit_of_work(asker) as session:
                    answer = await repository.answer_of(session, question_id)
                if answer is not None:
                    return answer
                async for notice in told:
                    if notice.payload == question_id:
                        break
        finally:
            await told.aclose()
