"""Reading ahead, empty slots, coverage, rescans, quorum: one loop for every network."""

import asyncio
import copy
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import delete, update

from gateway.db import CROSS_TENANT
from gateway.models import Block as BlockRow
from tests.conftest import FreshDatabase
from tests.fakes.chain import FakeChain
from tests.fakes.network import FakeReader
from tests.fakes.slots import SlotReader, slot_of
from tests.watchers.world import DUE_UNITS, ETH, NETWORK, World, world
from watchers.network import (
    Block,
    BlockRef,
    Incomplete,
    NodeUnavailable,
    Outcome,
    Tip,
    Transfer,
)
from watchers.scan.coverage import Gap, coverage
from watchers.scan.prefetch import (
    IN_FLIGHT_MAX,
    IN_FLIGHT_OF_LARGE,
    RUN_BLOCKS_MAX,
    RUNS_AHEAD,
    Pace,
    Prefetch,
)
from watchers.scan.reorg import FinalityBroken, Hysteresis, Votes
from watchers.scan.rescan import CannotRescan, Rescan

pytestmark = pytest.mark.anyio


def eyes(chain: FakeChain) -> FakeReader:
    """Return a reader of its own on a chain."""
    return FakeReader(chain, chain.chain_id, frozenset({chain.token}))


@dataclass(slots=True)
class Watched(FakeReader):
    """Counts what is asked for, and how much at once."""

    asked: list[int] = field(default_factory=list)
    refs: int = 0
    now: int = 0
    most: int = 0

    async def read(self, height: int) -> Block:
        """Answer one turn of the loop later."""
        self.asked.append(height)
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        return self.chain.block(height).seen(self.tokens)

    async def ref_at(self, height: int) -> BlockRef:
        """Count the question."""
        self.refs += 1
        return self.chain.block(height).ref


@dataclass(slots=True)
class Heavy(Watched):
    """Its blocks hold so many transactions that few of them make a run."""

    async def read(self, height: int) -> Block:
        """Answer as `Watched` does."""
        block = await Watched.read(self, height)
        outcomes = {
            f"{height}:{at}": Outcome(success=True, payer_spent_units=0) for at in range(1_500)
        }
        return replace(block, outcomes=outcomes)


async def chain_of(blocks: int) -> FakeChain:
    """Return a chain with so many blocks above its first."""
    chain = FakeChain(seed=1)
    await chain.mine(blocks)
    return chain


async def test_the_next_run_is_read_while_the_present_one_is_in_hand() -> None:
    """In order, bounded, and so many runs at most."""
    chain = await chain_of(500)
    reader, prefetch = Watched(chain, 1, frozenset()), Prefetch(dense=True)
    run = await prefetch.run(reader, 1, 500)
    for _ in range(3000):
        await asyncio.sleep(0)
    assert [block.ref.height for block in run] == list(range(1, RUN_BLOCKS_MAX + 1))
    assert sorted(reader.asked) == list(range(1, RUNS_AHEAD * RUN_BLOCKS_MAX + 1))
    assert reader.most <= IN_FLIGHT_MAX
    again = await prefetch.run(reader, RUN_BLOCKS_MAX + 1, 500)
    assert again[0].ref.height == RUN_BLOCKS_MAX + 1
    assert len(reader.asked) == len(set(reader.asked))
    await prefetch.discard()


async def test_of_large_blocks_fewer_are_read_at_once() -> None:
    """Their answers are megabytes: as soon as a run has shown how large they are."""
    chain = await chain_of(500)
    reader, prefetch = Heavy(chain, 1, frozenset()), Prefetch(dense=True)
    prefetch.pace.size = IN_FLIGHT_MAX
    await prefetch.run(reader, 1, 500)
    await prefetch.discard()
    reader.now = reader.most = 0
    await prefetch.run(reader, RUN_BLOCKS_MAX + 1, 500)
    assert reader.most == IN_FLIGHT_OF_LARGE
    await prefetch.discard()


async def test_towards_the_head_runs_grow_shorter() -> None:
    """While the last one is committed nothing more can be read; no height is left out."""
    chain = await chain_of(300)
    reader, prefetch = Watched(chain, 1, frozenset()), Prefetch(dense=True)
    lengths, first = [], 1
    while first <= 300:
        run = await prefetch.run(reader, first, 300)
        assert [block.ref.height for block in run] == list(range(first, first + len(run)))
        lengths.append(len(run))
        first += len(run)
    assert lengths == [100, 100, 50, 25, 16, 9]
    await prefetch.discard()


