"""One watcher's life: identity, wallets, cursor, lease, then its loops until told to stop.

Trouble in the world (a node, the keystore, the database) is waited out and published; anything
else is a bug and ends the process, which systemd starts again.
"""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field

import structlog

from gateway.db import CROSS_TENANT
from watchers import health, pool, store
from watchers.assets.checks import EVERY_SECONDS
from watchers.clock import now
from watchers.health import Health
from watchers.lease import RENEWAL_SECONDS, Lease
from watchers.loops import Loops, Work
from watchers.outgoing import Outgoing
from watchers.parts import Parts
from watchers.quotes import QUOTE_SECONDS
from watchers.reconcile.reconciler import Reconciler
from watchers.scan.scanner import Scanner
from watchers.scan.start import begin_behind
from watchers.store import Position
from watchers.sweep import rounds

PUBLISH_SECONDS = 2.0
BALANCES_SECONDS = 5.0
DESK_SECONDS = 1.0
SIMULATION_SECONDS = 0.5

log = structlog.get_logger()


@dataclass(slots=True)
class Watcher:
    """One network's process."""

    parts: Parts
    health: Health = field(default_factory=Health)

    async def run(self) -> None:
        """Prepare, take the lease, and watch until cancelled."""
        parts, loops = self.parts, Loops(self.parts.name, self.health)
        lease = Lease(parts.name, parts.database, loops)
        await loops.patiently("identity", parts.chain.reader.check_identity)
        await loops.patiently("wallets", self._register)
        await loops.patiently("cursor", self._ensure_cursor)
        # Ten million addresses take longer to read than a lease lasts; the rest is read under it.
        await loops.patiently("addresses", self._load_addresses)
        position = await lease.take()
        try:
            await loops.patiently("addresses", self._load_addresses)
            await loops.patiently("pool", parts.pool(position).recover)
            # What needs a person must not be begun before we know that it does.
            await loops.patiently("policy", parts.policies().round)
            log.info(
                "watching",
                network=parts.name,
                height=position.height,
                epoch=position.epoch,
                addresses=parts.book.count,
            )
            await self._watch(position, loops, lease)
        finally:
            await lease.release(position)

    async def _watch(self, position: Position, loops: Loops, lease: Lease) -> None:
        scanner = self.parts.scanner(position)

        async def publish() -> None:
            trouble = self.health.trouble or scanner.waiting
            self.health.say(health.SETTLE, scanner.unsettled)
            others = self.health.others()
            await health.publish(
                self.parts.database, scanner.position, scanner.tip, trouble, others
            )

        async def renew() -> None:
            await lease.renew(position)

        async def answer() -> None:
            await self.parts.answers().serve(lambda: loops.recover("questions"))

        work = self._work(position, scanner)
        work["health"] = (publish, PUBLISH_SECONDS)
        work["lease"] = (renew, RENEWAL_SECONDS)
        work["questions"] = (answer, self.parts.network.poll_milliseconds / 1000)
        async with aclosing(scanner), asyncio.TaskGroup() as tasks:
            for name, (done, pause) in work.items():
                tasks.create_task(loops.repeat(name, done, pause))

    def _work(self, position: Position, scanner: Scanner) -> dict[str, tuple[Work, float]]:
        """Return what is repeated under the lease, and after how many seconds."""
        parts, network = self.parts, self.parts.network
        poll = network.poll_milliseconds / 1000
        outgoing = Outgoing(
            scanner, parts.payouts(position), parts.sweeping(position), network.sweep
        )
        credits_ = parts.credits(position)
        credits_.history_known = outgoing.history_known
        compare = Reconciler(credits_, network.reconcile_seconds)

        async def reconcile() -> bool:
            return scanner.may_pay and await compare.round()

        work: dict[str, tuple[Work, float]] = {
            "scan": (scanner.step, poll),
            "payouts": (outgoing.pay, poll),
            "sweeps": (outgoing.sweep, poll),
            "pool": (parts.pool(position).round, poll),
            "lanes": (parts.lanes(position).round, poll),
            "reconcile": (reconcile, poll),
            "signatures": (parts.signatures().round, network.reconcile_seconds),
            "assets": (parts.assets().round, EVERY_SECONDS),
            "balances": (self._balances, BALANCES_SECONDS),
            "desk": (parts.decisions(position).round, DESK_SECONDS),
            "policy": (parts.policies().round, PUBLISH_SECONDS),
            "orders": (parts.orders(position).round, DESK_SECONDS),
            "quotes": (parts.quotes().round, QUOTE_SECONDS),
        }
        if network.test and network.local:
            work["simulations"] = (parts.player(position), SIMULATION_SECONDS)
        return work

    async def _register(self) -> None:
        parts = self.parts
        await pool.register_wallets(
            parts.name,
            parts.chain,
            parts.database,
            parts.keystore,
            lanes=parts.network.nonce_lanes,
        )
        await rounds.register_cold(parts.name, parts.network, parts.database)

    async def _ensure_cursor(self) -> None:
        parts = self.parts
        async with parts.database.unit_of_work(CROSS_TENANT) as session:
            if await store.has_cursor(session, parts.name):
                return
        start = await begin_behind(parts.chain.reader, parts.network.start_height)
        async with parts.database.unit_of_work(CROSS_TENANT) as session:
            await store.create_cursor(session, parts.name, start, now())

    async def _load_addresses(self) -> None:
        async with self.parts.database.unit_of_work(CROSS_TENANT) as session:
            await self.parts.book.load(session, self.parts.name)

    async def _balances(self) -> None:
        parts = self.parts
        await pool.publish_balances(parts.name, parts.chain, parts.database, parts.currencies)
