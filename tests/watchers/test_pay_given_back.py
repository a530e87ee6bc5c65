"""A hold is given back only where the payment cannot have reached anybody, whoever says so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
import pytest
from sqlalchemy import select

from gateway.db import CROSS_TENANT
from gateway.models import Attempt
from gateway.withdrawals import repository
from gateway.withdrawals.moves import move
from keystore.api import Remembered
from keystore.client import KeystoreClient
from tests.conftest import FreshDatabase
from tests.fakes.chain import FakeChain
from tests.fakes.network import Broadcast, FakeReader
from tests.keystore.house import House
from tests.watchers.test_pay_adoption import bumped_and_canceled
from tests.watchers.test_pay_outbids import wait_blocks
from tests.watchers.test_payouts import (
    AMOUNT,
    DESTINATION,
    Desk,
    desk,
    keystore_house,
    restored,
)
from watchers.clock import now
from watchers.network import Block, ChainReader, NodeUnavailable
from watchers.pay import transactions
from watchers.scan.ends import verdict

pytestmark = pytest.mark.anyio
__all__ = ["keystore_house"]
STUCK_SECONDS = 30.0
"""Only a failure waits so long."""


@dataclass
class Liar(FakeReader):
    """A node that shows some of our transactions as failed."""

    failed: set[str] = field(default_factory=set)

    async def read(self, height: int) -> Block:
        """Return the block at `height` with its lies."""
        block = await FakeReader.read(self, height)
        lies = {
            each: msgspec.structs.replace(outcome, success=False)
            if each in self.failed
            else outcome
            for each, outcome in block.outcomes.items()
        }
        return Block(block.ref, block.transfers, lies)


class Expiring(KeystoreClient):
    """The keystore of a network whose transactions expire and stand in no numbered place (Tron)."""

    made_ms: int = 0

    async def history(self, network: str, after: int) -> list[Remembered]:
        """Return what was signed, with the time it was made and an expiration long past."""
        times = {"timestamp_ms": self.made_ms, "expiration_ms": self.made_ms + 60_000}
        return [
            msgspec.structs.replace(
                each, intent=cast("Any", {**msgspec.to_builtins(each.intent), **times})
            )
            for each in await super().history(network, after)
        ]


def reader(chain: FakeChain) -> FakeReader:
    """Return an honest node."""
    return FakeReader(chain, chain.chain_id, frozenset({chain.token}))


@asynccontextmanager
async def expiring(database: FreshDatabase, house: House) -> AsyncIterator[Desk]:
    """Give a desk whose keystore speaks of expirations."""
    async with desk(database, house) as d, Expiring(house.socket) as keystore:
        d.payouts.keystore = keystore
        yield d


async def forgotten_and_passed(d: Desk, *, landed: bool) -> str:
    """Sign a payment, forget it, and let the scan pass the time in which it lands, or does not."""
    id_ = await d.request(1)
    keystore = d.payouts.keystore
    assert isinstance(keystore, Expiring)
    if not landed:
        d.writer.manner = Broadcast.REFUSE
    await d.payouts.round()
    await d.world.chain.mine()
    keystore.made_ms = int(d.world.chain.blocks[-1].ref.time.timestamp() * 1000)
    await restored(d, id_, "approved")
    for _ in range(3):
        await d.bury()
    d.again()
    d.payouts.adoption.locate = unknown
    return id_


def ask_three(d: Desk) -> Liar:
    """Let the network have three nodes, of which two must agree; return the one that serves it."""
    scanner, chain = d.world.scanner, d.world.chain
    liar = Liar(chain, chain.chain_id, frozenset({chain.token}))
    scanner.reader = liar
    scanner.witnesses = {"a": reader(chain), "b": reader(chain), "liar": liar}
    scanner.quorum = 2
    scanner.locate = located
    scanner.final_lane.ends.retry_seconds = 0
    return liar


async def located(node: ChainReader, tx: str) -> int | None:
    """Ask one honest node."""
    assert isinstance(node, FakeReader)
    for block in node.chain.blocks:
        if any(each.tx_hash == tx for each, _ in block.transactions):
            return block.ref.height
    return None


async def unknown(tx: str) -> int | None:
    """Answer as a node that keeps no old transactions, or lies."""
    return None if tx else 0


async def test_what_was_ended_behind_its_back_is_set_aside_and_finality_goes_on(
    database: FreshDatabase, keystore_house: House
) -> None:
    """The withdrawal was failed while its payment was under way; the next one is settled."""
    async with desk(database, keystore_house) as d:
        ids = [await d.request(number) for number in (1, 2)]
        await d.payouts.round()
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            row = await repository.locked(session, ids[0])
            assert row is not None
            await move(session, row, "failed", now())
        await d.bury()
        first, second = await d.attempts()
        assert (first.state, first.success) == ("included", None)
        assert "needs a person" in (first.last_answer or "")
        assert second.state == "succeeded"
        assert (await d.withdrawal(ids[1])).status == "completed"
        before = d.world.scanner.position.final_height
        await d.bury()
        assert d.world.scanner.position.final_height > before


async def test_one_lying_node_gives_no_paid_withdrawal_back(
    database: FreshDatabase, keystore_house: House
) -> None:
    """It waits with the reason; when the others say the same it fails and its hold is free."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(1)
        liar = ask_three(d)
        await d.payouts.round()
        [attempt] = await d.attempts()
        liar.failed.add(attempt.tx_hash or "")
        await d.bury()
        waiting = await d.withdrawal(id_)
        assert waiting.status == "confirming"
        assert "shows another end" in (waiting.blocked_reason or "")
        assert (await d.world.wallet("mer_1"))[1] == AMOUNT
        assert "is not settled" in (d.world.scanner.unsettled or "")
        assert d.world.scanner.waiting is None, "deposits are taken all the same"
        other = Liar(d.world.chain, d.world.chain.chain_id, liar.tokens, failed=liar.failed)
        d.world.scanner.witnesses = {**d.world.scanner.witnesses, "b": other}
        await d.bury()
        assert (await d.withdrawal(id_)).status == "failed"
        assert (await d.world.wallet("mer_1"))[1] == 0


