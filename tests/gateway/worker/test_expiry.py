"""Invoices that the clock moves: expired, final, and not a moment too early."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from sqlalchemy import insert, select, text

from gateway.db import CROSS_TENANT, Database
from gateway.invoices.expiry import BATCH, close_round, expire_round
from gateway.invoices.repository import locked
from gateway.models import (
    Currency,
    Deposit,
    Event,
    Invoice,
    InvoiceTimeline,
    Network,
    NetworkHealth,
    PaymentOption,
)
from gateway.settings import AssetSettings, NetworkSettings, Settings
from tests.conftest import FreshDatabase
from tests.gateway.worker.world import MERCHANT, World, eventually, world

pytestmark = pytest.mark.anyio

UNITS = 10**18
LAG_SECONDS = 300
NETWORK = NetworkSettings(
    family="ethereum", display_name="Ethereum", identity="31337", rpc_urls=["http://127.0.0.1:1"],
    assets=[AssetSettings(code="ETH", decimals=18)], test=True, lag_seconds_max=LAG_SECONDS,
)  # fmt: skip


@dataclass
class Shop:
    """Invoices on two networks, as the worker's role sees them."""

    world: World
    settings: Settings
    worker: Database

    async def expire(self) -> bool:
        """Run one round of expiry at the world's time."""
        return await expire_round(self.worker, self.settings, self.world.clock())

    async def close(self) -> bool:
        """Run one round of ending the monitoring."""
        return await close_round(self.worker, self.settings, self.world.clock())

    async def insert(self, model: Any, **values: Any) -> None:
        """Insert one row as the owner."""
        async with self.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(insert(model).values(**values))

    async def invoice(
        self,
        id_: str = "inv_1",
        *,
        minutes: int = -1,
        networks: tuple[str, ...] = ("ethereum",),
        address: str | None = "0xpay",
        **values: Any,
    ) -> None:
        """Write an invoice that expires `minutes` from now, payable on these networks."""
        at = self.world.clock().at
        row = {
            "id": id_, "merchant_id": MERCHANT, "livemode": False, "metadata_": {},
            "amount": Decimal(1), "currency": "ETH", "tolerance_basis_points": 50,
            "status": "pending", "exception": "none", "final": False,
            "created_at": at - timedelta(hours=1), "expires_at": at + timedelta(minutes=minutes),
            "monitoring_until": at + timedelta(days=7), **values,
        }  # fmt: skip
        await self.insert(Invoice, **row)
        for network in networks:
            await self.insert(
                PaymentOption, invoice_id=id_, currency_id=f"ETH-{network.upper()}",
                merchant_id=MERCHANT, network_id=network, amount_units=UNITS, rate=Decimal(1),
                rate_source="identity", rate_at=at, address=address,
            )  # fmt: skip

    async def deposit(self, units: int, *, invoice: str = "inv_1", **values: Any) -> None:
        """Write a deposit on time that is not final."""
        at = self.world.clock().at - timedelta(minutes=30)
        row = {
            "id": "dep_1", "network_id": "ethereum", "tx_hash": "0x1", "kind": "native",
            "ordinal": 0, "currency_id": "ETH-ETHEREUM", "units": units, "sender": "0xpayer",
            "address": "0xpay", "purpose": "invoice", "merchant_id": MERCHANT,
            "invoice_id": invoice, "status": "pending", "late": False, "block_height": 5,
            "block_hash": "0xb", "block_time": at, "detected_at": at, **values,
        }  # fmt: skip
        await self.insert(Deposit, **row)

    async def scanned(self, network: str = "ethereum", *, minutes: float = 0) -> None:
        """Publish that a network is scanned up to `minutes` from now."""
        await self.world.execute("DELETE FROM network_health WHERE network_id = :n", n=network)
        at = self.world.clock().at
        await self.insert(
            NetworkHealth, network_id=network, head_height=9, scanned_height=9, final_height=5,
            head_time=at + timedelta(minutes=minutes), trouble=None, updated_at=at,
        )  # fmt: skip

    async def standing(self, id_: str = "inv_1") -> tuple[str, str, bool]:
        """Return status, exception and final."""
        async with self.world.owner.unit_of_work(CROSS_TENANT) as session:
            row = await session.get_one(Invoice, id_)
            return row.status, row.exception, row.final

    async def events(self, id_: str = "inv_1") -> list[str]:
        """Return the event types of an invoice."""
        async with self.world.owner.unit_of_work(CROSS_TENANT) as session:
            query = select(Event.type).where(Event.subject == id_).order_by(Event.sequence)
            return list(await session.scalars(query))


