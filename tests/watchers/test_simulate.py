"""Played payments on real local chains: every case through the same scan as real money."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from sqlalchemy import delete, func, insert, select, update

from devnet import surfpool
from devnet.system.waiting import until
from gateway.db import CROSS_TENANT, Database
from gateway.models import (
    AddressPool,
    Deposit,
    FreeAddress,
    Invoice,
    PaymentOption,
    PriceHistory,
    Simulation,
)
from gateway.settings import AssetSettings, NetworkSettings
from tests.conftest import FreshDatabase
from tests.watchers.real_world import RealWorld, _world, ethereum_world, tron_world
from tests.watchers.world import ETH, NETWORK, PUBLIC_URL, USDC
from watchers.families import FAMILIES, connect
from watchers.network import Incomplete
from watchers.networks.ethereum.faucet import faucet as anvil_faucet
from watchers.networks.solana.accounts import TOKEN_PROGRAM
from watchers.networks.solana.faucet import faucet as solana_faucet
from watchers.networks.solana.reader import SolanaReader
from watchers.networks.tron.faucet import faucet as tron_faucet
from watchers.rpc import Endpoints, JsonRpc
from watchers.scan.reorg import Hysteresis
from watchers.scan.scanner import Scanner
from watchers.simulate import loading
from watchers.simulate.faucet import Faucet
from watchers.simulate.player import Player
from watchers.store import Position

pytestmark = [pytest.mark.anyio, pytest.mark.chain]

LOCAL = NetworkSettings(
    family="ethereum",
    display_name="Chain",
    identity="31337",
    rpc_urls=["http://127.0.0.1:1"],
    assets=[AssetSettings(code="ETH", decimals=18)],
    test=True,
    local=True,
)


def player_of(w: RealWorld, faucet: Faucet, settings: NetworkSettings = LOCAL) -> Player:
    """Return a player that holds the chain for a moment only."""
    return Player(
        NETWORK,
        settings,
        faucet,
        w.reader,
        w.database,
        w.scanner.position,
        PUBLIC_URL,
        hold_seconds=0.2,
    )


@asynccontextmanager
async def scanning(w: RealWorld) -> AsyncIterator[None]:
    """Scan beside the test, as a watcher does."""

    async def scan() -> None:
        while True:
            with suppress(Incomplete):
                if await w.scanner.step():
                    continue
            await asyncio.sleep(0.02)

    task = asyncio.create_task(scan())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def invoice(w: RealWorld, place: int, units: int = 10**18) -> str:
    """Give a pool address to an invoice of 3000 USD, payable in both coins."""
    name, at = f"inv_{place}x", datetime.now(UTC)
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(
            insert(Invoice).values(
                id=name, merchant_id="mer_1", livemode=False, metadata_={}, amount=Decimal(3000),
                currency="USD", tolerance_basis_points=50, status="pending", exception="none",
                final=False, created_at=at - timedelta(minutes=1), expires_at=at + timedelta(hours=1),
                monitoring_until=at + timedelta(days=1),
            )
        )  # fmt: skip
        for currency, due in ((ETH, units), (USDC, 3000 * 10**6)):
            await session.execute(
                insert(PaymentOption).values(
                    invoice_id=name, currency_id=currency, merchant_id="mer_1", network_id=NETWORK,
                    amount_units=due, rate=Decimal(1), rate_source="test", rate_at=at,
                    address=w.pool[place], address_index=place, address_path="m",
                    address_signature=b"-", activated_at=at,
                )
            )  # fmt: skip
        pool = AddressPool.address == w.pool[place]
        found = await session.scalar(
            update(AddressPool)
            .where(pool)
            .values(status="ASSIGNED", invoice_id=name, merchant_id="mer_1")
            .returning(AddressPool.id)
        )
        await session.execute(delete(FreeAddress).where(FreeAddress.address_id == found))
    return name


async def play(
    w: RealWorld,
    player: Player,
    place: int,
    scenario: str,
    currency: str = ETH,
    *,
    relocked: int | None = None,
    **of: int,
) -> Simulation:
    """Play one case to an invoice of its own until it stands where it has to.

    With `relocked` its rate was locked anew a moment ago, so that this is the whole of it.
    """
    name = await invoice(w, place, **of)
    if relocked is not None:
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                update(PaymentOption)
                .where(PaymentOption.invoice_id == name, PaymentOption.currency_id == currency)
                .values(amount_units=relocked, rate_at=datetime.now(UTC))
            )
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(
            insert(Simulation).values(
                id=f"sim_{place}", merchant_id="mer_1", invoice_id=name, network_id=NETWORK,
                currency_id=currency, scenario=scenario, created_by="key_1",
            )
        )  # fmt: skip
    assert await player.round()
    assert not await player.round()

    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        simulation = await session.get_one(Simulation, f"sim_{place}")

    async def judged() -> Invoice | None:
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            found = await session.get_one(Invoice, name)
            query = select(Deposit).where(Deposit.invoice_id == name)
            deposits = (await session.scalars(query)).all()
        standing = (found.status, found.exception, found.final)
        expected = "reorged" if scenario == "reorg" else "confirmed"
        counted = [each.status for each in deposits] == [expected]
        return found if counted and standing == STANDINGS[scenario] else None

    if simulation.status == "done":
        await until(judged, f"{scenario} to be judged", seconds_max=30)
    return simulation


async def price(w: RealWorld, units: int = 10**18) -> None:
    """Let that much of ETH be worth 3000 USD now."""
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(
            insert(PriceHistory).values(
                code="ETH", quote="USD", source="test", price=Decimal(3000 * 10**18 // units),
                agreed=True,
                at=datetime.now(UTC) - timedelta(seconds=30),
            )
        )  # fmt: skip


STANDINGS = {
    "paid": ("settled", "none", True),
    "partial": ("pending", "paid_partial", False),
    "over": ("settled", "paid_over", True),
    "late": ("settled", "paid_late", True),
    "reorg": ("pending", "none", False),
    "slow_confirm": ("settled", "none", True),
}


async def test_every_case_on_anvil(database: FreshDatabase) -> None:
    """Each leads to where the same would lead with real money, by the same steps."""
    async with ethereum_world(database) as w:
        endpoints = Endpoints([w.chain.url])
        player = player_of(w, anvil_faucet(LOCAL, endpoints))
        await price(w)
        async with scanning(w):
            for place, scenario in enumerate(STANDINGS, start=1):
                simulation = await play(w, player, place, scenario)
                assert simulation.status == "done", simulation.reason
            simulation = await play(w, player, 7, "paid", USDC)
            assert simulation.status == "done", simulation.reason
            simulation = await play(w, player, 8, "partial", units=1)
            assert (simulation.status, simulation.reason) == (
                "failed",
                "the amount is too small to be paid in part",
            )
            relocked = (("partial", 2 * 10**18), ("over", 5 * 10**17), ("paid", 2 * 10**18))
            for place, (scenario, units) in enumerate(relocked, start=9):
                simulation = await play(w, player, place, scenario, relocked=units)
                assert simulation.status == "done", simulation.reason
            # A chain that forked is behind our clock.
            behind = int(datetime.now(UTC).timestamp()) - 4
            await JsonRpc(endpoints).call("evm_setTime", [behind], int)
            await player.faucet.mine(1)
            simulation = await play(w, player, 12, "late", units=5 * 10**17)
            assert simulation.status == "done", simulation.reason
        assert await w.events("inv_4x") == [
            "invoice.expired",
            "invoice.payment_detected",
            "invoice.payment_confirmed",
            "invoice.paid_late",
        ]
        [gone] = [each for each in await w.deposits() if each.invoice_id == "inv_5x"]
        assert gone.status == "reorged"
        assert await w.events(gone.id) == ["deposit.detected", "deposit.reorged"]
        await endpoints.aclose()


async def test_every_case_on_the_tron_emulator(database: FreshDatabase) -> None:
    """The coin and the token, from the emulator's payer."""
    async with tron_world(database) as w:
        endpoints = Endpoints([w.chain.url])
        player = player_of(w, tron_faucet(LOCAL, endpoints))
        await price(w, 5 * 10**6)
        async with scanning(w):
            for place, scenario in enumerate(STANDINGS, start=1):
                currency = USDC if scenario in {"partial", "slow_confirm"} else ETH
                simulation = await play(w, player, place, scenario, currency, units=5 * 10**6)
                assert simulation.status == "done", simulation.reason
        await endpoints.aclose()