async def test_a_cancel_that_landed_is_believed_when_enough_nodes_show_it(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Two honest nodes and one that calls it failed: it took the place all the same."""
    async with desk(database, keystore_house, bump_blocks=1) as d:
        id_, order = await bumped_and_canceled(d)
        ask_three(d).failed.add(order[2].tx_hash or "")
        d.world.chain.mine_only([order[2].tx_hash or ""])
        d.world.chain.pool.clear()
        await d.bury()
        assert (await d.withdrawal(id_)).status == "failed"
        assert (await d.world.wallet("mer_1"))[1] == 0


@pytest.mark.parametrize("landed", [True, False], ids=["landed", "never landed"])
async def test_a_payment_that_the_scan_passed_unknown_is_looked_for_before_it_expires(
    database: FreshDatabase, keystore_house: House, *, landed: bool
) -> None:
    """No node knows it any more; our own blocks do, or prove that it stands in none."""
    async with expiring(database, keystore_house) as d:
        id_ = await forgotten_and_passed(d, landed=landed)
        await d.payouts.round()
        await d.bury()
        assert (await d.withdrawal(id_)).status == ("completed" if landed else "failed")
        assert await d.world.chain.balance(DESTINATION) == (AMOUNT if landed else 0)
        assert (await d.world.wallet("mer_1"))[1] == 0
        assert await d.world.sum_is_zero()


async def test_a_payment_whose_blocks_cannot_all_be_read_again_is_a_persons(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Nothing is given back, and the row says why."""
    async with expiring(database, keystore_house) as d:
        id_ = await forgotten_and_passed(d, landed=True)
        d.payouts.adoption.passed.blocks_max = 2
        await d.payouts.round()
        await d.bury()
        waiting = await d.withdrawal(id_)
        assert waiting.status == "broadcast"
        assert "needs a person" in (waiting.blocked_reason or "")
        assert (await d.world.wallet("mer_1"))[1] == AMOUNT


async def test_blocks_that_do_not_go_back_far_enough_prove_nothing(
    database: FreshDatabase, keystore_house: House
) -> None:
    """The scan began after the payment was made."""
    async with expiring(database, keystore_house) as d:
        id_ = await forgotten_and_passed(d, landed=False)
        assert isinstance(d.payouts.keystore, Expiring)
        d.payouts.keystore.made_ms = 1
        await d.payouts.round()
        await d.bury()
        assert (await d.withdrawal(id_)).status == "broadcast"


async def test_one_node_that_shows_an_expired_payment_keeps_its_hold(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Our own node hid it; whoever knows it is right, and a silent one is no witness."""
    async with expiring(database, keystore_house) as d:
        id_ = await forgotten_and_passed(d, landed=False)
        ask_three(d)
        knows = {"b"}

        async def find(node: ChainReader, tx: str) -> int | None:
            del tx
            name = next(k for k, v in d.world.scanner.witnesses.items() if v is node)
            if name in silent:
                raise NodeUnavailable("silent")
            return 7 if name in knows else None

        silent: set[str] = set()
        d.world.scanner.locate = find
        await d.payouts.round()
        await d.bury()
        waiting = await d.withdrawal(id_)
        assert waiting.status == "broadcast"
        assert "b shows it in block 7" in (waiting.blocked_reason or "")
        knows.clear()
        silent |= {"a", "b"}
        await d.bury()
        assert "1 of 2" in ((await d.withdrawal(id_)).blocked_reason or "")
        silent.clear()
        await d.bury()
        assert (await d.withdrawal(id_)).status == "failed"


def test_absence_is_believed_where_nobody_contradicts_it() -> None:
    """One that differs is outvoted about an end, never about a transaction that it shows."""
    said = {"a": None, "b": None, "c": "shows it in block 7"}
    assert verdict(said, 2, unanimous=False) is None
    assert verdict(said, 2, unanimous=True) == "c shows it in block 7"
    assert verdict({"a": None}, 2, unanimous=True) == "1 of 2 providers answer"


async def test_rounds_that_only_look_at_an_order_do_not_lock_what_settling_locks(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Settling locks the landed row first, then the others: whoever locks by place would deadlock."""
    async with desk(database, keystore_house, bump_blocks=1) as d:
        _, order = await bumped_and_canceled(d)
        async with d.world.database.unit_of_work(CROSS_TENANT) as settling:
            landed = select(Attempt).where(Attempt.id == order[2].id)
            await settling.execute(landed.with_for_update())
            async with asyncio.timeout(STUCK_SECONDS):
                await d.payouts.cancels.round()
            assert len(await transactions.locked(settling, order[0].order_id)) == 3


async def test_a_replacement_is_signed_while_another_of_its_order_is_locked(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Whether the order stands, and what it competes with, is only looked at."""
    async with desk(database, keystore_house, bump_blocks=1) as d:
        d.writer.manner = Broadcast.REFUSE
        await d.request(1)
        await d.payouts.round()
        await wait_blocks(d, 1)
        await d.payouts.outbids.round()
        first, _ = await d.attempts()
        async with d.world.database.unit_of_work(CROSS_TENANT) as settling:
            landed = select(Attempt).where(Attempt.id == first.id)
            await settling.execute(landed.with_for_update())
            async with asyncio.timeout(STUCK_SECONDS):
                await d.payouts.hands.sign()
        assert [each.state for each in await d.attempts()] == ["signed", "signed"]
