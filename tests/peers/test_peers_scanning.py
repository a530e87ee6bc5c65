"""How others lose deposits between a block and their books, played again on ours."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError

from devnet.system.waiting import until
from gateway.db import CROSS_TENANT, Database
from gateway.models import Invoice
from tests.conftest import FreshDatabase
from tests.fakes.chain import GENESIS_TIME, Move
from tests.watchers.world import DUE_UNITS, World, world
from watchers.network import Incomplete, NodeUnavailable

pytestmark = pytest.mark.anyio

BEHIND, PAID_AT = 397, 347
BLOCKED = text("""
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND usename = 'gw_watcher' AND wait_event_type = 'Lock'
""")


async def test_peer_m4_dying_between_the_effects_loses_nothing(
    database: FreshDatabase,
) -> None:
    """SHKeeper writes the payment, commits, and dies before it writes the invoice."""
    async with world(database) as w:
        await w.chain.pay(w.assigned, DUE_UNITS)
        admin = Database(database.url("admin"), pool_size=1)
        async with admin.unit_of_work(CROSS_TENANT) as session:
            await session.execute(select(Invoice).with_for_update())
            step = asyncio.create_task(w.scanner.step())

            async def blocked() -> int | None:
                pid: int | None = await session.scalar(BLOCKED)
                return pid

            backend = await until(blocked, "the watcher's wait for the invoice")
            await session.execute(text(f"SELECT pg_terminate_backend({backend})"))
        with pytest.raises(DBAPIError):
            await step
        await admin.aclose()
        assert await w.deposits() == []
        await w.restart()
        await w.chain.mine(3)
        await w.scan()
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        assert (await w.invoice()).status == "settled"


async def test_peer_m9_no_answer_is_not_an_empty_block(database: FreshDatabase) -> None:
    """SHKeeper's daemon answers [] to any error, and the core says "success"."""
    async with world(database) as w:
        await w.chain.pay(w.assigned, DUE_UNITS)
        w.chain.incomplete.add(1)
        with pytest.raises(Incomplete):
            await w.scan()
        assert w.scanner.position.height == 0
        w.chain.incomplete.clear()
        await w.chain.mine(3)
        await w.scan()
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)


async def test_peer_b1_one_failed_call_skips_no_block(database: FreshDatabase) -> None:
    """Bitcart tries a block once and moves its cursor on."""
    async with world(database) as w:
        await w.chain.pay(w.assigned, DUE_UNITS)
        w.chain.down = True
        with pytest.raises(NodeUnavailable):
            await w.scan()
        w.chain.down = False
        await w.chain.mine(3)
        await w.scan()
        assert (await w.invoice()).status == "settled"


async def test_peer_b2_far_behind_every_block_is_read(database: FreshDatabase) -> None:
    """Bitcart looks back 300 blocks at most and jumps to the head."""
    async with world(database) as w:
        await w.chain.mine(PAID_AT - 1)
        await w.chain.pay(w.assigned, DUE_UNITS)
        await w.chain.mine(BEHIND - PAID_AT)
        await _to_the_head(w)
        assert w.scanner.position.height == w.chain.head == BEHIND
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)


async def test_peer_b3_whoever_pays_is_matched_by_where_it_arrives(
    database: FreshDatabase,
) -> None:
    """Bitcart asks the payer for his address; an exchange pays many from its hot wallet."""
    async with world(database) as w:
        strangers = [Move(await w.chain.fresh_address(), 10**15) for _ in range(20)]
        strangers.insert(7, Move(w.assigned, DUE_UNITS))
        w.chain.submit(strangers)
        await w.chain.mine(4)
        await w.scan()
        [deposit] = await w.deposits()
        assert deposit.sender == w.chain.payer
        assert (await w.invoice()).status == "settled"


async def test_peer_shkeeper_a_reorganisation_after_the_scan_is_noticed(
    database: FreshDatabase,
) -> None:
    """SHKeeper checks no parent hash: it keeps what vanished and misses what came instead."""
    async with world(database) as w:
        await w.pay(w.assigned, 7, final=False)
        w.chain.fork(1, keep=[])
        w.chain.submit([Move(w.assigned, DUE_UNITS)])
        await w.chain.mine(4)
        for _ in range(3):
            await w.scan()
        states = {int(deposit.units): deposit.status for deposit in await w.deposits()}
        assert states == {7: "reorged", DUE_UNITS: "confirmed"}
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)


async def test_peer_shkeeper_a_node_that_falls_behind_is_waited_for(
    database: FreshDatabase,
) -> None:
    """SHKeeper's Tron daemon refuses to continue where the height dropped."""
    async with world(database) as w:
        await w.chain.mine(5)
        await w.scan()
        w.chain.rewind(2)
        await w.scan()
        await w.chain.mine(4)
        for _ in range(3):
            await w.scan()
        await w.pay(w.assigned, DUE_UNITS)
        for _ in range(3):
            await w.scan()
        assert (await w.invoice()).status == "settled"


async def test_peer_btcpay_nothing_is_skipped_while_no_invoice_is_open(
    database: FreshDatabase,
) -> None:
    """The USDt plugin jumps to the head then; late money falls into the hole."""
    async with world(database, expires_at=GENESIS_TIME) as w:
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                update(Invoice).values(
                    status="expired", monitoring_until=GENESIS_TIME + timedelta(seconds=1)
                )
            )
        await w.chain.mine(50)
        await w.chain.pay(w.assigned, DUE_UNITS)
        await w.chain.mine(50)
        await _to_the_head(w)
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)


async def test_peer_btcpay_an_orphaned_payment_never_settles(database: FreshDatabase) -> None:
    """The USDt plugin counts height and never looks the payment up again."""
    async with world(database, confirmations=3) as w:
        w.chain.final_lag = 40
        await w.pay(w.assigned, DUE_UNITS, final=False)
        w.chain.fork(1, keep=[])
        await w.chain.mine(60)
        await _to_the_head(w)
        assert (await w.deposits())[0].status == "reorged"
        assert (await w.invoice()).status != "settled"
        assert await w.wallet("mer_1") == (0, 0)


async def test_peer_oxygen_the_second_half_of_a_payment_is_the_merchants(
    database: FreshDatabase,
) -> None:
    """Oxygen calls it unexpected and credits it to its own system merchant."""
    async with world(database) as w:
        await w.pay(w.assigned, DUE_UNITS // 2)
        await w.pay(w.assigned, DUE_UNITS // 2)
        assert (await w.invoice()).status == "settled"
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        assert await w.wallet("suspense") == (0, 0)


async def test_peer_oxygen_a_payment_told_twice_at_once_is_one(
    database: FreshDatabase,
) -> None:
    """Oxygen has no unique index: two webhooks at a time make two payments."""
    async with world(database) as w:
        await w.chain.pay(w.assigned, DUE_UNITS)
        other = w.scanner
        await w.restart()
        await w.chain.mine(3)
        first, second = await asyncio.gather(
            other.step(), w.scanner.step(), return_exceptions=True
        )
        assert isinstance(first, BaseException) or isinstance(second, BaseException)
        await w.scan()
        assert len(await w.deposits()) == 1
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)


async def _to_the_head(w: World) -> None:
    """Scan on until the head stays where it is; a doubted branch takes a look more."""
    for _ in range(10):
        await w.scan()
        if w.scanner.position.final_height >= w.chain.final:
            return
    raise AssertionError(f"stuck at {w.scanner.position}")
