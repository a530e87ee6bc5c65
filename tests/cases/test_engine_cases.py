"""Faults and oddities around the scan, on a real anvil through the whole engine into the database."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, func, select, text, update

from devnet import anvil
from devnet.anvil import AnvilChain
from devnet.contracts import cases
from gateway.db import CROSS_TENANT, Database
from gateway.models import Attempt, Deposit, Invoice
from gateway.postgres.url import role_url
from tests.cases.shop import DUE_TOKENS, DUE_UNITS, ETH, USDT, Shop, again, shop
from tests.conftest import FreshDatabase, TestServer, copied
from watchers.store import LeaseLost

pytestmark = pytest.mark.anyio
DUST = 400
UINT256_MAX = 2**256 - 1


class Killed(Exception):
    """The process ends here."""


async def scan(s: Shop) -> None:
    """Step until there is nothing to do now."""
    while await s.scanner.step():
        pass


async def rows(s: Shop) -> list[Deposit]:
    """Return every deposit."""
    async with s.owner.unit_of_work(CROSS_TENANT) as session:
        return list(await session.scalars(select(Deposit).order_by(Deposit.id)))


async def expire(s: Shop, invoice: str) -> None:
    """Let an invoice have expired a minute ago."""
    past = datetime.now(UTC) - timedelta(minutes=1)
    async with s.owner.unit_of_work(CROSS_TENANT) as session:
        query = update(Invoice).where(Invoice.id == invoice)
        await session.execute(query.values(expires_at=past, status="expired"))


async def test_case_39_a_payment_that_is_not_final_waits_and_the_reason_is_told(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """No further block is made: it is seen, nothing is credited, until finality moves on."""
    async with shop(chain, database) as s:
        s.scanner.final_lane.stall_seconds = 0
        await chain.set_mining(on=False)
        try:
            await chain.send(s.first, DUE_UNITS)
            await chain.mine()
            for _ in range(3):
                await scan(s)
            assert await s.wallet() == 0
            assert "becomes final" in (s.scanner.waiting or "")
            assert [row.status for row in await rows(s)] == ["pending"]
        finally:
            await chain.set_mining(on=True)
        await s.settle()
        assert await s.wallet() == DUE_UNITS
        assert s.scanner.waiting is None


async def test_case_69_a_process_that_dies_between_effects_and_cursor_leaves_neither(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """Killed before every commit of a payment's way in turn: one deposit, one credit."""
    async with shop(chain, database) as s:
        await chain.pay(s.first, DUE_UNITS)
        standing = s
        for turn in range(1, 4):
            seen = 0

            def strike(_connection: object, turn: int = turn) -> None:
                nonlocal seen
                seen += 1
                if seen == turn:
                    raise Killed

            engine = s.database.engine.sync_engine
            event.listen(engine, "commit", strike)
            try:
                await scan(standing)
            except Killed:
                pass
            finally:
                event.remove(engine, "commit", strike)
            standing = await again(standing)
        await standing.settle()
        assert await standing.credited() == [("native", ETH, DUE_UNITS, "inv_1")]
        assert await standing.wallet() == DUE_UNITS