async def test_a_block_that_fails_ends_the_run_before_it_and_is_asked_for_again() -> None:
    """What is behind it is kept, what is before it is not lost."""
    chain = await chain_of(20)
    chain.incomplete.add(5)
    reader, prefetch = Watched(chain, 1, frozenset()), Prefetch(dense=True)
    assert len(await prefetch.run(reader, 1, 20)) == 4
    with pytest.raises(Incomplete):
        await prefetch.run(reader, 5, 20)
    chain.incomplete.clear()
    run = await prefetch.run(reader, 5, 20)
    assert [block.ref.height for block in run] == list(range(5, 21))
    assert reader.asked.count(6) == 1
    await prefetch.discard()


def test_trouble_halves_what_is_in_flight_and_answers_add_one() -> None:
    """Between one and the most."""
    pace = Pace(size=8)
    pace.failed()
    assert pace.size == 4
    pace.answered(0.1)
    assert pace.size == 5
    pace.answered(11)
    assert pace.size == 4
    for _ in range(100):
        pace.answered(0.1)
    assert pace.size == IN_FLIGHT_MAX
    for _ in range(100):
        pace.failed()
    assert pace.size == 1


async def slots(w: World) -> SlotReader:
    """Let the world's scanner see its chain through slots."""
    reader = SlotReader(w.chain, frozenset({w.chain.token}))
    w.scanner.reader = reader
    w.scanner.dense = False
    w.scanner.prefetch.dense = False
    return reader


async def test_empty_slots_are_passed_by_the_link_rule(database: FreshDatabase) -> None:
    """Every block is processed although most slots have none."""
    async with world(database) as w:
        reader = await slots(w)
        await w.chain.mine(80)
        await w.chain.pay(w.assigned, DUE_UNITS)
        await w.chain.mine(40)
        await w.scan()
        assert w.scanner.position.height == slot_of(121)
        assert len(reader.asked) == len(set(reader.asked)) == 121
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            found = await coverage(session, NETWORK)
        assert found is not None
        assert (found.blocks, found.gaps) == (122, ())
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)


async def test_a_list_of_slots_that_hides_a_block_skips_nothing(
    database: FreshDatabase,
) -> None:
    """The next one does not build on ours, so the slot is asked for by its height."""
    async with world(database) as w:
        reader = await slots(w)
        await w.chain.mine(9)
        await w.chain.pay(w.assigned, DUE_UNITS)
        await w.chain.mine(10)
        reader.hidden = {slot_of(10), slot_of(11)}
        reader.invented = {slot_of(2) + 1}
        await w.scan()
        await w.scan()
        assert w.scanner.position.height == slot_of(20)
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)


async def test_coverage_names_providers_and_every_gap(database: FreshDatabase) -> None:
    """A height that is not there is a gap, in the middle as at the end."""
    async with world(database) as w:
        await w.chain.mine(20)
        await w.scan()
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            whole = await coverage(session, NETWORK)
            assert whole is not None
            assert (whole.first, whole.last, whole.blocks, whole.gaps) == (0, 20, 21, ())
            await session.execute(
                delete(BlockRow).where(BlockRow.height.in_([7, 8, 12, 19, 20]))
            )
            await session.execute(
                update(BlockRow).where(BlockRow.height < 7).values(provider="node-a")
            )
            found = await coverage(session, NETWORK)
            parts = {
                (first, last): await coverage(session, NETWORK, first, last)
                for first in range(21)
                for last in range(first, 21)
            }
        assert found is not None
        assert found.gaps == (Gap(7, 8), Gap(12, 12), Gap(19, 20))
        for (first, last), part in parts.items():
            assert part is not None
            assert part.gaps == tuple(
                Gap(max(gap.first, first), min(gap.last, last))
                for gap in found.gaps
                if gap.first <= last and gap.last >= first
            )
        assert [(s.provider, s.blocks) for s in found.shares] == [
            ("(not said)", 9),
            ("node-a", 7),
        ]
        assert "GAP       12 to 12" in found.lines()
        assert found.document()["gaps"][0] == {"first": 7, "last": 8}


async def rescan(w: World) -> Rescan:
    """Return a rescan of the world's network that tells nobody."""
    return Rescan(w.scanner, lambda _line: None, asyncio.sleep)


