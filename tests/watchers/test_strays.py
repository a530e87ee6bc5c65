"""What is no payment: rows and numbers in the transaction of the block, none of it in the ledger."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from gateway.db import CROSS_TENANT
from gateway.models import Stray, StrayDay
from tests.conftest import FreshDatabase
from tests.fakes.chain import JUNK, Move
from tests.fakes.network import FakeReader
from tests.watchers.world import DUE_UNITS, World, currency_row, world
from watchers.network import Block, BlockRef, Transfer
from watchers.scan.ration import (
    LARGER_PER_DAY,
    ROWS_PER_DAY,
    ROWS_PER_PLACE,
    THE_REST,
    UNLISTED_PER_PLACE,
    Count,
    Place,
    Ration,
    rationed,
)

pytestmark = pytest.mark.anyio


async def rows(w: World, table: type[Any]) -> list[Any]:
    """Return every row of a table."""
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        return list(await session.scalars(select(table)))


async def test_case_04_a_fake_token_gets_a_row_and_no_credit(database: FreshDatabase) -> None:
    """A perfect Transfer of an unlisted contract is written down with its reason; nothing is posted."""
    async with world(database) as w:
        tx_hash = await w.pay(w.assigned, DUE_UNITS, JUNK)
        [stray] = await rows(w, Stray)
        assert (stray.tx_hash, stray.asset, stray.units) == (tx_hash, JUNK, DUE_UNITS)
        assert (stray.address, stray.reason, stray.status) == (
            w.assigned,
            "asset_not_listed",
            "confirmed",
        )
        assert await w.deposits() == []
        assert await w.journals() == []
        assert (await w.invoice()).status == "pending"


async def test_case_04_spam_beyond_the_ration_is_a_number(database: FreshDatabase) -> None:
    """A flood of fake tokens makes as many rows as a day may have, and a count for the rest."""
    async with world(database) as w:
        w.chain.submit([Move(w.assigned, 1, JUNK)] * (ROWS_PER_DAY + 100))
        w.chain.submit([Move(w.free, 1, JUNK)])
        await w.chain.mine()
        await w.scan()
        assert Counter(stray.address for stray in await rows(w, Stray)) == {
            w.assigned: ROWS_PER_DAY,
            w.free: 1,
        }
        days = {day.address: (day.kept, day.dropped) for day in await rows(w, StrayDay)}
        assert days == {w.assigned: (ROWS_PER_DAY, 100), w.free: (1, 0)}


async def test_the_ration_holds_over_the_blocks_of_a_day(database: FreshDatabase) -> None:
    """A second flood of the same day adds no row."""
    async with world(database) as w:
        for _ in range(2):
            w.chain.submit([Move(w.free, 1, JUNK)] * ROWS_PER_DAY)
            await w.chain.mine()
            await w.scan()
        [day] = await rows(w, StrayDay)
        assert (day.kept, day.dropped) == (ROWS_PER_DAY, ROWS_PER_DAY)


async def test_case_62_an_account_that_no_sweep_reaches_is_a_row(
    database: FreshDatabase,
) -> None:
    """A listed asset in a foreign account given to our address credits nobody and is not lost."""
    async with world(database) as w:
        w.chain.submit([Move(w.assigned, 777, w.chain.token, kind="account")])
        await w.chain.mine()
        await w.scan()
        [stray] = await rows(w, Stray)
        assert (stray.kind, stray.reason, stray.units, stray.status) == (
            "account",
            "account_not_canonical",
            777,
            "pending",
        )
        assert await w.deposits() == []


async def test_an_orphaned_stray_says_so_and_comes_back(database: FreshDatabase) -> None:
    """One row through a reorganisation: pending, reorged, pending in the new block, final."""
    async with world(database) as w:
        w.chain.final_lag = 5
        tx_hash = await w.pay(w.assigned, 5, JUNK, final=False)
        [before] = await rows(w, Stray)
        await w.chain.mine()
        w.chain.fork(2, keep=[])
        await w.chain.mine()
        await w.scan()
        [gone] = await rows(w, Stray)
        assert (before.status, gone.status) == ("pending", "reorged")
        w.chain.fork(1, keep=[])
        w.chain.pool.clear()
        await w.scan()
        w.chain.submit([Move(w.assigned, 6, JUNK)])
        await w.chain.mine(6)
        await w.scan()
        by_hash = {stray.tx_hash: stray.status for stray in await rows(w, Stray)}
        assert by_hash.pop(tx_hash) == "reorged"
        assert list(by_hash.values()) == ["confirmed"]


async def test_a_stray_that_moves_to_another_block_is_the_same_row(
    database: FreshDatabase,
) -> None:
    """The identity never mentions the block, and moving costs no ration."""
    async with world(database) as w:
        w.chain.final_lag = 5
        await w.pay(w.assigned, 5, JUNK, final=False)
        [before] = await rows(w, Stray)
        w.chain.fork(1)
        await w.chain.mine(6)
        for _ in range(2):
            await w.scan()
        [after] = await rows(w, Stray)
        assert (after.id, after.status) == (before.id, "confirmed")
        assert after.block_hash != before.block_hash
        [day] = await rows(w, StrayDay)
        assert (day.kept, day.dropped) == (1, 0)


async def test_a_stray_whose_asset_is_listed_later_becomes_a_deposit(
    database: FreshDatabase,
) -> None:
    """Read again with the asset on the list it counts; the stray is struck off, not counted twice."""
    async with world(database) as w:
        w.chain.final_lag = 5
        await w.pay(w.assigned, 9, JUNK, final=False)
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(currency_row("JUNK-ETHEREUM", JUNK, 6))
        await w.restart()
        w.scanner.reader = FakeReader(
            w.chain, w.chain.chain_id, frozenset({w.chain.token, JUNK})
        )
        w.chain.fork(1)
        await w.chain.mine(6)
        for _ in range(2):
            await w.scan()
        [deposit] = await w.deposits()
        assert (deposit.currency_id, deposit.units, deposit.reason) == (
            "JUNK-ETHEREUM",
            9,
            "wrong_asset",
        )
        [stray] = await rows(w, Stray)
        assert stray.status == "counted"


async def test_a_strangers_token_is_no_row(database: FreshDatabase) -> None:
    """What goes to addresses of others concerns us not, listed or unlisted."""
    async with world(database) as w:
        stranger = await w.chain.fresh_address()
        await w.pay(stranger, 5, JUNK)
        assert await rows(w, Stray) == []
        # The book may say "perhaps" of a stranger: the rows decide.
        w.scanner.book.pool.update([stranger])
        await w.pay(stranger, 5, JUNK)
        assert await rows(w, Stray) == []


async def test_a_flood_of_one_token_hides_no_other_token(database: FreshDatabase) -> None:
    """A customer's wrong token has its row, whatever spam came to his address that day."""
    async with world(database) as w:
        w.chain.submit([Move(w.assigned, 1, JUNK)] * (ROWS_PER_DAY + 5))
        await w.chain.mine()
        await w.scan()
        other = "0x" + "da" * 20
        w.chain.state.add(w.chain.payer, other, 1_000)
        tx_hash = await w.pay(w.assigned, 1, other)
        assert [
            (stray.tx_hash, stray.units)
            for stray in await rows(w, Stray)
            if stray.asset == other
        ] == [(tx_hash, 1)]


