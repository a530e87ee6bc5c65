"""Faults of nodes, processes and databases: nothing is lost, nothing counts twice."""

import asyncio
import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from gateway.db import Database
from gateway.postgres.url import role_url
from tests.campaign import Figures
from tests.conftest import FreshDatabase, TestServer, copied
from tests.fakes.chain import FakeChain
from tests.fakes.network import FakeReader
from tests.watchers.world import DUE_UNITS, World, world
from watchers.network import Block, Incomplete, Tip, Transfer
from watchers.store import LeaseLost

pytestmark = pytest.mark.anyio


def eyes(chain: FakeChain) -> FakeReader:
    """Return a reader of its own on a chain."""
    return FakeReader(chain, chain.chain_id, frozenset({chain.token}))


@dataclass(slots=True)
class Flapping(FakeReader):
    """A load balancer before two nodes: every question goes to the other one."""

    other: FakeChain | None = None

    def _reach(self) -> None:
        assert self.other is not None
        self.chain, self.other = self.other, self.chain


async def test_case_29_provider_that_flaps_between_two_heads_moves_nothing_back(
    database: FreshDatabase,
) -> None:
    """As many providers stand by our branch as by the other: there is no rollback at all."""
    async with world(database) as w:
        await w.pay(w.assigned, DUE_UNITS, final=False)
        other = copy.deepcopy(w.chain)
        other.fork(1, keep=[])
        await other.mine()
        await w.chain.mine()
        w.scanner.witnesses = {"a": eyes(w.chain), "b": eyes(other)}
        w.scanner.reader = Flapping(w.chain, w.chain.chain_id, frozenset(), other=other)
        for _ in range(20):
            await w.scanner.step()
        [deposit] = await w.deposits()
        assert deposit.status == "pending"
        assert "deposit.reorged" not in await w.events(deposit.id)


async def test_a_branch_that_two_providers_show_is_believed_at_once(
    database: FreshDatabase,
) -> None:
    """No two seconds have to pass where one provider alone would have to show it twice."""
    async with world(database) as w:
        await w.pay(w.assigned, DUE_UNITS, final=False)
        w.scanner.hysteresis.seconds = 3600
        w.chain.fork(1, keep=[])
        await w.chain.mine()
        await w.scan()
        assert [each.status for each in await w.deposits()] == ["pending"]
        w.scanner.witnesses = {"a": eyes(w.chain), "b": eyes(w.chain)}
        await w.scan()
        await w.scan()
        assert [each.status for each in await w.deposits()] == ["reorged"]


async def test_case_30_lagging_node_is_waited_for(database: FreshDatabase) -> None:
    """A head that goes backwards, with another block at our height: no rollback."""
    async with world(database) as w:
        await w.chain.mine(3)
        await w.pay(w.assigned, DUE_UNITS, final=False)
        height = w.scanner.position.height
        lagging = copy.deepcopy(w.chain)
        lagging.fork(3, keep=[])
        lagging.rewind(1)
        w.scanner.reader = eyes(lagging)
        for _ in range(5):
            await w.scanner.step()
        assert w.scanner.position.height == height
        assert (await w.invoice()).status == "processing"


async def test_case_39_stalled_finality_keeps_credits_waiting_and_says_so(
    database: FreshDatabase,
) -> None:
    """Blocks come, none becomes final: seen, not credited, and an alarm; then all is credited."""
    async with world(database) as w:
        await w.pay(w.assigned, 1)
        w.scanner.final_lane.stall_seconds = 0
        w.chain.final_stalled = w.chain.final
        await w.pay(w.assigned, DUE_UNITS, final=False)
        await w.chain.mine(50)
        await w.scan()
        assert await w.wallet("mer_1") == (1, 0)
        assert "becomes final" in (w.scanner.waiting or "")
        w.chain.final_stalled = None
        await w.scan()
        assert await w.wallet("mer_1") == (DUE_UNITS + 1, 0)
        assert w.scanner.waiting is None


def redate(chain: FakeChain, moment: datetime) -> None:
    """Give the newest block another time; its hash stays."""
    newest = chain.blocks[-1]
    chain.blocks[-1] = replace(newest, ref=replace(newest.ref, time=moment))


async def test_case_40_block_from_the_future_does_not_make_a_payment_late(
    database: FreshDatabase,
) -> None:
    """Our clock decides: the invoice is open, so the payment is in time."""
    now = datetime.now(UTC)
    async with world(database, expires_at=now + timedelta(hours=1)) as w:
        await w.chain.pay(w.assigned, DUE_UNITS)
        redate(w.chain, now + timedelta(days=2))
        await w.chain.mine(3)
        await w.scan()
        [deposit] = await w.deposits()
        assert not deposit.late
        assert deposit.block_time <= datetime.now(UTC)
        assert (await w.invoice()).status == "settled"