@asynccontextmanager
async def shop(database: FreshDatabase) -> AsyncIterator[Shop]:
    """Open the world with two networks: ethereum and base."""
    async with world(database) as w:
        networks = {"ethereum": NETWORK, "base": NETWORK}
        settings = msgspec.structs.replace(w.settings, networks=networks)
        w.settings = settings
        worker = Database(database.url("worker"), pool_size=2)
        opened = Shop(w, settings, worker)
        for name in networks:
            await opened.insert(
                Network, id=name, family="ethereum", display_name=name, identity="31337",
                test=True, local=True, enabled=True,
            )  # fmt: skip
            await opened.insert(
                Currency, id=f"ETH-{name.upper()}", network_id=name, code="ETH", decimals=18,
                minimum_deposit_units=0, withdrawal_fee_units=0,
                automatic_approval_below_units=0, enabled=True,
            )  # fmt: skip
        try:
            yield opened
        finally:
            await worker.aclose()


async def test_an_unpaid_invoice_expires_with_its_event(database: FreshDatabase) -> None:
    """Status, a timeline step with a reason, one event; a second round adds nothing."""
    async with shop(database) as s:
        await s.invoice()
        await s.scanned()
        await s.expire()
        await s.expire()
        assert await s.standing() == ("expired", "none", False)
        assert await s.events() == ["invoice.expired"]
        async with s.world.owner.unit_of_work(CROSS_TENANT) as session:
            [step] = await session.scalars(select(InvoiceTimeline))
        assert (step.status, step.reason) == ("expired", "expired before it was paid")


async def test_an_invoice_does_not_expire_before_its_time(database: FreshDatabase) -> None:
    """A minute is left."""
    async with shop(database) as s:
        await s.invoice(minutes=1)
        await s.scanned(minutes=5)
        await s.expire()
        assert await s.standing() == ("pending", "none", False)