async def test_grains_of_the_same_token_hide_no_sum(database: FreshDatabase) -> None:
    """The ration is used up by grains; what is at least twice the largest of them has its row."""
    async with world(database) as w:
        w.chain.submit([Move(w.assigned, 3, JUNK)] * ROWS_PER_DAY)
        await w.chain.mine()
        await w.scan()
        for units in (5, 6, 11, 1_000):
            await w.pay(w.assigned, units, JUNK)
        assert sorted(stray.units for stray in await rows(w, Stray))[-3:] == [3, 6, 1_000]
        [day] = await rows(w, StrayDay)
        assert (day.kept, day.largest_units) == (ROWS_PER_DAY + 2, 1_000)
        assert (day.dropped, day.dropped_units) == (2, 16)


async def test_at_a_full_address_a_listed_asset_has_its_row(database: FreshDatabase) -> None:
    """What strangers filled an address with leaves room for tokens of the network."""
    async with world(database) as w:
        await w.pay(w.assigned, 1, JUNK)
        [today] = await rows(w, StrayDay)
        full = StrayDay(
            network_id=today.network_id, address=w.assigned, day=today.day, asset="spam",
            kept=UNLISTED_PER_PLACE - 1, largest_units=1, dropped=0, dropped_units=0,
        )  # fmt: skip
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            session.add(full)
        token = w.chain.token
        w.chain.submit([Move(w.assigned, 2, JUNK), Move(w.assigned, 3, token, kind="account")])
        await w.chain.mine()
        await w.scan()
        assert {(stray.asset, stray.units) for stray in await rows(w, Stray)} == {
            (JUNK, 1),
            (token, 3),
        }
        days = {day.asset: (day.kept, day.dropped_units) for day in await rows(w, StrayDay)}
        del days["spam"]
        assert days == {JUNK: (1, 2), token: (1, 0)}


