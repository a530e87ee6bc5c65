"""Plays what test keys ask for: one payment after the other, on this network's own chain.

The database has checked that each is about a test invoice on a local network; this side checks
its own configuration. What was being played when a watcher stopped has failed.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import func, select, update

from gateway.db import CROSS_TENANT, Database
from gateway.invoices import repository as invoices
from gateway.invoices.standing import reconsider
from gateway.models import Deposit, Simulation
from gateway.settings import NetworkSettings
from watchers import store
from watchers.chain import asset_of
from watchers.clock import now
from watchers.network import ChainReader, Incomplete, NodeUnavailable, Refused
from watchers.simulate.due import due_of
from watchers.simulate.faucet import Faucet, FaucetFault, Paid
from watchers.simulate.plan import units_to_pay
from watchers.store import Position

SEEN_SECONDS_MAX = 60.0
LOOK_SECONDS = 0.1
HOLD_SECONDS = 10.0
"""How long no block comes while a slow confirmation is played."""
LATE = timedelta(seconds=2)
"""How long ago the time of a late invoice is over."""
FINAL_ROUNDS_MAX = 40

log = structlog.get_logger()


@dataclass(slots=True)
class Player:
    """One network's player; refuses to exist where money may be real."""

    network: str
    settings: NetworkSettings
    faucet: Faucet
    reader: ChainReader
    database: Database
    position: Position
    public_url: str
    hold_seconds: float = HOLD_SECONDS
    _fresh: bool = True

    def __post_init__(self) -> None:
        if not (self.settings.test and self.settings.local):
            raise ValueError(f"{self.network} is not a local test network")

    async def round(self) -> bool:
        """Play the oldest request; tell whether there was one."""
        if self._fresh:
            await self._give_up_old()
            self._fresh = False
        wanted = await self._claim()
        if wanted is None:
            return False
        try:
            paid = await self._play(wanted)
        except (FaucetFault, NodeUnavailable, Incomplete, Refused, ValueError) as fault:
            reason = str(fault).splitlines()[0][:300] if str(fault) else type(fault).__name__
            await self._end(wanted, "failed", reason=reason)
        else:
            await self._end(wanted, "done", tx_hash=paid.tx_hash)
        return True

    async def _give_up_old(self) -> None:
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            await session.execute(
                update(Simulation)
                .where(Simulation.network_id == self.network, Simulation.status == "running")
                .values(status="failed", reason="the watcher stopped", ended_at=func.now())
            )

    async def _claim(self) -> Simulation | None:
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            query = (
                select(Simulation)
                .where(
                    Simulation.network_id == self.network,
                    Simulation.status == "pending",
                    Simulation.expires_at > func.now(),
                )
                .order_by(Simulation.created_at)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            wanted = (await session.scalars(query)).one_or_none()
            if wanted is not None:
                wanted.status = "running"
        return wanted

    async def _end(
        self,
        wanted: Simulation,
        status: str,
        *,
        reason: str | None = None,
        tx_hash: str | None = None,
    ) -> None:
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                update(Simulation)
                .where(Simulation.id == wanted.id, Simulation.status == "running")
                .values(status=status, reason=reason, tx_hash=tx_hash, ended_at=func.now())
            )
        log.info(
            "simulated",
            network=self.network,
            simulation=wanted.id,
            case=wanted.scenario,
            status=status,
            reason=reason,
        )

    async def _play(self, wanted: Simulation) -> Paid:
        if wanted.scenario == "late":
            await self._make_late(wanted.invoice_id)
        if wanted.scenario in {"reorg", "slow_confirm"}:
            return await self._held(wanted)
        paid = await self._pay(wanted)
        await self._bury(paid.height)
        return paid

    async def _held(self, wanted: Simulation) -> Paid:
        """Pay while the chain stands still, so that the payment cannot become final meanwhile."""
        await self.faucet.pause()
        try:
            paid = await self._pay(wanted)
            await self._seen(paid.tx_hash)
            if wanted.scenario == "reorg":
                await self.faucet.drop(paid.height)
                await self.faucet.mine(1)
            else:
                await asyncio.sleep(self.hold_seconds)
        finally:
            await self.faucet.resume()
        if wanted.scenario == "slow_confirm":
            await self._bury(paid.height)
        return paid

    async def _pay(self, wanted: Simulation) -> Paid:
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            invoice = await invoices.locked(session, wanted.invoice_id)
            options = (await invoices.options_of(session, [invoice.id]))[invoice.id]
            chosen = next(each for each in options if each.currency.id == wanted.currency_id)
            late = wanted.scenario == "late"
            due = await due_of(session, invoice, wanted.currency_id, late=late)
        if chosen.row.address is None:
            raise ValueError("the invoice has no address for this payment method")
        units = units_to_pay(
            wanted.scenario,
            due,
            minimum=chosen.currency.minimum_deposit_units,
            decimals=chosen.currency.decimals,
        )
        return await self.faucet.pay(chosen.row.address, units, asset_of(chosen.currency))

    async def _make_late(self, invoice_id: str) -> None:
        """Let the invoice's time be over, as it would be by the clock, and by the chain's own."""
        moment = now()
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            invoice = await invoices.locked(session, invoice_id)
            end = max(invoice.created_at, moment.at - LATE)
            if await session.scalar(select(func.end_test_invoice(invoice_id, end))):
                await session.refresh(invoice)
                await reconsider(
                    session,
                    invoice,
                    moment,
                    reason="its time was ended for a simulation",
                    public_url=self.public_url,
                )
        await self._past(invoice.expires_at)

    async def _past(self, at: datetime) -> None:
        """Wait until the newest block is younger: a chain that forked may be behind our clock."""
        try:
            async with asyncio.timeout(SEEN_SECONDS_MAX):
                while True:
                    with suppress(Incomplete):
                        newest = await self.reader.read((await self.reader.tip()).head)
                        if newest.ref.time > at:
                            return
                    await self.faucet.mine(1)
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError as behind:
            raise FaucetFault("the chain's clock stands still") from behind

    async def _seen(self, tx_hash: str) -> None:
        """Wait until our own scan has written the payment down."""
        query = select(Deposit.id).where(
            Deposit.network_id == self.network, Deposit.tx_hash == tx_hash
        )
        try:
            async with asyncio.timeout(SEEN_SECONDS_MAX):
                while True:
                    async with self.database.unit_of_work(CROSS_TENANT) as session:
                        if (await session.scalars(query)).first() is not None:
                            return
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError as late:
            raise FaucetFault(f"{tx_hash} was paid and not seen in time") from late

    async def _bury(self, height: int) -> None:
        """Have blocks made until the payment's one is final."""
        for _ in range(FINAL_ROUNDS_MAX):
            missing = height - (await self.reader.tip()).final
            if missing <= 0:
                return
            await self.faucet.mine(missing)
        raise FaucetFault("the payment does not become final")