async def test_case_70_a_watcher_whose_lease_is_gone_writes_nothing(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """Both look at the same node at once; only the one with the newer epoch commits."""
    async with shop(chain, database) as s:
        other = await again(s)
        await chain.pay(s.first, DUE_UNITS)
        first, second = await asyncio.gather(
            s.scanner.step(), other.scanner.step(), return_exceptions=True
        )
        assert isinstance(first, LeaseLost)
        assert not isinstance(second, BaseException)
        await other.settle()
        assert await other.credited() == [("native", ETH, DUE_UNITS, "inv_1")]


async def test_case_71_under_over_late_and_other_money_all_have_their_row(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """A half, then more than the rest; late in the other asset, and in a token that is not listed."""
    fake = await chain.create(cases.fake_token())
    async with shop(chain, database) as s:
        await chain.pay(s.first, DUE_UNITS // 2)
        await s.settle()
        assert await s.invoice() == ("pending", "paid_partial")
        await chain.pay(s.first, DUE_UNITS)
        await s.settle()
        assert await s.invoice() == ("settled", "paid_over")
        await expire(s, "inv_2")
        await chain.pay(s.second, DUE_TOKENS, chain.token)
        await chain.call(fake, "claim(address,uint256)", s.second, DUE_TOKENS)
        await s.settle()
        assert [(row.invoice_id, row.late) for row in await rows(s)] == [
            ("inv_1", False),
            ("inv_1", False),
            ("inv_2", True),
        ]
        assert await s.wallet() == DUE_UNITS // 2 + DUE_UNITS
        assert await s.wallet(currency=USDT) == DUE_TOKENS
        async with s.owner.unit_of_work(CROSS_TENANT) as session:
            found = (await session.execute(text("SELECT asset, reason FROM stray"))).all()
        assert [tuple(row) for row in found] == [(fake, "asset_not_listed")]


async def test_case_73_a_database_put_back_to_an_older_copy_reads_the_blocks_again(
    chain: AnvilChain, database: FreshDatabase, database_server: TestServer
) -> None:
    """The cursor is in the copy: what came after it is found again, under the same names."""
    async with shop(chain, database) as s:
        await chain.pay(s.first, DUE_UNITS)
        await s.settle()
        await s.database.aclose()
        await s.owner.aclose()
        template = str(database.url("owner").database)
        name = f"{template}_backup"
        copied(database_server.admin, name, template)
        await chain.pay(s.second, DUE_UNITS)
        await s.settle()
        restored = Database(role_url(database.settings, "watcher", database=name), pool_size=4)
        owner = Database(role_url(database.settings, "owner", database=name), pool_size=2)
        try:
            back = await again(replace(s, database=restored, owner=owner))
            assert back.scanner.position.height < s.scanner.position.height
            await back.settle()
            names = [
                [(row.tx_hash, row.kind, row.ordinal) for row in await rows(each)]
                for each in (s, back)
            ]
            assert len(names[0]) == 2
            assert names[0] == names[1]
            assert await back.wallet() == 2 * DUE_UNITS
        finally:
            await restored.aclose()
            await owner.aclose()
            database_server.admin.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


async def test_case_74_an_old_payer_who_pays_again_pays_his_own_invoice(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """The address is nobody else's, however long ago its invoice ended."""
    async with shop(chain, database) as s:
        await chain.pay(s.first, DUE_UNITS)
        await s.settle()
        past = datetime.now(UTC) - timedelta(minutes=1)
        async with s.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(update(Invoice).values(expires_at=past))
        await chain.pay(s.first, DUE_UNITS)
        await s.settle()
        assert [(row.invoice_id, row.late) for row in await rows(s)] == [
            ("inv_1", False),
            ("inv_1", True),
        ]
        assert await s.wallet() == 2 * DUE_UNITS


async def test_case_72_our_own_payout_to_an_invoice_pays_it(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """It is known by its hash: the same sender's other payment is a customer's like any."""
    async with shop(chain, database) as s:
        tx_hash = await chain.send(s.first, DUE_UNITS)
        async with s.owner.unit_of_work(CROSS_TENANT) as session:
            session.add(
                Attempt(
                    id="att_1", order_id="wdr_1", network_id="ethereum", purpose="lost",
                    intent={}, sender=chain.payer, raw=b"-", tx_hash=tx_hash, state="signed",
                    broadcasts=1, created_at=datetime.now(UTC),
                )
            )  # fmt: skip
        await chain.pay(s.second, DUE_UNITS)
        await s.settle()
        assert {row.invoice_id for row in await rows(s)} == {"inv_1", "inv_2"}
        assert await s.wallet() == 2 * DUE_UNITS
        async with s.owner.unit_of_work(CROSS_TENANT) as session:
            attempt = await session.get_one(Attempt, "att_1")
        assert (attempt.state, attempt.success) == ("succeeded", True)


async def test_case_76_the_largest_amount_is_exact(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """2^256-1 units in one log: to the unit, in the row and in the ledger."""
    huge = await chain.create(cases.fake_token())
    async with shop(chain, database, token=huge) as s:
        await chain.call(huge, "claim(address,uint256)", s.first, UINT256_MAX)
        await s.settle()
        assert await s.credited() == [("token", USDT, UINT256_MAX, "inv_1")]
        assert await s.wallet(currency=USDT) == UINT256_MAX


async def test_case_77_a_flood_of_dust_in_one_transaction_is_rows_and_few_words(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """Each grain is credited; the invoice's own events stay a handful."""
    async with shop(chain, database) as s:
        await chain.call(
            chain.token, "transferMany(address[],uint256)", [s.first] * DUST, 1, gas=30_000_000
        )
        await s.settle()
        async with s.owner.unit_of_work(CROSS_TENANT) as session:
            assert await session.scalar(select(func.count()).select_from(Deposit)) == DUST
        assert await s.wallet(currency=USDT) == DUST
        assert len(await s.events()) < DUST


async def test_case_40_a_block_from_tomorrow_makes_no_payment_late(
    database: FreshDatabase,
) -> None:
    """Our clock bounds the chain's: the invoice is open, so the payment is in time."""
    async with anvil.running() as chain, shop(chain, database) as s:
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        await chain.rpc.call("evm_setNextBlockTimestamp", int(tomorrow.timestamp()))
        await chain.pay(s.first, DUE_UNITS)
        await s.settle()
        [deposit] = await rows(s)
        assert not deposit.late
        assert deposit.block_time < tomorrow - timedelta(hours=1)
        assert await s.invoice() == ("settled", "none")