async def test_rescan_finds_what_was_missed_once_and_the_final_lane_credits_it(
    database: FreshDatabase,
) -> None:
    """Blocks that were read without seeing the payment are read again."""
    async with world(database) as w:
        await w.chain.pay(w.assigned, DUE_UNITS)
        await w.chain.mine(5)
        await _without_hits(w)
        assert await w.deposits() == []

        again = await rescan(w)
        first = await again.run(0, 6)
        second = await again.run(1, 6)
        assert (first.blocks, first.transfers, first.deposits) == (7, 1, 1)
        assert (second.transfers, second.deposits) == (1, 0)
        assert await w.wallet("mer_1") == (0, 0)
        await w.scan()
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        assert (await w.invoice()).status == "settled"


async def _without_hits(w: World) -> None:
    """Scan with a book that knows none of our addresses."""
    pool, wallets = w.scanner.book.pool, w.scanner.book.wallets
    w.scanner.book.pool, w.scanner.book.wallets = type(pool)(), type(wallets)()
    await w.scan()
    w.scanner.book.pool, w.scanner.book.wallets = pool, wallets


async def test_rescan_refuses_heights_that_were_not_processed(database: FreshDatabase) -> None:
    """Above the cursor the watcher reads; a rescan would race it."""
    async with world(database) as w:
        await w.chain.mine(3)
        await w.scan()
        with pytest.raises(CannotRescan):
            await (await rescan(w)).run(2, 4)


async def test_rescan_records_nothing_of_a_branch_that_is_not_ours(
    database: FreshDatabase,
) -> None:
    """A node on another branch is refused block by block."""
    async with world(database) as w:
        await w.chain.mine(5)
        await w.scan()
        w.chain.fork(2)
        await w.chain.pay(w.assigned, DUE_UNITS)
        with pytest.raises(Incomplete, match="another one in"):
            await (await rescan(w)).run(1, 5)
        assert await w.deposits() == []


async def test_final_needs_the_quorum_and_says_who_is_missing(database: FreshDatabase) -> None:
    """One provider down or behind: seen, not credited, and the reason is there."""
    async with world(database) as w:
        second = copy.deepcopy(w.chain)
        w.scanner.witnesses = {"a": eyes(w.chain), "b": eyes(second)}
        w.scanner.quorum = 2
        second.down = True
        await w.pay(w.assigned, DUE_UNITS)
        assert await w.wallet("mer_1") == (0, 0)
        assert w.scanner.waiting == "final: 1 of 2 providers answer"
        w.scanner.witnesses = {"a": eyes(w.chain), "b": eyes(copy.deepcopy(w.chain))}
        await w.scan()
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        assert w.scanner.waiting is None


async def test_a_provider_that_shows_another_final_block_is_named(
    database: FreshDatabase,
) -> None:
    """Without a majority for either, nothing becomes final and nothing is rolled back."""
    async with world(database) as w:
        await w.chain.mine(1)
        other = copy.deepcopy(w.chain)
        await other.mine(6)
        w.scanner.witnesses = {"a": eyes(w.chain), "b": eyes(other)}
        w.scanner.quorum = 2
        await w.pay(w.assigned, DUE_UNITS)
        await w.chain.mine(4)
        await w.scan()
        assert "b shows another one than ours" in (w.scanner.waiting or "")
        assert await w.wallet("mer_1") == (0, 0)
        assert [each.status for each in await w.deposits()] == ["pending"]


@dataclass(slots=True)
class Inventing(FakeReader):
    """Adds a transfer that never was to each block with a payment."""

    to: str = ""

    async def read(self, height: int) -> Block:
        """Lie about the transfers, not about the block."""
        block = self.chain.block(height).seen(self.tokens)
        lies = [
            Transfer(each.tx_hash, "token", 9, self.chain.token, "", self.to, 9 * 10**6)
            for each in block.transfers
        ]
        return replace(block, transfers=(*block.transfers, *lies), provider="liar")


