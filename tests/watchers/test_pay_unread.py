"""An order on a nonce lane that the scan may have passed: our own blocks tell, or a person does."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from gateway.db import CROSS_TENANT
from gateway.domain.moment import Moment, made_at
from gateway.models import Attempt, AuditLog, CancelRequest
from tests.conftest import FreshDatabase
from tests.fakes.chain import GENESIS_TIME
from tests.fakes.network import FakeReader, FakeWriter
from tests.watchers.test_pay_lanes import Accounts
from tests.watchers.world import NETWORK, World, world
from watchers.chain import Chain
from watchers.clock import now
from watchers.network import Block, ChainReader, Incomplete, NodeUnavailable, Refused
from watchers.pay import own_bytes, unread
from watchers.pay.judged import Judgement, Locate, NotSettled
from watchers.pay.passed import BLOCKS_PER_ROUND, Passed
from watchers.pay.present import Present
from watchers.pay.transactions import of_order, replacement
from watchers.rpc import Endpoints

pytestmark = pytest.mark.anyio
LANE, SIGNED, HELD = "lane", "its own value", "another value"
LATER = timedelta(minutes=4)


def id_of(at: datetime) -> str:
    """Return the id of an order that was begun then."""
    return Moment(at, bytes).id("hse")


@dataclass(slots=True)
class Counting(FakeReader):
    """Remembers what was read."""

    heights: list[int] = field(default_factory=list)

    async def read(self, height: int) -> Block:
        """Read it."""
        self.heights.append(height)
        return await FakeReader.read(self, height)


@dataclass
class Lane:
    """A world with one order on a lane, which the scan may have passed up to its head."""

    world: World
    reader: Counting
    present: Present
    order_id: str

    async def order(self) -> list[Attempt]:
        """Return its transactions."""
        async with self.world.owner.unit_of_work(CROSS_TENANT) as session:
            return await of_order(session, self.order_id)

    async def value(self) -> str | None:
        """Return the value that is named beside the order's own."""
        intent = await self.present.intent_of(await self.order())
        return intent.get("present_value")

    async def canceled(self) -> None:
        """Put a cancel on its own value beside it."""
        [first] = await self.order()
        async with self.world.owner.unit_of_work(CROSS_TENANT) as session:
            cancel = await replacement(session, first, first.intent, now(), purpose="cancel")
            cancel.state, cancel.raw, cancel.tx_hash = "signed", b"-", "0xcancel"

    async def asked(self) -> None:
        """Let somebody want it taken back."""
        async with self.world.owner.unit_of_work(CROSS_TENANT) as session:
            wish = {"id": "cnr_1", "asked_by": "eve", "asked_at": now().at}
            row = insert(CancelRequest).values(
                network_id=NETWORK, order_id=self.order_id, **wish
            )
            await session.execute(row)

    async def said(self, *locates: Locate, paid: bool = False) -> None:
        """Say what became of it, as a person does."""
        told = Judgement(NETWORK, self.order_id, paid, "eve", "looked at the explorer")
        answers = dict(zip("abc", locates, strict=False))

        async def locate(node: ChainReader, tx: str) -> int | None:
            return await answers[node.chain.url](node, tx)  # type: ignore[attr-defined]

        nodes: Sequence[ChainReader] = [node(name) for name in answers]
        await unread.believe(
            self.world.database, nodes, told, now(), locate, edited=own_bytes.nothing
        )


def node(name: str) -> ChainReader:
    """Return a node that has a name and nothing else."""
    return FakeReader(_Named(name), 1, frozenset())  # type: ignore[arg-type]


@dataclass
class _Named:
    url: str


async def nobody(each: ChainReader, tx: str) -> int | None:
    """Know of nothing."""
    del each, tx
    return None


async def somebody(each: ChainReader, tx: str) -> int | None:
    """Know it."""
    del each, tx
    return 7


async def silence(each: ChainReader, tx: str) -> int | None:
    """Say nothing."""
    del each, tx
    raise NodeUnavailable("silent")


@asynccontextmanager
async def lane(
    database: FreshDatabase,
    begun: datetime,
    blocks: int,
    *,
    landed: bool = False,
    **other: Any,
) -> AsyncIterator[Lane]:
    """Mine and scan `blocks`; take over an order that was `begun` then, of which no row knew."""
    async with world(database) as w:
        first = await w.chain.pay(w.hot, 10**9)
        await w.chain.mine(blocks)
        await w.scan()
        accounts, id_ = Accounts({LANE: HELD}), id_of(begun)
        values: dict[str, object] = {
            "id": "att_1", "order_id": id_, "network_id": NETWORK, "purpose": "lost",
            "intent": {"withdrawal_id": id_, "nonce_value": SIGNED}, "sender": w.hot,
            "nonce_account": LANE, "nonce_value": SIGNED, "state": "signed", "raw": b"-",
            "tx_hash": first if landed else "0xnowhere", "passed_height": w.scanner.position.height,
            "broadcasts": 0, "created_at": now().at,
        }  # fmt: skip
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            session.add(Attempt(**(values | other)))
        reader = Counting(w.chain, w.chain.chain_id, frozenset())
        writer = FakeWriter(w.chain, NETWORK)
        chain = Chain(reader, writer, Endpoints(["http://127.0.0.1:1"]), lanes=accounts)
        passed = Passed(NETWORK, chain, w.database, w.scanner.position)
        yield Lane(w, reader, Present(NETWORK, w.database, accounts, passed), id_)


