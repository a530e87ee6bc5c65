"""One watcher's life: identity, wallets, cursor, lease, then its loops until told to stop.

Trouble in the world (a node, the keystore, the database) is waited out and published; anything
else is a bug and ends the process, which systemd starts again.
"""

import asyncio
import importlib
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

import structlog
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.db import CROSS_TENANT, Database
from gateway.domain.money import to_units
from gateway.models import Currency
from gateway.settings import NetworkSettings, Settings
from keystore.client import KeystoreClient, KeystoreRefused, KeystoreUnavailable
from watchers import health, pool, store
from watchers.addresses import AddressBook
from watchers.assets.checks import EVERY_SECONDS, AssetChecks
from watchers.chain import Chain
from watchers.clock import now
from watchers.desk.decisions import Decisions
from watchers.desk.destinations import Destinations
from watchers.desk.questions import Answers
from watchers.explain.explainer import Explainer
from watchers.families import (
    asset_inspector,
    balance_readers,
    destination_inspector,
    fee_quoter,
    locator,
    sweep_hands,
)
from watchers.health import Health
from watchers.network import ChainReader, Incomplete, NodeUnavailable, Refused
from watchers.outgoing import Outgoing
from watchers.pay import lanes, payouts
from watchers.pay.adoption import looked_up
from watchers.pay.orders import Orders
from watchers.policy import Policies
from watchers.providers.witness import Witness
from watchers.quotes import QUOTE_SECONDS, Quotes
from watchers.reconcile.credit import Credits
from watchers.reconcile.reconciler import Reconciler
from watchers.scan.evidence import large_units
from watchers.scan.reorg import FinalityBroken
from watchers.scan.scanner import Scanner
from watchers.store import Position
from watchers.sweep import keeper, rounds

TROUBLE = (
    NodeUnavailable,
    Incomplete,
    Refused,
    KeystoreUnavailable,
    KeystoreRefused,
    OperationalError,
    InterfaceError,
    InternalError,
    PoolTimeout,
    FinalityBroken,
    ConnectionError,
)
PAUSE_SECONDS_MAX = 10.0
PUBLISH_SECONDS = 2.0
BALANCES_SECONDS = 5.0
DESK_SECONDS = 1.0
SIMULATION_SECONDS = 0.5
LEASE_SECONDS = 1.0
LEASE_RENEWAL_SECONDS = 2.0
PATIENCE = 4

log = structlog.get_logger()


