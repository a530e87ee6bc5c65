"""Blocks that are read again through a node that contradicts the one that was read first."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import msgspec
import pytest
from sqlalchemy import select

from gateway.db import CROSS_TENANT
from gateway.models import AuditLog
from gateway.models import Block as BlockRow
from tests.conftest import FreshDatabase
from tests.fakes.chain import GENESIS_TIME, FakeChain
from tests.fakes.network import FakeReader
from tests.watchers.test_scan import Inventing, eyes
from tests.watchers.world import DUE_UNITS, ETH, NETWORK, World, world
from watchers.network import Block, BlockRef, Incomplete, NodeUnavailable, Transfer
from watchers.reconcile.moves import every_move
from watchers.scan.disputes import disputes, says
from watchers.scan.evidence import Claim
from watchers.scan.rescan import Found, Rescan
from watchers.scan.track import Track

pytestmark = pytest.mark.anyio


@dataclass(slots=True)
class Exaggerating(FakeReader):
    """Says nine times what every transfer brought, and that it went to `to` where that is set."""

    to: str = ""

    async def read(self, height: int) -> Block:
        """Lie about the transfers, not about the block."""
        block = self.chain.block(height).seen(self.tokens)
        lies = [
            msgspec.structs.replace(
                each, units=9 * each.units, recipient=self.to or each.recipient
            )
            for each in block.transfers
        ]
        return replace(block, transfers=tuple(lies), provider="b")


def exaggerating(chain: FakeChain, to: str = "") -> Exaggerating:
    """Return a lying reader."""
    return Exaggerating(chain, chain.chain_id, frozenset({chain.token}), to=to)


async def rescan(w: World, through: FakeReader, first: int, last: int) -> Found:
    """Read again through one node, as another process does."""
    scanner = w.scanner
    track = Track(
        through,
        scanner.database,
        scanner.currencies,
        scanner.book,
        scanner.position,
        scanner.public_url,
        witnesses=scanner.witnesses,
        quorum=scanner.quorum,
    )
    return await Rescan(track, lambda _line: None, asyncio.sleep).run(first, last)


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_rescan_lets_no_second_node_overwrite_what_a_block_brought(
    database: FreshDatabase, *, elsewhere: bool
) -> None:
    """Another amount, another recipient, the payment in another block: refused, nothing moves."""
    async with world(database) as w:
        liar = exaggerating(w.chain, w.free if elsewhere else "")
        w.scanner.witnesses = {"": eyes(w.chain), "b": liar}
        await w.pay(w.assigned, DUE_UNITS, final=False)
        with pytest.raises(Incomplete, match="contradict"):
            await rescan(w, liar, 1, 1)
        [deposit] = await w.deposits()
        assert (deposit.units, deposit.address) == (DUE_UNITS, w.assigned)
        await w.chain.mine(3)
        await w.scan()
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        invoice = await w.invoice()
        assert (invoice.status, invoice.exception) == ("settled", "none")


@dataclass(slots=True)
class Named(FakeReader):
    """Signs its blocks."""

    name: str = ""

    async def read(self, height: int) -> Block:
        """Tell the truth."""
        return replace(self.chain.block(height).seen(self.tokens), provider=self.name)


@dataclass(slots=True)
class Silent(FakeReader):
    """Is down."""

    async def read(self, height: int) -> Block:
        """Answer nothing."""
        raise NodeUnavailable(f"block {height}: down")


@dataclass(slots=True)
class Repeating(FakeReader):
    """Shows the payments of block 1 in every block, and that they went to `to` where it is set."""

    to: str = ""

    async def read(self, height: int) -> Block:
        """Lie about the transfers, not about the block."""
        lies = [
            msgspec.structs.replace(each, recipient=self.to or each.recipient)
            for each in self.chain.block(1).seen(self.tokens).transfers
        ]
        block = self.chain.block(height).seen(self.tokens)
        return replace(block, transfers=tuple(lies), provider="b")


async def test_a_rescan_moves_no_deposit_into_another_standing_block(
    database: FreshDatabase,
) -> None:
    """One transaction stands in one block; where a node shows it in two, one of them lies."""
    async with world(database) as w:
        w.chain.final_stalled = 0
        await w.pay(w.assigned, DUE_UNITS, final=False)
        await w.chain.mine(2)
        await w.scan()
        with pytest.raises(Incomplete, match="contradict"):
            await rescan(w, Repeating(w.chain, 1, frozenset()), 2, 2)
        assert [each.block_height for each in await w.deposits()] == [1]


async def test_an_invoice_whose_payment_is_anothers_now_steps_back(
    database: FreshDatabase,
) -> None:
    """The next block shows the same transaction again, and that it paid somebody else."""
    async with world(database) as w:
        w.chain.final_stalled = 0
        await w.pay(w.assigned, DUE_UNITS, final=False)
        assert (await w.invoice()).status == "processing"
        w.scanner.reader = Repeating(w.chain, 1, frozenset(), to=w.free)
        await w.chain.mine()
        await w.scan()
        assert [each.address for each in await w.deposits()] == [w.free]
        assert (await w.invoice()).status == "expired"


async def test_who_reads_a_block_again_is_no_second_witness_of_what_it_holds(
    database: FreshDatabase,
) -> None:
    """Where nobody can say which of two nodes told of a deposit, both have to show it."""
    async with world(database) as w:
        w.scanner.reader = Named(w.chain, 1, frozenset({w.chain.token}), name="a")
        b = Named(w.chain, 1, frozenset({w.chain.token}), name="b")
        w.scanner.witnesses = {"b": b}
        w.scanner.quorum_above = {ETH: 1}
        w.scanner.final_lane.evidence.retry_seconds = 0
        await w.pay(w.assigned, DUE_UNITS, final=False)
        await rescan(w, b, 1, 1)
        await rescan(w, b, 1, 1)
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            query = select(BlockRow.provider).where(BlockRow.height == 1)
            assert await session.scalar(query) == "a, b"
        w.scanner.witnesses = {"a": Silent(w.chain, 1, frozenset()), "b": b}
        await w.chain.mine(3)
        await w.scan()
        assert await w.wallet("mer_1") == (0, 0)
        w.scanner.witnesses = {"a": w.scanner.reader, "b": b}
        await w.scan()
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)


@dataclass(slots=True)
class Interrupted(FakeReader):
    """Shows the truth, but somebody has done something in the meantime, once."""

    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def read(self, height: int) -> Block:
        """Take long over it."""
        if self.meanwhile is not None:
            done, self.meanwhile = self.meanwhile, None
            await done()
        return replace(self.chain.block(height).seen(self.tokens), provider="b")


async def test_what_a_rescan_adds_during_the_second_look_is_not_credited_without_one(
    database: FreshDatabase,
) -> None:
    """The nodes were asked about the deposits of before; the new one is asked about next."""
    async with world(database) as w:
        liar = Inventing(w.chain, 1, frozenset({w.chain.token}), to=w.free)
        b = Interrupted(w.chain, 1, frozenset({w.chain.token}))
        b.meanwhile = lambda: rescan(w, liar, 1, 1)
        w.scanner.witnesses = {"": eyes(w.chain), "b": b}
        w.scanner.quorum_above = {"USDC-ETHEREUM": 10**6, ETH: 10**17}
        w.scanner.final_lane.evidence.retry_seconds = 0
        await w.pay(w.assigned, DUE_UNITS)
        await w.scan()
        states = {each.kind: each.status for each in await w.deposits()}
        assert states == {"native": "confirmed", "token": "pending"}
        assert await w.wallet("suspense", "USDC-ETHEREUM") == (0, 0)
        assert "is not credited" in (w.scanner.waiting or "")


async def disputed(w: World) -> None:
    """Let a lying node be the first that reads a payment; what it says is held."""
    w.chain.final_stalled = 0
    w.scanner.reader = exaggerating(w.chain, w.free)
    await w.pay(w.assigned, DUE_UNITS, final=False)
    w.scanner.reader = eyes(w.chain)


async def test_two_nodes_that_show_another_payment_put_a_rescan_right(
    database: FreshDatabase,
) -> None:
    """One is not enough. The wrong owner loses it, the right one gets it, and it is on record."""
    async with world(database) as w:
        await disputed(w)
        assert [each.address for each in await w.deposits()] == [w.free]
        liar = exaggerating(w.chain, w.free)
        w.scanner.witnesses = {"a": eyes(w.chain), "liar": liar}
        with pytest.raises(Incomplete, match="contradict"):
            await rescan(w, eyes(w.chain), 1, 1)
        w.scanner.witnesses = {"a": eyes(w.chain), "c": eyes(w.chain), "liar": liar}
        found = await rescan(w, eyes(w.chain), 1, 1)
        assert found.changed == 1
        [deposit] = await w.deposits()
        assert (deposit.status, deposit.units, deposit.address) == (
            "pending",
            DUE_UNITS,
            w.assigned,
        )
        assert (await w.invoice()).status == "processing"
        assert await disproved(w) == [deposit.id]
        w.chain.final_stalled = None
        await w.chain.mine(3)
        await w.scan()
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        assert await w.wallet("suspense") == (0, 0)


async def disproved(w: World) -> list[str]:
    """Return the deposits that the audit log says were disproved."""
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        query = select(AuditLog.subject).where(AuditLog.action == "deposit.disproved")
        return list(await session.scalars(query))


async def test_an_invented_deposit_is_refused_once_two_nodes_do_not_show_its_payment(
    database: FreshDatabase,
) -> None:
    """Its liar may still be there. It leaves its invoice and the books, and stays refused."""
    async with world(database) as w:
        w.chain.final_stalled = 0
        liar = Inventing(w.chain, 1, frozenset({w.chain.token}), to=w.assigned)
        w.scanner.reader = liar
        await w.pay(w.free, 5, final=False)
        w.scanner.reader = eyes(w.chain)
        invented = next(each for each in await w.deposits() if each.kind == "token")
        assert invented.invoice_id == "inv_1"
        w.scanner.witnesses = {"a": eyes(w.chain), "liar": liar}
        assert (await rescan(w, eyes(w.chain), 1, 1)).changed == 0
        assert (await w.deposits())[1].status == "pending"

        w.scanner.witnesses = {"a": eyes(w.chain), "c": eyes(w.chain), "liar": liar}
        assert (await rescan(w, eyes(w.chain), 1, 1)).changed == 1
        states = {each.kind: (each.status, each.reason) for each in await w.deposits()}
        assert states["token"] == ("rejected", "not_shown")
        assert states["native"][0] == "pending"
        assert (await w.invoice()).status == "expired"
        assert await disproved(w) == [invented.id]
        assert (await w.events(invented.id))[-1] == "deposit.reorged"
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            query = every_move(NETWORK, w.scanner.currencies, None, fee_is_alone=True)
            moved = {(row.address, row.asset) for row in await session.execute(query)}
        assert moved == {(w.free, "native")}

        await rescan(w, liar, 1, 1)
        w.chain.final_stalled = None
        await w.chain.mine(3)
        await w.scan()
        states = {each.kind: (each.status, each.reason) for each in await w.deposits()}
        assert states["token"] == ("rejected", "not_shown")
        assert await w.wallet("mer_1", "USDC-ETHEREUM") == (0, 0)


def told(kind: str = "native", **changed: object) -> Transfer:
    """Return a payment as one node tells it."""
    one = Transfer("0x01", kind, 0, "native", "0xaa", "0xbb", 7)
    return msgspec.structs.replace(one, **changed)


def test_a_node_that_cannot_see_a_transfer_disproves_nothing() -> None:
    """Value inside contracts without traces; the same value under another place is there."""
    ref = BlockRef(1, "0xb1", "0xb0", GENESIS_TIME)
    claim = Claim("dep_1", "a", 1, "0xb1", told("internal"))
    blind, seeing = Block(ref, ()), Block(ref, (), internal=True)
    assert disputes([claim], [blind]) == []
    [missing] = disputes([claim], [seeing])
    assert missing.theirs is None
    assert disputes([claim], [Block(ref, (told("internal", ordinal=1),), internal=True)]) == []
    other = Block(ref, (told("internal", units=9),), internal=True)
    assert [says(missing, each) for each in (blind, seeing, other)] == [None, True, False]
    [changed] = disputes([claim], [other])
    assert [says(changed, each) for each in (blind, seeing, other)] == [None, False, True]
    elsewhere = replace(seeing, ref=replace(ref, hash="0xb2"))
    assert says(missing, elsewhere) is None