async def test_case_40_payment_in_an_old_block_of_an_expired_invoice_is_in_time(
    database: FreshDatabase,
) -> None:
    """We were away when it came: the time of its block counts, not that of our scan."""
    async with world(database) as w:
        await w.pay(w.assigned, DUE_UNITS)
        [deposit] = await w.deposits()
        assert not deposit.late
        assert (await w.invoice()).status == "settled"


class Killed(Exception):
    """The process ends here."""


@contextmanager
def killed_before(database: Database, statement: int) -> Iterator[list[str]]:
    """End the process before its n-th statement, or before a commit; list what it did."""
    done: list[str] = []

    def strike(connection: Connection, sql: str) -> None:
        done.append(sql)
        if len(done) == statement:
            # What a process that dies leaves behind: a connection that ends in mid-sentence.
            connection.connection.driver_connection.pgconn.finish()  # type: ignore[union-attr]
            raise Killed

    def at(connection: Connection, _cursor: Any, sql: str, *_rest: Any) -> None:
        strike(connection, sql)

    def at_commit(connection: Connection) -> None:
        strike(connection, "COMMIT")

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", at)
    event.listen(engine, "commit", at_commit)
    try:
        yield done
    finally:
        event.remove(engine, "before_cursor_execute", at)
        event.remove(engine, "commit", at_commit)


async def books(w: World) -> tuple[Any, ...]:
    """Return everything that a payment changes."""
    deposits = [(each.id, each.status) for each in await w.deposits()]
    invoice = await w.invoice()
    return deposits, await w.journals(), invoice.status, await w.events()


async def kill_everywhere(w: World, stride: int) -> int:
    """Scan with a kill before every `stride`-th statement in turn; return how many there were."""
    statement = kills = 0
    before = await books(w)
    while True:
        statement += stride
        height = w.scanner.position.height
        final = w.scanner.position.final_height
        with killed_before(w.database, statement) as done:
            try:
                await w.scan()
            except (Killed, OperationalError):
                kills += 1
            else:
                return kills
        committed = "COMMIT" in done[:-1]
        await w.restart()
        moved = (w.scanner.position.height, w.scanner.position.final_height) != (height, final)
        after = await books(w)
        assert moved or after == before
        before = after
        if committed and moved:
            statement = 0


@pytest.mark.campaign
async def test_case_69_kill_before_every_statement_leaves_all_or_nothing(
    database: FreshDatabase, long: bool, figures: Figures
) -> None:
    """Effects and cursor are one transaction: each restart begins before or behind both.

    Before every statement in a campaign, before every fifth otherwise.
    """
    stride = 1 if long else 5
    async with world(database) as w:
        await w.chain.pay(w.assigned, DUE_UNITS)
        await w.chain.mine(3)
        kills = await kill_everywhere(w, stride)
        figures(f"killed before {kills} statements")
        assert kills * stride > 40
        assert len(await w.deposits()) == 1
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        assert (await w.invoice()).status == "settled"
        assert await w.sum_is_zero()


async def test_peer_m4_killed_between_effects_and_cursor_the_invoice_is_paid(
    database: FreshDatabase,
) -> None:
    """Where SHKeeper answers "success" and leaves the invoice unpaid, ours is paid, once."""
    async with world(database) as w:
        await w.chain.pay(w.assigned, DUE_UNITS)
        with killed_before(w.database, 10_000) as done:
            await w.scan()
        commits = [number for number, sql in enumerate(done, 1) if sql == "COMMIT"]
        await w.chain.pay(w.assigned, 7)
        for kill_at in commits:
            with killed_before(w.database, kill_at):
                try:
                    await w.scan()
                except (Killed, OperationalError):
                    await w.restart()
        await w.chain.mine(3)
        await w.scan()
        assert [each.units for each in await w.deposits()] == [DUE_UNITS, 7]
        assert await w.wallet("mer_1") == (DUE_UNITS + 7, 0)


async def test_case_70_of_two_watchers_only_the_one_with_the_lease_writes(
    database: FreshDatabase,
) -> None:
    """Both run at once; the older epoch's transaction fails as a whole, whatever it saw."""
    async with world(database) as w:
        old = w.scanner
        await w.restart()
        await w.chain.pay(w.assigned, DUE_UNITS)
        await w.chain.mine(3)
        first, second = await asyncio.gather(
            old.step(), w.scanner.step(), return_exceptions=True
        )
        assert isinstance(first, LeaseLost)
        assert not isinstance(second, BaseException)
        await w.scan()
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        assert len(await w.deposits()) == 1


