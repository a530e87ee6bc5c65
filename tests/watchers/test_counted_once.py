"""The same money by two ways: refunded and credited, compared and traced, ours and rescanned."""

import asyncio
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import select, update

from gateway.db import CROSS_TENANT
from gateway.deposits import service as deposits
from gateway.deposits.service import Desk
from gateway.models import Attempt, Cursor
from gateway.models import Block as BlockRow
from tests.conftest import FreshDatabase
from tests.fakes.chain import GENESIS_TIME, Move
from tests.fakes.network import FakeReader
from tests.watchers.test_desk import SOMEWHERE, bureau
from tests.watchers.world import DUE_UNITS, ETH, NETWORK, PUBLIC_URL, USDC, World, world
from watchers.addresses import arrivals
from watchers.clock import now
from watchers.network import NATIVE, Block, Transfer
from watchers.pay import holds
from watchers.scan.rescan import Rescan

pytestmark = pytest.mark.anyio
MINIMUM = DUE_UNITS // 10


def rescan(w: World) -> Rescan:
    """Return a rescan of the world's network that tells nobody."""
    return Rescan(w.scanner, lambda _line: None, asyncio.sleep)


async def test_dust_that_is_being_refunded_is_not_credited_by_a_later_payment(
    database: FreshDatabase,
) -> None:
    """It left suspense once: the invoice gets what arrives afterwards and nothing of it."""
    async with bureau(database, minimum=MINIMUM) as b:
        w, dust = b.world, MINIMUM // 2
        await w.pay(w.free, DUE_UNITS)
        await w.pay(w.assigned, dust)
        row = next(d for d in await w.deposits() if d.reason == "below_minimum")
        paying = await b.resolved(row.id, "refund", destination=SOMEWHERE)
        assert paying["status"] == "paying"
        await w.pay(w.assigned, MINIMUM)
        refunded = next(d for d in await w.deposits() if d.id == row.id)
        assert (refunded.purpose, refunded.merchant_id) == ("refund", None)
        assert await w.wallet("mer_1") == (MINIMUM, 0)
        assert await w.wallet("suspense") == (DUE_UNITS, dust)


async def test_dust_that_is_refunded_does_not_lift_other_dust_above_the_minimum(
    database: FreshDatabase,
) -> None:
    """What is on its way back no longer stands there."""
    async with bureau(database, minimum=MINIMUM) as b:
        w, dust = b.world, MINIMUM * 6 // 10
        await w.pay(w.assigned, dust)
        [row] = await w.deposits()
        await b.resolved(row.id, "refund", destination=SOMEWHERE)
        await w.pay(w.assigned, dust)
        assert [d.invoice_id for d in await w.deposits()] == [None, None]
        assert await w.wallet("mer_1") == (0, 0)
        assert await w.wallet("suspense") == (dust, dust)


async def credit_difference(w: World, units: int) -> None:
    """Credit a balance difference of the assigned address, as the reconciler does."""
    ref = w.chain.blocks[w.scanner.position.final_height].ref
    name = f"balance:{ref.hash}:{w.assigned}"
    found = Transfer(name, "balance", 0, NATIVE, "", w.assigned, units)
    async with w.database.unit_of_work(CROSS_TENANT) as session:
        hit = (Block(ref, ()), found)
        made = await arrivals(session, NETWORK, w.scanner.currencies, w.scanner.book, [hit])
        await deposits.record(Desk(session, now(), PUBLIC_URL), made, w.scanner.heads)
    await w.scan()


@dataclass(slots=True)
class Untraced(FakeReader):
    """A node that does not trace: value inside contracts is not shown."""

    async def read(self, height: int) -> Block:
        """Leave the internal transfers out."""
        block = self.chain.block(height).seen(self.tokens)
        plain = tuple(each for each in block.transfers if each.kind != "internal")
        return replace(block, transfers=plain)


async def test_a_reorged_internal_transfer_found_again_is_not_counted_beside_its_balance(
    database: FreshDatabase,
) -> None:
    """Traced, orphaned, mined again unseen, credited as a difference, then traced once more."""
    async with world(database) as w:
        traced = w.scanner.reader
        w.chain.submit([Move(w.assigned, DUE_UNITS, kind="internal")])
        await w.chain.mine()
        await w.scan()
        assert [d.status for d in await w.deposits()] == ["pending"]
        w.scanner.reader = Untraced(w.chain, w.chain.chain_id, frozenset({w.chain.token}))
        w.chain.fork(1)
        await w.chain.mine(2 + w.chain.final_lag)
        await w.scan()  # back to where the branches part
        await w.scan()
        assert [d.status for d in await w.deposits()] == ["reorged"]
        await credit_difference(w, DUE_UNITS)
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        w.scanner.reader = traced
        await rescan(w).run(0, w.scanner.position.height)
        await w.scan()
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        states = {d.kind: (d.status, d.reason) for d in await w.deposits()}
        assert states["internal"] == ("rejected", "counted_as_balance")