async def test_what_surfpool_can_play(database: FreshDatabase) -> None:
    """The coin and the token, from keys that were given both; what it cannot do, it says."""
    async with surfpool.running(slot_ms=50) as chain:
        endpoints = Endpoints([chain.url])
        tokens = {chain.token: TOKEN_PROGRAM}
        reader = SolanaReader(JsonRpc(endpoints), chain.identity, tokens)
        async with _world(database, chain, reader) as w:  # type: ignore[arg-type]
            old = w.scanner
            w.scanner = Scanner(
                reader, w.database, old.currencies, old.book, old.position, PUBLIC_URL,
                dense=False, hysteresis=Hysteresis(seconds=0),
            )  # fmt: skip
            token = AssetSettings(
                code="USDC", decimals=6, contract=chain.token, token_program=TOKEN_PROGRAM
            )
            settings = msgspec.structs.replace(LOCAL, family="solana", assets=[token])
            player = player_of(w, solana_faucet(settings, endpoints), settings)
            await price(w, 5 * 10**8)
            async with scanning(w):
                for place, (scenario, currency) in enumerate(
                    (("paid", USDC), ("partial", ETH), ("over", USDC), ("late", ETH)), start=1
                ):
                    simulation = await play(
                        w, player, place, scenario, currency, units=5 * 10**8
                    )
                    assert simulation.status == "done", simulation.reason
                simulation = await play(w, player, 5, "reorg", units=5 * 10**8)
                assert (simulation.status, simulation.reason) == (
                    "failed",
                    "Surfpool does not stop",
                )
            await w.scanner.aclose()
        await endpoints.aclose()


