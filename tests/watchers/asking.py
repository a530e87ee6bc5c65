"""The API beside a watcher, on the world's database."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field

import msgspec

from gateway.app import create_api
from gateway.db import Database
from gateway.settings import WithdrawalSettings
from tests.conftest import FreshDatabase
from tests.gateway.conftest import ETHEREUM, Clock, TestApi, client_of
from tests.watchers.explaining import explainer
from tests.watchers.world import NETWORK, World
from watchers import store
from watchers.desk.destinations import Destinations
from watchers.desk.questions import Answers
from watchers.destination import Finding, Prospect
from watchers.network import NodeUnavailable


@dataclass
class Inspected:
    """What a network is said to know of destinations; others are wallets, `dark` ones unknown."""

    found: Mapping[str, Finding] = field(default_factory=dict)
    dark: frozenset[str] = frozenset()
    slow: frozenset[str] = frozenset()
    asked: list[Prospect] = field(default_factory=list)

    async def inspect(self, prospect: Prospect) -> Finding:
        """Answer by address."""
        self.asked.append(prospect)
        if prospect.destination in self.dark:
            raise NodeUnavailable("the fake node is down")
        if prospect.destination in self.slow:
            await asyncio.Event().wait()
        return self.found.get(prospect.destination, Finding("wallet"))


async def answers(w: World, inspected: Inspected | None = None) -> Answers:
    """Return what answers questions about the world's network."""
    async with w.owner.unit_of_work(None) as session:
        currencies = await store.currencies_of(session, NETWORK)
    looked = Destinations(NETWORK, w.database, inspected or Inspected(), currencies, 0.5)
    return Answers(NETWORK, w.database, explainer(w), looked)


@asynccontextmanager
async def answering(w: World, inspected: Inspected | None = None) -> AsyncIterator[Answers]:
    """Let the watcher answer."""
    made = await answers(w, inspected)
    task = asyncio.create_task(made.serve())
    try:
        yield made
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def asking(
    database: FreshDatabase, w: World, *, unchecked: bool = False
) -> AsyncIterator[TestApi]:
    """Serve the API on the world's database."""
    settings = msgspec.structs.replace(
        database.settings,
        networks={NETWORK: ETHEREUM},
        withdrawals=WithdrawalSettings(unchecked=unchecked),
    )
    async with aclosing(Database(database.url("api"), pool_size=8)) as as_api:
        made = create_api(settings, as_api, clock := Clock())
        async with client_of(made) as client:
            yield TestApi(made, client, settings, as_api, w.owner, clock)