async def test_a_rescan_makes_no_capital_of_our_own_ended_transaction(
    database: FreshDatabase,
) -> None:
    """What we moved into our own wallet stays ours after it ended, too."""
    async with world(database) as w:
        ours = w.chain.submit([Move(w.hot, 5)])
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            session.add(
                Attempt(
                    id="att_1",
                    order_id="att_1",
                    network_id=NETWORK,
                    purpose="setup",
                    intent={},
                    sender=w.hot,
                    raw=b"-",
                    tx_hash=ours,
                    state="signed",
                    broadcasts=1,
                    created_at=GENESIS_TIME,
                )
            )
        await w.chain.mine(1 + w.chain.final_lag)
        await w.scan()
        await rescan(w).run(0, w.scanner.position.height)
        await w.scan()
        assert await w.deposits() == []
        assert await w.wallet("external") == (0, 0)


async def test_nothing_below_the_final_height_is_credited_while_the_network_is_halted(
    database: FreshDatabase,
) -> None:
    """The node contradicts what was final: what waits there goes on waiting."""
    async with world(database) as w:
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await holds.put(session, NETWORK, ETH, holds.CHANGED, "it looks odd", at=now().at)
        await w.pay(w.assigned, DUE_UNITS)
        assert await w.wallet("mer_1") == (0, 0)
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await holds.lift(session, ETH, holds.CHANGED)
            await session.execute(update(Cursor).values(halted="it was final"))
        w.scanner.position = replace(w.scanner.position, halted="it was final")
        await w.scan()
        assert await w.wallet("mer_1") == (0, 0)


@dataclass(slots=True)
class Liar(FakeReader):
    """Adds a token transfer to the free address to every block with a payment."""

    to: str = ""
    name: str = ""

    async def read(self, height: int) -> Block:
        """Lie about the transfers, not about the block."""
        block = self.chain.block(height).seen(self.tokens)
        lies = [
            Transfer(each.tx_hash, "token", 9, self.chain.token, "", self.to, 9 * 10**6)
            for each in block.transfers
            if self.to
        ]
        return replace(block, transfers=(*block.transfers, *lies), provider=self.name)


async def test_a_provider_that_served_a_rescan_is_no_second_witness_of_it(
    database: FreshDatabase,
) -> None:
    """The block was first read from another one, which did not show the transfer."""
    async with world(database) as w:
        tokens = frozenset({w.chain.token})
        honest = Liar(w.chain, 1, tokens, name="a")
        liar = Liar(w.chain, 1, tokens, to=w.assigned, name="b")
        w.scanner.reader = honest
        w.scanner.witnesses = {"a": honest, "b": liar}
        w.scanner.quorum_above = {USDC: 1}
        await w.pay(w.assigned, DUE_UNITS)
        w.scanner.reader = liar
        await rescan(w).run(0, w.scanner.position.height)
        w.scanner.reader = honest
        w.scanner.final_lane.evidence.retry_seconds = 0
        await w.scan()
        assert await w.wallet("mer_1", USDC) == (0, 0)
        states = {d.kind: d.status for d in await w.deposits()}
        assert states == {"native": "confirmed", "token": "pending"}
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            row = select(BlockRow.provider).where(BlockRow.height == 1)
            assert await session.scalar(row) == "a, b"


async def test_a_provider_that_does_not_trace_is_named_as_such(
    database: FreshDatabase,
) -> None:
    """It cannot confirm value inside a contract, and does not contradict it either."""
    async with world(database) as w:
        w.scanner.witnesses = {
            "": w.scanner.reader,
            "b": Untraced(w.chain, 1, frozenset({w.chain.token})),
        }
        w.scanner.quorum_above = {ETH: 1}
        w.chain.submit([Move(w.assigned, DUE_UNITS, kind="internal")])
        await w.chain.mine(1 + w.chain.final_lag)
        await w.scan()
        assert await w.wallet("mer_1") == (0, 0)
        assert "b does not show value that moves inside contracts" in (w.scanner.waiting or "")
