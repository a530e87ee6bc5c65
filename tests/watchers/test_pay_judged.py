"""What needs a person: he says how a payout ended, and the chain is asked whether that can be."""

from dataclasses import replace

import msgspec
import pytest
from sqlalchemy import select, update

from gateway.db import CROSS_TENANT
from gateway.models import Attempt, AuditLog
from tests.conftest import FreshDatabase
from tests.fakes.network import FakeReader
from tests.keystore.house import House
from tests.watchers.test_payouts import Desk, desk, keystore_house
from tests.watchers.world import NETWORK, USDC
from watchers.clock import now
from watchers.network import ChainReader
from watchers.pay import judged, own_bytes
from watchers.pay.judged import Judgement, NotSettled
from watchers.pay.settler import UNBOOKABLE

pytestmark = pytest.mark.anyio
__all__ = ["keystore_house"]
UNITS = 5 * 10**6


def blind(d: Desk) -> FakeReader:
    """Return a reader that knows of no token."""
    return FakeReader(d.world.chain, d.world.chain.chain_id, frozenset())


async def parked(d: Desk, number: int = 1) -> str:
    """Return a payout that succeeded on chain without the transfer that this watcher can read."""
    id_ = await d.request(number, USDC, UNITS)
    await d.payouts.round()
    d.world.scanner.reader = blind(d)
    await d.bury()
    assert (await d.withdrawal(id_)).status == "confirming"
    return id_


async def say(d: Desk, id_: str, reader: ChainReader | None, *, paid: bool) -> None:
    """Judge as an operator does."""
    readers = [] if reader is None else [reader]
    judgement = Judgement(NETWORK, id_, paid, "tester", "looked at the explorer")
    await judged.settle(d.world.database, readers, judgement, now(), edited=own_bytes.nothing)


@pytest.mark.parametrize("paid", [True, False])
async def test_a_person_ends_it_with_the_journals_of_any_other(
    database: FreshDatabase, keystore_house: House, *, paid: bool
) -> None:
    """Paid: out of the ledger; failed: the hold is given back. The fee is booked, the log has it."""
    async with desk(database, keystore_house) as d:
        before = await d.world.wallet("mer_1", USDC)
        id_ = await parked(d)
        await say(d, id_, blind(d), paid=paid)
        ended = await d.withdrawal(id_)
        assert ended.status == ("completed" if paid else "failed")
        assert ended.failure_reason == (None if paid else judged.NOT_PAID)
        left = before[0] - UNITS if paid else before[0]
        assert await d.world.wallet("mer_1", USDC) == (left, 0)
        assert (await d.world.wallet("expense"))[0] == -(ended.network_fee_units or 0) < 0
        assert await d.world.sum_is_zero()
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            query = select(AuditLog).where(AuditLog.action == "withdrawal.settled_by_hand")
            [row] = (await session.scalars(query)).all()
        assert (row.actor, row.subject) == ("operator:tester", id_)
        assert row.after == {"status": ended.status, "reason": "looked at the explorer"}
        with pytest.raises(NotSettled, match="nothing of it waits"):
            await say(d, id_, blind(d), paid=paid)


async def test_what_the_chain_shows_is_not_judged_away(
    database: FreshDatabase, keystore_house: House
) -> None:
    """A node that sees the transfer, or none at all, leaves the hold where it is."""
    async with desk(database, keystore_house) as d:
        id_ = await parked(d)
        seeing = FakeReader(
            d.world.chain, d.world.chain.chain_id, frozenset({d.world.chain.token})
        )
        for reader, reason in (
            (seeing, "the very transfer"),
            (None, "no node shows its block"),
        ):
            with pytest.raises(NotSettled, match=reason):
                await say(d, id_, reader, paid=False)
        assert (await d.withdrawal(id_)).status == "confirming"
        with pytest.raises(NotSettled, match="no transaction of such an order"):
            await say(d, "wdr_other", seeing, paid=True)
        await say(d, id_, seeing, paid=True)
        assert (await d.withdrawal(id_)).status == "completed"


async def test_what_failed_on_chain_was_not_paid_whoever_says_so(
    database: FreshDatabase, keystore_house: House
) -> None:
    """The ledger once refused to settle it; the block still says how it ended."""
    async with desk(database, keystore_house) as d:
        id_ = await parked(d)
        reader = blind(d)
        [attempt] = await d.attempts()
        block = await reader.read(attempt.block_height or 0)
        tx_hash = attempt.tx_hash or ""
        failed = msgspec.structs.replace(block.outcomes[tx_hash], success=False)
        doomed = replace(block, outcomes={tx_hash: failed})
        other = replace(block, ref=replace(block.ref, hash="0xother"))
        assert judged.contradiction(attempt, doomed, paid=True) == (
            "its transaction failed on chain"
        )
        assert judged.contradiction(attempt, doomed, paid=False) is None
        for each in (other, replace(block, outcomes={})):
            assert "another block" in (judged.contradiction(attempt, each, paid=True) or "")
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                update(Attempt).values(last_answer=UNBOOKABLE, block_hash="0xreorganised")
            )
        with pytest.raises(NotSettled, match="another block"):
            await say(d, id_, reader, paid=True)


async def test_nothing_is_judged_before_its_block_is_final(
    database: FreshDatabase, keystore_house: House
) -> None:
    """It may still move to another block."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(1, USDC, UNITS)
        await d.payouts.round()
        d.world.scanner.reader = blind(d)
        await d.world.chain.mine()
        await d.world.scan()
        with pytest.raises(NotSettled, match="not final"):
            await say(d, id_, blind(d), paid=True)