async def test_case_36_invented_transfer_above_the_quorum_value_is_not_credited(
    database: FreshDatabase,
) -> None:
    """A second provider does not show it: it is held, the true one is credited, health says why."""
    async with world(database) as w:
        w.scanner.reader = Inventing(w.chain, 1, frozenset({w.chain.token}), to=w.free)
        w.scanner.witnesses = {"liar": w.scanner.reader, "b": eyes(w.chain)}
        w.scanner.quorum_above = {"USDC-ETHEREUM": 10**6, ETH: 10**17}
        w.scanner.final_lane.evidence.retry_seconds = 0
        await w.pay(w.assigned, DUE_UNITS)
        await w.scan()
        states = {each.kind: each.status for each in await w.deposits()}
        assert states == {"native": "confirmed", "token": "pending"}
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        assert "is not credited: b shows another transfer" in (w.scanner.waiting or "")
        assert await w.wallet("suspense", "USDC-ETHEREUM") == (0, 0)


async def test_a_large_deposit_waits_for_the_second_provider_and_is_credited_then(
    database: FreshDatabase,
) -> None:
    """Held back while nobody else answers, tried again, credited below the final height."""
    async with world(database) as w:
        second = copy.deepcopy(w.chain)
        w.scanner.witnesses = {"": eyes(w.chain), "b": eyes(second)}
        w.scanner.quorum_above = {ETH: 1}
        w.scanner.final_lane.evidence.retry_seconds = 0
        await w.pay(w.assigned, DUE_UNITS)
        assert await w.wallet("mer_1") == (0, 0)
        assert w.scanner.waiting is not None
        w.scanner.witnesses = {"": eyes(w.chain), "b": eyes(copy.deepcopy(w.chain))}
        await w.scan()
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        assert w.scanner.waiting is None


async def test_a_deep_reorganisation_is_walked_back_by_halving(database: FreshDatabase) -> None:
    """A thousand blocks cost some twenty questions, not a thousand."""
    async with world(database) as w:
        w.chain.final_stalled = 0
        await w.chain.mine(10)
        await w.pay(w.assigned, DUE_UNITS, final=False)
        await w.chain.mine(1000)
        await w.scan()
        w.chain.fork(1001, keep=[])
        await w.chain.mine()
        reader = Watched(w.chain, w.chain.chain_id, frozenset({w.chain.token}))
        w.scanner.reader = reader
        await w.scan()
        assert w.scanner.position.height == 10
        assert reader.refs <= 25
        assert [each.status for each in await w.deposits()] == ["reorged"]
        await w.scan()
        assert w.scanner.position.height == 1012


async def test_a_process_that_begins_on_another_chain_pays_nothing(
    database: FreshDatabase,
) -> None:
    """What was final is not there: it is noticed before the first payout, and stays noticed."""
    async with world(database) as w:
        await w.chain.mine(5)
        await w.scan()
        assert w.scanner.may_pay
        w.chain.fork(5)
        await w.restart()
        assert not w.scanner.may_pay
        with pytest.raises(FinalityBroken):
            await w.scan()
        await w.restart()
        assert "was final" in (w.scanner.position.halted or "")
        assert not w.scanner.may_pay


def test_a_branch_is_believed_by_two_providers_or_by_two_sightings() -> None:
    """And never while as many still stand by ours."""
    two, none, split = Votes(2, 0), Votes(1, 0), Votes(2, 2)
    assert Hysteresis().believes(5, "b", two, 0)
    twice = Hysteresis()
    assert not twice.believes(5, "b", none, 0)
    assert not twice.believes(5, "b", none, 1.9)
    assert twice.believes(5, "b", none, 2)
    flips = Hysteresis()
    assert not flips.believes(5, "b", none, 0)
    assert not flips.believes(5, "c", none, 3)
    assert not flips.believes(5, "b", none, 6)
    assert not flips.believes(5, "b", split, 100)
    agreed = Hysteresis()
    assert not agreed.believes(5, "b", none, 0)
    agreed.settle()
    assert not agreed.believes(5, "b", none, 9)


@dataclass(slots=True)
class Boasting(FakeReader):
    """Names a head that no chain has."""

    head: int = 2**63

    async def tip(self) -> Tip:
        """Boast."""
        return Tip(self.head, 0)


@pytest.mark.parametrize("head", [2**63, -1])
async def test_a_head_that_no_column_can_hold_is_a_node_in_trouble(
    database: FreshDatabase, head: int
) -> None:
    """It is reported and waited out."""
    async with world(database) as w:
        w.scanner.reader = Boasting(w.chain, w.chain.chain_id, frozenset(), head=head)
        with pytest.raises(NodeUnavailable):
            await w.scan()