async def test_what_was_being_played_when_a_watcher_stopped_has_failed(
    database: FreshDatabase,
) -> None:
    """It is not played again: nobody knows how far it came; what waited too long is not begun."""
    async with ethereum_world(database) as w:
        endpoints = Endpoints([w.chain.url])
        player = player_of(w, anvil_faucet(LOCAL, endpoints))
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            for place, status in enumerate(("running", "pending")):
                await session.execute(
                    insert(Simulation).values(
                        id=f"sim_{place}", merchant_id="mer_1", invoice_id="inv_1",
                        network_id=NETWORK, currency_id=ETH, scenario="paid", created_by="key_1",
                        status=status, expires_at=func.now() - timedelta(seconds=place),
                    )
                )  # fmt: skip
        assert not await player.round()
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            first = await session.get_one(Simulation, "sim_0")
            assert (first.status, first.reason) == ("failed", "the watcher stopped")
            assert (await session.get_one(Simulation, "sim_1")).status == "pending"
        assert await w.chain.balance(w.pool[0]) == 0
        # Whatever stands in the database: without both words in our own settings nobody plays.
        for change in ({"test": False}, {"local": False}):
            elsewhere = msgspec.structs.replace(LOCAL, **change)
            with pytest.raises(ValueError, match="not a local test network"):
                player_of(w, player.faucet, elsewhere)
        await endpoints.aclose()


@pytest.mark.parametrize("family", list(FAMILIES))
async def test_every_family_has_a_faucet(database: FreshDatabase, family: str) -> None:
    """The one door leads to the family's own levers."""
    settings = msgspec.structs.replace(LOCAL, family=family)
    chain = connect(NETWORK, settings, [])
    own = Database(database.url("watcher"), pool_size=1)
    position = Position(NETWORK, 0, 0, "0x", 0)
    player = loading.player(NETWORK, settings, chain, own, position=position, public_url="x")
    assert type(player.faucet).__module__ == f"watchers.networks.{family}.faucet"
    await chain.endpoints.aclose()
    await own.aclose()


def test_a_watcher_of_real_money_has_no_such_code_loaded() -> None:
    """Neither player nor faucet is imported by what every watcher imports."""
    program = (
        "import sys, watchers.service\n"
        "print([m for m in sys.modules if 'simulate' in m or m.endswith('.faucet')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