@dataclass(slots=True)
class Overtaken(FakeReader):
    """Another watcher takes the lease while this one reads its first block."""

    world: World | None = None

    async def read(self, height: int) -> Block:
        """Let it be taken, then answer as if nothing had happened."""
        if self.world is not None:
            world, self.world = self.world, None
            await world.restart()
        return await FakeReader.read(self, height)


async def test_case_70_a_lease_that_is_lost_while_a_block_is_read_commits_nothing(
    database: FreshDatabase,
) -> None:
    """Having had it when the step began is not enough: it is proved in the transaction itself."""
    async with world(database) as w:
        old = w.scanner
        old.reader = Overtaken(w.chain, w.chain.chain_id, frozenset({w.chain.token}), world=w)
        await w.chain.pay(w.assigned, DUE_UNITS)
        with pytest.raises(LeaseLost):
            await old.step()
        assert w.scanner is not old
        assert await w.deposits() == []
        await w.scan()
        assert [each.status for each in await w.deposits()] == ["pending"]


async def test_case_73_database_restored_from_a_backup_reads_the_blocks_again(
    database: FreshDatabase, database_server: TestServer
) -> None:
    """The cursor is in the same backup: what came after it is found again, once."""
    async with world(database) as w:
        await w.pay(w.assigned, 5)
        await w.database.aclose()
        await w.owner.aclose()
        name = f"{database.url('owner').database}_backup"
        template = str(database.url("owner").database)
        copied(database_server.admin, name, template)
        await w.pay(w.assigned, DUE_UNITS)
        restored = Database(role_url(database.settings, "watcher", database=name), pool_size=4)
        owner = Database(role_url(database.settings, "owner", database=name), pool_size=2)
        try:
            later = w.scanner.position
            back = replace(w, database=restored, owner=owner)
            await back.restart()
            assert back.scanner.position.height < later.height
            await back.scan()
            assert await back.wallet("mer_1") == (DUE_UNITS + 5, 0)
            assert await back.journals() == await w.journals()
        finally:
            await restored.aclose()
            await owner.aclose()
            database_server.admin.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


async def test_peer_b2_payment_far_behind_the_head_is_found(database: FreshDatabase) -> None:
    """397 blocks behind with the payment at +347: Bitcart never fetches it, we do."""
    async with world(database) as w:
        await w.chain.mine(346)
        await w.chain.pay(w.assigned, DUE_UNITS)
        await w.chain.mine(50)
        await w.scan()
        assert w.scanner.position.height == 397
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)


@dataclass(slots=True)
class Hostile(FakeReader):
    """Names a head, a time or a hash that no column can hold."""

    head: int | None = None
    spoil: Any = None

    async def tip(self) -> Tip:
        """Lie about the head."""
        true = Tip(self.chain.head, self.chain.final)
        return true if self.head is None else Tip(self.head, true.final)

    async def read(self, height: int) -> Block:
        """Spoil the block."""
        block = self.chain.block(height).seen(self.tokens)
        return block if self.spoil is None else self.spoil(block)


def _far(block: Block) -> Block:
    return replace(block, ref=replace(block.ref, time=datetime(9999, 12, 31, tzinfo=UTC)))


def _nul(block: Block) -> Block:
    return replace(block, ref=replace(block.ref, hash=block.ref.hash + "\0"))


def _retold(block: Block, **other: Any) -> Block:
    names = ("tx_hash", "kind", "ordinal", "asset", "sender", "recipient", "units")
    told = [{name: getattr(each, name) for name in names} | other for each in block.transfers]
    return replace(block, transfers=tuple(Transfer(**each) for each in told))


def _nul_sender(block: Block) -> Block:
    return _retold(block, sender="0x\0")


def _huge(block: Block) -> Block:
    return _retold(block, units=2**300)


@pytest.mark.parametrize("spoil", [_far, _nul, _nul_sender, _huge])
async def test_a_block_that_no_column_can_hold_is_incomplete(
    database: FreshDatabase, spoil: Any
) -> None:
    """It is waited for like any other that is not whole: the process lives on."""
    async with world(database) as w:
        await w.chain.pay(w.assigned, DUE_UNITS)
        honest = w.scanner.reader
        tokens = frozenset({w.chain.token})
        w.scanner.reader = Hostile(w.chain, w.chain.chain_id, tokens, spoil=spoil)
        with pytest.raises(Incomplete):
            await w.scan()
        assert w.scanner.position.height == 0
        w.scanner.reader = honest
        await w.scanner.aclose()
        await w.scan()
        assert len(await w.deposits()) == 1