def test_an_id_says_when_it_was_made() -> None:
    """Others say nothing, and nothing is concluded from them."""
    assert made_at(id_of(GENESIS_TIME)) == GENESIS_TIME
    assert made_at(now().id("wdr")) is not None
    for other in ("wdr_1", "", "wdr_" + "u" * 26, "wdr_" + "Z" * 26):
        assert made_at(other) is None


async def test_it_is_taken_back_on_what_its_lane_holds_once_the_blocks_it_may_stand_in_were_read(
    database: FreshDatabase,
) -> None:
    """So many in a round; those from before it was begun, and above its taking over, are not."""
    begun, blocks = GENESIS_TIME + LATER, 2 * BLOCKS_PER_ROUND
    async with lane(database, begun, blocks) as it:
        assert await it.value() is None
        assert len(it.reader.heights) == BLOCKS_PER_ROUND
        assert await it.value() == HELD
        [first] = await it.order()
        assert first.passed_height is None
        lowest = it.world.chain.block(min(it.reader.heights)).ref
        assert lowest.time <= begun - timedelta(minutes=1) < lowest.time + LATER
        assert sorted(it.reader.heights) == list(range(lowest.height, it.world.chain.head + 1))


async def test_it_is_seen_in_the_block_that_the_scan_had_passed(
    database: FreshDatabase,
) -> None:
    """Nothing takes the place of what landed."""
    async with lane(database, GENESIS_TIME + timedelta(minutes=1), 30, landed=True) as it:
        assert await it.value() is None
        [first] = await it.order()
        assert (first.state, first.block_height) == ("included", 1)


async def test_where_our_blocks_do_not_go_back_so_far_a_person_is_asked_for(
    database: FreshDatabase,
) -> None:
    """Its own value is tried first: nothing but a node says that the lane holds another."""
    async with lane(database, GENESIS_TIME - LATER, 5) as it:
        assert await it.value() is None
        await it.canceled()
        for _ in range(2):
            with pytest.raises(Refused, match=f"watchers settle {NETWORK} {it.order_id} --f"):
                await it.value()
        assert it.reader.heights == []


async def test_a_block_that_a_node_shows_otherwise_tells_nothing(
    database: FreshDatabase,
) -> None:
    """Ours alone is read."""
    async with lane(database, GENESIS_TIME + LATER, 30) as it:
        it.world.chain.incomplete.add(25)
        with pytest.raises(Incomplete):
            await it.value()
        [first] = await it.order()
        assert first.passed_height is not None


async def test_a_person_s_word_that_it_never_landed_lets_it_be_taken_back(
    database: FreshDatabase,
) -> None:
    """No node may know it, one has to answer, and our own blocks are asked before."""
    async with lane(database, GENESIS_TIME - LATER, 5) as it:
        w = it.world
        assert await unread.waits(w.database, NETWORK, it.order_id)
        with pytest.raises(NotSettled, match="first watchers cancel"):
            await it.said(nobody)
        await it.asked()
        for locates, paid, words in (
            ((nobody, somebody), False, "a node shows it in block 7"),
            ((silence, silence), False, "no node answers"),
            ((nobody,), True, "no block of ours shows"),
        ):
            with pytest.raises(NotSettled, match=words):
                await it.said(*locates, paid=paid)
        assert await it.value() is None
        await it.said(nobody, silence)
        assert await it.value() == HELD
        assert not await unread.waits(w.database, NETWORK, it.order_id)
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            query = select(AuditLog).where(AuditLog.action == "order.said_unpaid")
            [row] = (await session.scalars(query)).all()
        assert (row.actor, row.subject) == ("operator:eve", it.order_id)


@pytest.mark.parametrize(
    "other",
    [
        {"nonce_value": None, "nonce_account": None},
        {"passed_height": None},
        {"state": "included", "block_height": 1, "block_hash": "0x", "success": True},
    ],
)
async def test_no_other_order_is_let_go_so(
    database: FreshDatabase, other: dict[str, Any]
) -> None:
    """What stands in a block is judged by that, and what has no lane is not taken back."""
    async with lane(database, GENESIS_TIME - LATER, 5, **other) as it:
        assert not await unread.waits(it.world.database, NETWORK, it.order_id)
        assert not await unread.waits(it.world.database, "moon", it.order_id)