async def test_a_partly_paid_invoice_expires_as_such(database: FreshDatabase) -> None:
    """What was paid is told."""
    async with shop(database) as s:
        await s.invoice(exception="paid_partial")
        await s.deposit(UNITS // 2)
        await s.scanned()
        await s.expire()
        assert await s.standing() == ("expired", "paid_partial", False)


@pytest.mark.parametrize(
    ("head_minutes", "status"), [(None, "pending"), (-2, "pending"), (-0.5, "expired")]
)
async def test_a_lagging_network_holds_expiry_back(
    database: FreshDatabase, head_minutes: float | None, status: str
) -> None:
    """Until blocks younger than the expiry were scanned, a payment may still turn up."""
    async with shop(database) as s:
        await s.invoice()
        if head_minutes is not None:
            await s.scanned(minutes=head_minutes)
        await s.expire()
        assert (await s.standing())[0] == status


async def test_a_payment_in_a_block_that_was_scanned_late_wins(database: FreshDatabase) -> None:
    """The watcher catches up and records it; then there is nothing to expire."""
    async with shop(database) as s:
        await s.invoice()
        await s.scanned(minutes=-10)
        await s.expire()
        await s.deposit(UNITS)
        await s.world.execute("UPDATE invoice SET status = 'processing'")
        await s.scanned()
        await s.expire()
        assert await s.standing() == ("processing", "none", False)


async def test_patience_with_a_network_has_its_end(database: FreshDatabase) -> None:
    """After `lag_seconds_max` behind the expiry the invoice expires all the same."""
    async with shop(database) as s:
        await s.invoice()
        s.world.clock.put_forward(seconds=LAG_SECONDS - 70)
        await s.expire()
        assert (await s.standing())[0] == "pending"
        s.world.clock.put_forward(seconds=20)
        await s.expire()
        assert (await s.standing())[0] == "expired"


async def test_every_network_of_the_invoice_counts(database: FreshDatabase) -> None:
    """One that is scanned does not speak for one that is not; a disabled one does not count."""
    async with shop(database) as s:
        await s.invoice(networks=("ethereum", "base"))
        await s.scanned("ethereum")
        await s.expire()
        assert (await s.standing())[0] == "pending"
        await s.world.execute("UPDATE network SET enabled = false WHERE id = 'base'")
        await s.expire()
        assert (await s.standing())[0] == "expired"


async def test_a_method_without_address_cannot_hold_expiry_back(
    database: FreshDatabase,
) -> None:
    """Nobody can have paid there."""
    async with shop(database) as s:
        await s.invoice(address=None)
        await s.expire()
        assert (await s.standing())[0] == "expired"


async def test_lagging_invoices_do_not_hide_the_others(database: FreshDatabase) -> None:
    """A whole batch of them waits; the one on a healthy network expires."""
    async with shop(database) as s:
        for number in range(BATCH + 1):
            await s.invoice(f"inv_{number:03}", networks=("base",))
        await s.invoice("inv_zzz")
        await s.scanned("ethereum")
        await s.expire()
        assert (await s.standing("inv_zzz"))[0] == "expired"


async def test_a_batch_says_that_there_is_more(database: FreshDatabase) -> None:
    """One more than a batch takes two rounds."""
    async with shop(database) as s:
        for number in range(BATCH + 1):
            await s.invoice(f"inv_{number:03}", address=None)
        assert await s.expire()
        assert not await s.expire()
        async with s.world.owner.unit_of_work(CROSS_TENANT) as session:
            pending = text("SELECT count(*) FROM invoice WHERE status <> 'expired'")
            assert await session.scalar(pending) == 0


async def test_an_invoice_in_a_watchers_hands_is_left_alone(database: FreshDatabase) -> None:
    """Its row is locked: the next second is early enough."""
    async with shop(database) as s:
        await s.invoice()
        await s.scanned()
        async with s.world.owner.unit_of_work(CROSS_TENANT) as session:
            await locked(session, "inv_1")
            await s.expire()
            assert (await s.standing())[0] == "pending"
        await s.expire()
        assert (await s.standing())[0] == "expired"


@pytest.mark.parametrize("status", ["expired", "canceled", "invalid"])
async def test_the_end_of_monitoring_is_final(database: FreshDatabase, status: str) -> None:
    """Nothing more can come; no event, since nothing else changed."""
    async with shop(database) as s:
        await s.invoice(status=status)
        await s.close()
        assert await s.standing() == (status, "none", False)
        s.world.clock.put_forward(days=7)
        await s.close()
        assert await s.standing() == (status, "none", True)
        assert await s.events() == []


async def test_processing_does_not_end_by_time(database: FreshDatabase) -> None:
    """It waits for its deposit, however long that takes, and is in nobody's way meanwhile."""
    async with shop(database) as s:
        for number in range(BATCH):
            await s.invoice(f"inv_{number:03}", status="processing")
        await s.deposit(UNITS, invoice="inv_000")
        await s.invoice("inv_zzz", status="expired")
        s.world.clock.put_forward(days=8)
        assert not await s.close()
        await s.expire()
        assert await s.standing("inv_000") == ("processing", "none", False)
        assert await s.standing("inv_zzz") == ("expired", "none", True)


async def test_an_invoice_found_after_its_monitoring_expires_finally(
    database: FreshDatabase,
) -> None:
    """A worker that was away for a week does both at once."""
    async with shop(database) as s:
        await s.invoice()
        s.world.clock.put_forward(days=8)
        await s.expire()
        assert await s.standing() == ("expired", "none", True)


async def test_a_late_payment_that_became_payable_settles_at_the_end(
    database: FreshDatabase,
) -> None:
    """The worker may write every column that this judgement moves."""
    async with shop(database) as s:
        await s.invoice(status="expired")
        at = s.world.clock().at
        await s.deposit(UNITS, late=True, status="confirmed", block_time=at, confirmed_at=at)
        s.world.clock.put_forward(days=7)
        await s.close()
        assert await s.standing() == ("settled", "paid_late", True)
        assert await s.events() == ["invoice.paid_late"]


async def test_the_worker_expires_by_itself(database: FreshDatabase) -> None:
    """Within seconds, in the whole worker."""
    async with shop(database) as s:
        await s.invoice(address=None)
        async with s.world.working():
            await eventually(lambda: expired(s))


async def expired(s: Shop) -> bool:
    """Tell whether the invoice has expired."""
    return (await s.standing())[0] == "expired"
