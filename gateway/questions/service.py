"""Asking a watcher and waiting for its answer: two seconds, else it is not available now.

An answer wakes who waits for it (LISTEN/NOTIFY, one connection for all); the row is read all the
same, before and after, so that no answer is missed.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from gateway.db import Database, notify
from gateway.domain.actor import Actor
from gateway.domain.errors import TooMany, Unavailable
from gateway.domain.moment import Moment
from gateway.questions import repository
from gateway.questions.ear import Ear

ASKED = "questions"
"""Channel of new questions; the payload is the network."""
ANSWERED = "question_answers"
"""Channel of answers; the payload is the question's id."""
PATIENCE_SECONDS = 2.0
LOOK_SECONDS = 1.0
"""How often who waits looks without being woken, for a notice that got lost."""
PER_MINUTE = 30
LARGER = {"destination": 600}
"""Kinds that cost a node little, and that belong to every request of their kind."""
WAITING_MAX = 2
"""Of the other kinds: they make a node work."""
ROOM = 64
"""How many of the larger kinds may wait for one network; a silent one holds nobody else's."""
SILENT = "network_unavailable"


@dataclass(slots=True)
class Questions:
    """The API's way to ask watchers; one per process."""

    database: Database
    patience_seconds: float = PATIENCE_SECONDS
    _ear: Ear = field(init=False)
    _rooms: Counter[str] = field(default_factory=Counter)
    _waiting: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WAITING_MAX))
    _turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    """One at a time per asker: nobody takes every place by asking again and again."""

    def __post_init__(self) -> None:
        """Hear answers."""
        self._ear = Ear(self.database, ANSWERED)

    async def ask(
        self,
        actor: Actor,
        kind: str,
        network: str,
        body: Mapping[str, Any],
        moment: Moment,
        *,
        more_seconds: float = 0,
    ) -> dict[str, Any]:
        """Return the watcher's answer as JSON types; `more_seconds` is patience for a long body.

        The same question within seconds is one. Raises `TooMany` beyond the kind's limit per
        minute, `Unavailable` where no watcher answers in time. The larger kinds wait for nobody's
        turn; for the others the patience counts from the queue.
        """
        asker = actor.merchant_id or actor.key_id
        patience = self.patience_seconds + more_seconds
        try:
            if kind in LARGER:
                with self._room(network):
                    question_id = await self._put(actor, kind, network, body, moment)
                    async with asyncio.timeout(patience):
                        return await self._answer(asker, question_id)
            turn = self._turns.setdefault(asker, asyncio.Lock())
            async with asyncio.timeout(patience), turn, self._waiting:
                question_id = await self._put(actor, kind, network, body, moment)
                return await self._answer(asker, question_id)
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

    @contextmanager
    def _room(self, network: str) -> Iterator[None]:
        """Take a place among those who wait for the network; raise `Unavailable` without one."""
        if self._rooms[network] >= ROOM:
            raise Unavailable(f"too many wait for the watcher of {network}", code=SILENT)
        self._rooms[network] += 1
        try:
            yield
        finally:
            self._rooms[network] -= 1

    async def _answer(self, asker: str, question_id: str) -> dict[str, Any]:
        """Wait until the row holds the answer; the caller's timeout ends it."""
        async with self._ear.joined(question_id) as news:
            while True:
                news.clear()
                async with self.database.unit_of_work(asker) as session:
                    answer = await repository.answer_of(session, question_id)
                if answer is not None:
                    return answer
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await news.wait()