AT = datetime(2026, 1, 1, 23, 59, tzinfo=UTC)
TODAY = Place("a", AT.date())


def sightings(*moves: tuple[int, str, int]) -> list[tuple[Block, Transfer]]:
    """Return strays at address `a`: minutes after `AT`, asset, units."""
    return [
        (
            Block(BlockRef(0, "h", "p", AT + timedelta(minutes=minutes)), ()),
            Transfer(f"t{number}", "token", 0, asset, "", "a", units),
        )
        for number, (minutes, asset, units) in enumerate(moves)
    ]


def test_the_ration_counts_what_is_there() -> None:
    """Rows of before count; what is dropped is counted per address, day and asset."""
    before = {Ration(TODAY, "x"): Count(rows=ROWS_PER_DAY - 1, largest=5)}
    seen = sightings((0, "x", 1), (0, "x", 9), (1, "x", 1), (0, "y", 1))
    chosen, added = rationed(seen, before, {TODAY: ROWS_PER_DAY - 1}, set())
    assert [transfer.tx_hash for _, transfer in chosen] == ["t0", "t2", "t3"]
    assert added[Ration(TODAY, "x")] == Count(1, 1, 1, 9)
    assert added[Ration(TODAY, "y")] == Count(1, 1)


def kept(*floods: list[tuple[int, str, int]], before: int = 0) -> Counter[str]:
    """Return how many rows each asset gets of these, one after the other; `listed` is listed."""
    seen = sightings(*[move for flood in floods for move in flood])
    chosen, added = rationed(seen, {}, {TODAY: before}, {"listed"})
    assert len(chosen) + sum(each.dropped for each in added.values()) == len(seen)
    everything = sum(transfer.units for _, transfer in seen)
    rows = sum(transfer.units for _, transfer in chosen)
    assert rows + sum(each.dropped_units for each in added.values()) == everything
    return Counter(transfer.asset for _, transfer in chosen)


def doubling(asset: str, times: int) -> list[tuple[int, str, int]]:
    """Return amounts of an asset each of which is twice the one before it."""
    return [(0, asset, 2**power) for power in range(times)]


def test_amounts_that_double_have_an_end() -> None:
    """A token of one's own costs nothing in any amount."""
    assert kept(doubling("x", 256), doubling("y", 1)) == {
        "x": ROWS_PER_DAY + LARGER_PER_DAY,
        "y": 1,
    }


def test_many_tokens_in_many_amounts_leave_room_for_what_is_worth_something() -> None:
    """Few tokens leave room for others, many for listed ones, and these have a ceiling, too."""
    few = [move for token in range(60) for move in doubling(f"t{token}", 60)]
    other, listed = [(0, "other", 5)], doubling("listed", 1)
    rows = kept(few, other, listed)
    # Those that come when further rows are over still have their first.
    assert (rows.total(), min(rows.values()), len(rows)) == (1_037, 1, 62)
    many = [(0, f"u{token}", 1) for token in range(3_000)]
    rows = kept(few, many, other, listed)
    assert (rows.total(), rows["other"], rows["listed"]) == (UNLISTED_PER_PLACE + 1, 0, 1)
    assert kept(listed * 9, before=ROWS_PER_PLACE - 3) == {"listed": 3}


def test_tokens_without_end_are_one_number() -> None:
    """Contracts cost their sender their making, and us no row each; a listed one is told apart."""
    seen = sightings((0, "new", 7), (0, "listed", 1), (0, "newer", 2**256 - 1))
    chosen, added = rationed(seen, {}, {TODAY: ROWS_PER_PLACE}, {"listed"})
    assert chosen == []
    assert added == {
        Ration(TODAY, THE_REST): Count(dropped=2, dropped_units=2**256 + 6),
        Ration(TODAY, "listed"): Count(dropped=1, dropped_units=1),
    }