@dataclass(slots=True)
class Watcher:
    """Everything that one network's process holds."""

    name: str
    settings: Settings
    network: NetworkSettings
    chain: Chain
    currencies: Sequence[Currency]
    database: Database
    keystore: KeystoreClient
    book: AddressBook = field(init=False)
    health: Health = field(default_factory=Health)

    def __post_init__(self) -> None:
        self.book = AddressBook(self.settings.keystore.pool_public_key)

    async def run(self) -> None:
        """Prepare, take the lease, and watch until cancelled."""
        await self._patiently("identity", self.chain.reader.check_identity)
        await self._patiently("wallets", self._register)
        await self._patiently("cursor", self._ensure_cursor)
        # Ten million addresses take longer to read than a lease lasts; the rest is read under it.
        await self._patiently("addresses", self._load_addresses)
        position = await self._lease()
        try:
            await self._patiently("addresses", self._load_addresses)
            await self._patiently("pool", self._pool(position).recover)
            # What needs a person must not be begun before we know that it does.
            await self._patiently("policy", self._policies().round)
            log.info(
                "watching",
                network=self.name,
                height=position.height,
                epoch=position.epoch,
                addresses=self.book.count,
            )
            await self._loops(position)
        finally:
            await self._release(position)

    def _pool(self, position: Position) -> pool.Pool:
        return pool.Pool(
            self.name, self.network, self.database, self.keystore, self.book, position
        )

    async def _loops(self, position: Position) -> None:
        scanner = self._scanner(position)
        refill = self._pool(position)
        payer = payouts.Payouts(
            self.name,
            self.network,
            self.chain,
            self.database,
            self.keystore,
            position,
            locate=partial(looked_up, locator(self.network.family).locate, self._nodes()),
        )
        lane = lanes.Lanes(
            self.name, self.chain, self.database, position, self.network.nonce_lanes
        )
        inspector = asset_inspector(self.network, self.chain.endpoints)
        assets = AssetChecks(self.name, self.network, inspector, self.database, self.currencies)
        public_url = self.settings.api.public_url
        decisions = Decisions(self.name, self.database, position, public_url)
        asked = Orders(self.name, self.network, self.database, position)
        poll = self.network.poll_milliseconds / 1000

        outgoing = Outgoing(scanner, payer, self._sweeping(position), self.network.sweep)
        credits_ = self._credits(position)
        credits_.history_known = outgoing.history_known
        compare = Reconciler(credits_, self.network.reconcile_seconds)

        async def reconcile() -> bool:
            return scanner.may_pay and await compare.round()

        async with aclosing(scanner), asyncio.TaskGroup() as tasks:
            tasks.create_task(self._repeat("scan", scanner.step, poll))
            tasks.create_task(self._repeat("payouts", outgoing.pay, poll))
            tasks.create_task(self._repeat("sweeps", outgoing.sweep, poll))
            tasks.create_task(self._repeat("pool", refill.round, poll))
            tasks.create_task(self._repeat("lanes", lane.round, poll))
            tasks.create_task(self._repeat("reconcile", reconcile, poll))
            tasks.create_task(self._repeat("assets", assets.round, EVERY_SECONDS))
            tasks.create_task(
                self._repeat("health", lambda: self._publish(scanner), PUBLISH_SECONDS)
            )
            tasks.create_task(
                self._repeat("lease", lambda: self._renew(position), LEASE_RENEWAL_SECONDS)
            )
            tasks.create_task(self._repeat("balances", self._balances, BALANCES_SECONDS))
            tasks.create_task(self._repeat("desk", decisions.round, DESK_SECONDS))
            tasks.create_task(self._repeat("policy", self._policies().round, PUBLISH_SECONDS))
            tasks.create_task(self._repeat("orders", asked.round, DESK_SECONDS))
            tasks.create_task(self._repeat("quotes", self._quotes().round, QUOTE_SECONDS))
            tasks.create_task(self._repeat("questions", self._answers().serve, poll))
            if self.network.test and self.network.local:
                tasks.create_task(
                    self._repeat("simulations", self._player(position), SIMULATION_SECONDS)
                )

    def _player(self, position: Position) -> Callable[[], Awaitable[object]]:
        # Loaded here and not above: where money is real this code is not even in the process.
        loading = importlib.import_module("watchers.simulate.loading")
        player = loading.player(
            self.name,
            self.network,
            self.chain,
            self.database,
            position=position,
            public_url=self.settings.api.public_url,
        )
        round_: Callable[[], Awaitable[object]] = player.round
        return round_

    def _scanner(self, position: Position) -> Scanner:
        return Scanner(
            self.chain.reader,
            self.database,
            self.currencies,
            self.book,
            position,
            self.settings.api.public_url,
            dense=self.chain.dense,
            switches=lambda: self.chain.endpoints.switches,
            witnesses=self.chain.witnesses,
            quorum=self.network.witnesses_needed,
            quorum_above=large_units(self.network, self.currencies),
            locate=locator(self.network.family).locate,
        )

    def _policies(self) -> Policies:
        return Policies(self.name, self.database, self.keystore)

    def _nodes(self) -> Sequence[ChainReader]:
        """Return a reader of each node."""
        readers = [
            each.reader if isinstance(each, Witness) else each
            for each in self.chain.witnesses.values()
        ]
        return readers or [self.chain.reader]

    def _quotes(self) -> Quotes:
        native = next(each for each in self.currencies if each.contract is None)
        ceiling = to_units(self.network.fee_ceiling, native.decimals)
        quoter = fee_quoter(self.network, self.chain.endpoints)
        return Quotes(self.name, self.database, quoter, self.currencies, ceiling)

    def _answers(self) -> Answers:
        public_key = self.settings.keystore.pool_public_key
        family = locator(self.network.family)
        explainer = Explainer(self.name, self.chain, family, self.database, public_key)
        inspector = destination_inspector(self.network, self.chain.endpoints)
        looked = Destinations(self.name, self.database, inspector, self.currencies)
        return Answers(self.name, self.database, explainer, looked)

    def _sweeping(self, position: Position) -> rounds.Sweeping:
        # Follows the house's transactions also where no new ones are begun.
        keeper.register(self.settings.api.public_url)
        return rounds.compose(
            self.name,
            self.network,
            self.chain,
            self.currencies,
            sweep_hands(self.name, self.network, self.chain.endpoints),
            database=self.database,
            position=position,
            public_key=self.settings.keystore.pool_public_key,
            fee_is_alone=balance_readers(self.network, self.chain.endpoints).fee_is_alone,
        )

    def _credits(self, position: Position) -> Credits:
        balances = balance_readers(self.network, self.chain.endpoints)
        return Credits(
            self.name,
            balances,
            balances.nodes,
            self.network.witnesses_needed,
            self.database,
            self.currencies,
            self.book,
            position,
            self.settings.api.public_url,
            large_units(self.network, self.currencies),
        )

    async def _repeat(
        self, name: str, work: Callable[[], Awaitable[object]], pause: float
    ) -> None:
        """Repeat work; a true answer means that there is more right away."""
        failures = 0
        while True:
            try:
                more = await work()
            except TROUBLE as trouble:
                failures += 1
                # A block that is not whole yet is the daily life of a node at its head.
                if failures >= PATIENCE or not isinstance(trouble, Incomplete):
                    self._report(name, trouble)
                await asyncio.sleep(min(PAUSE_SECONDS_MAX, pause * 2 ** min(failures, 6)))
                continue
            if failures and name == "scan" and self.health.recover():
                log.info("recovered", network=self.name, task=name)
            failures = 0
            if not more:
                await asyncio.sleep(pause)

    def _report(self, name: str, trouble: BaseException) -> None:
        reason = f"{name}: {trouble or type(trouble).__name__}".splitlines()[0][:300]
        news = self.health.fail(reason) if name == "scan" else True
        if news:
            log.warning("waiting", network=self.name, task=name, reason=reason)

    async def _patiently(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Do one step of the start, waiting out trouble."""
        pause = 0.2
        while True:
            try:
                await work()
            except TROUBLE as trouble:
                self._report(name, trouble)
                await asyncio.sleep(pause)
                pause = min(PAUSE_SECONDS_MAX, pause * 2)
                continue
            return

    async def _register(self) -> None:
        lanes_wanted = self.network.nonce_lanes
        await pool.register_wallets(
            self.name, self.chain, self.database, self.keystore, lanes=lanes_wanted
        )
        await rounds.register_cold(self.name, self.network, self.database)

    async def _ensure_cursor(self) -> None:
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            if await store.has_cursor(session, self.name):
                return
        height = self.network.start_height
        if height is None:
            height = (await self.chain.reader.tip()).final
        start = (await self.chain.reader.read(height)).ref
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.create_cursor(session, self.name, start, now())

    async def _lease(self) -> Position:
        """Wait until this network is ours alone."""
        holder = f"{socket.gethostname()}:{os.getpid()}"
        waiting = False
        while True:
            try:
                async with self.database.unit_of_work(CROSS_TENANT) as session:
                    position = await store.take_lease(session, self.name, holder, now())
            except TROUBLE as trouble:
                self._report("lease", trouble)
                position = None
            if position is not None:
                return position
            if not waiting:
                log.info("another watcher holds the lease", network=self.name)
                waiting = True
            await asyncio.sleep(LEASE_SECONDS)

    async def _renew(self, position: Position) -> None:
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.renew_lease(session, position, now().at)

    async def _release(self, position: Position) -> None:
        try:
            async with self.database.unit_of_work(CROSS_TENANT) as session:
                await store.release_lease(session, position)
        except (DBAPIError, OSError) as trouble:
            log.warning("lease kept until it runs out", network=self.name, cause=str(trouble))

    async def _load_addresses(self) -> None:
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await self.book.load(session, self.name)

    async def _publish(self, scanner: Scanner) -> None:
        trouble = self.health.trouble or scanner.waiting
        await health.publish(self.database, scanner.position, scanner.tip, trouble)

    async def _balances(self) -> None:
        await pool.publish_balances(self.name, self.chain, self.database, self.currencies)
