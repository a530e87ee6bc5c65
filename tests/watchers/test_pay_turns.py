"""Who waits has his turn, and says for whom: nobody starves behind those that are held."""

import asyncio
from argparse import Namespace
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import delete, update

from devnet.system.waiting import until
from gateway.catalog.troubles import Troubles
from gateway.db import CROSS_TENANT
from gateway.models import Attempt, Currency, Signature, Withdrawal
from keystore.client import KeystoreClient, KeystoreUnavailable
from tests.conftest import FreshDatabase
from tests.fakes.network import Broadcast
from tests.keystore.house import House
from tests.watchers.test_payouts import AMOUNT, BALANCE, Desk, desk, keystore_house
from tests.watchers.world import ETH, NETWORK, USDC, world
from watchers.clock import now
from watchers.commands import status
from watchers.health import Health, publish
from watchers.loops import Loops
from watchers.network import Incomplete
from watchers.pay import holds
from watchers.pay.payouts import CLAIMS_PER_ROUND
from watchers.pay.withdrawing import SILENT, say

pytestmark = pytest.mark.anyio
__all__ = ["keystore_house"]


async def a_minute_passes(d: Desk) -> None:
    """Let every pause before another try pass."""
    async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
        earlier = Withdrawal.updated_at - timedelta(minutes=1)
        await session.execute(update(Withdrawal).values(updated_at=earlier))


async def test_a_payout_that_waited_once_is_not_starved_by_older_ones_that_are_held(
    database: FreshDatabase, keystore_house: House
) -> None:
    """More than a round tries are held for good; the one behind them is paid in the next round."""
    async with desk(database, keystore_house) as d:
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await holds.put(session, NETWORK, USDC, holds.DRIFT, "drift", at=now().at)
        for number in range(CLAIMS_PER_ROUND + 1):
            await d.request(10 + number, USDC, 1)
        eth = await d.request(95)
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await holds.put(session, NETWORK, ETH, holds.DRIFT, "a moment", at=now().at)
        for _ in range(2):
            await d.payouts.round()
        assert "a moment" in ((await d.withdrawal(eth)).blocked_reason or "")
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await holds.lift(session, ETH, holds.DRIFT)
        for _ in range(2):
            await a_minute_passes(d)
            await d.payouts.round()
        assert (await d.withdrawal(eth)).status == "broadcast"


async def test_a_payout_says_that_the_keystore_is_away_and_goes_on_when_it_is_back(
    database: FreshDatabase, keystore_house: House
) -> None:
    """What was said about it before stays; its turn too."""
    async with desk(database, keystore_house) as d:
        present = d.payouts.keystore
        id_, poor = await d.request(1), await d.request(2, units=BALANCE - AMOUNT)
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await say(session, poor, "the wallet is poor", now())
        d.payouts.keystore = KeystoreClient(keystore_house.home / "nobody.sock")
        d.again()
        with pytest.raises(KeystoreUnavailable):
            await d.payouts.round()
        assert (await d.withdrawal(id_)).blocked_reason == SILENT
        assert (await d.withdrawal(poor)).blocked_reason == "the wallet is poor"
        d.payouts.keystore = present
        d.again()
        await a_minute_passes(d)
        await d.payouts.round()
        assert (await d.withdrawal(id_)).status == "broadcast"
        assert (await d.withdrawal(id_)).blocked_reason is None


async def test_what_a_task_waits_for_is_published_until_it_works_again(
    database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    """`watchers status` and the metrics name it; payment methods stay, they hang on the scan."""
    async with world(database) as w:
        health, registry = Health(), CollectorRegistry()
        troubles, away, ran = Troubles(registry), asyncio.Event(), asyncio.Event()

        async def work() -> None:
            ran.set()
            if not away.is_set():
                raise KeystoreUnavailable("gone\x1b fishing")

        async def shown() -> tuple[int, str, float | None]:
            await publish(w.database, w.scanner.position, w.scanner.tip, None, health.others())
            await troubles.round(w.database, now())
            code = await status.command(database.settings, w.database, Namespace())
            labels = {"network": NETWORK, "task": "payouts"}
            series = registry.get_sample_value("gateway_watcher_waiting", labels)
            return code, capsys.readouterr().out, series

        task = asyncio.create_task(Loops(NETWORK, health).repeat("payouts", work, 0.01))
        await asyncio.wait_for(ran.wait(), 20)
        code, out, series = await shown()
        assert (code, series) == (1, 1)
        assert "payouts waits since" in out
        assert "payouts: gone  fishing" in out
        assert health.trouble is None
        away.set()
        await until(lambda: recovered(health), "the task works again")
        task.cancel()
        code, out, series = await shown()
        assert (code, series) == (0, None)
        assert "waits since" not in out


async def recovered(health: Health) -> bool | None:
    """Tell whether nothing troubles anybody."""
    return True if not health.troubles else None


async def test_what_is_signed_is_sent_again_though_the_past_cannot_be_read(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Bytes that expire do not wait for a node that names a wrong block."""
    async with desk(database, keystore_house) as d:
        d.writer.manner = Broadcast.DROP
        kept, forgotten = await d.request(1), await d.request(2)
        await d.payouts.round()
        await d.rest()
        d.writer.manner = Broadcast.TAKE
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(delete(Signature).where(Signature.withdrawal_id == forgotten))
            await session.execute(delete(Attempt).where(Attempt.order_id == forgotten))

        async def wrong(_tx: str) -> int | None:
            raise Incomplete("said to stand in a block that is not there")

        d.again()
        d.payouts.adoption.locate = wrong
        with pytest.raises(Incomplete):
            await d.payouts.round()
        assert list(d.world.chain.pool) == [(await d.withdrawal(kept)).tx_hash]


async def test_a_token_that_keeps_a_part_of_every_transfer_is_not_sent(
    database: FreshDatabase, keystore_house: House
) -> None:
    """What was approved before the flag was set waits and says why; nothing is signed."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(1, USDC, 1)
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            flag = update(Currency).where(Currency.id == USDC).values(fee_on_transfer=True)
            await session.execute(flag)
        await d.payouts.round()
        assert "keeps a part" in ((await d.withdrawal(id_)).blocked_reason or "")
        assert await d.attempts() == []
