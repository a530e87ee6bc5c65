"""What somebody else has at this moment: a command says so, tries again by itself, or may be typed again."""

import argparse
import asyncio

import pytest
from sqlalchemy import make_url, text, update

from devnet.system.waiting import until
from gateway.db import CROSS_TENANT, Database
from gateway.domain.posting import SUSPENSE
from gateway.invoices import repository as invoices
from gateway.ledger.repository import left_of
from gateway.models import Attempt
from tests.conftest import FreshDatabase
from tests.keystore.house import House
from tests.watchers.reopening import ORDER, rewritten
from tests.watchers.test_payouts import desk, keystore_house
from tests.watchers.test_reopen_payouts import books_fit
from tests.watchers.test_reopen_refunds import refund_that_turns
from tests.watchers.world import DUE_UNITS, ETH, NETWORK, world
from watchers.clock import now
from watchers.commands.carried import answered
from watchers.contention import AGAIN, TryAgain, repeated
from watchers.pay import judged, own_bytes
from watchers.pay.judged import Judgement
from watchers.scan import reopen

__all__ = ["keystore_house"]
pytestmark = pytest.mark.anyio
WAITS = text("SELECT count(*) FROM pg_locks WHERE NOT granted")


async def test_a_person_s_word_about_what_is_being_changed_is_to_be_said_again(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Nothing is refused and nothing done: the same words end it once the invoice is free."""
    async with desk(database, keystore_house) as d:
        id_ = await refund_that_turns(d, 1)
        judgement = Judgement(NETWORK, id_, paid=True, person="ada", reason="seen")

        async def say() -> None:
            reader = d.world.scanner.reader
            await judged.settle(
                d.world.database, [reader], judgement, now(), edited=own_bytes.nothing
            )

        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await invoices.locked(session, "inv_1")
            await d.bury()
            async with d.world.owner.unit_of_work(CROSS_TENANT) as other:
                await other.execute(update(Attempt).values(success=None))
            with pytest.raises(TryAgain, match="inv_1 is being changed"):
                await say()
        assert (await d.withdrawal(id_)).status == "failed"
        await say()
        assert (await d.withdrawal(id_)).status == "completed"
        assert await books_fit(d)


def test_what_may_be_tried_again_has_an_exit_code_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A script repeats the command; what is refused for good it must not."""

    def busy() -> int:
        raise TryAgain("wdr_1: invoice inv_1 is being changed")

    assert answered(busy, argparse.Namespace(network=NETWORK)) == AGAIN == 75
    told = "watchers: wdr_1: invoice inv_1 is being changed: nothing was done, try again\n"
    assert capsys.readouterr().err == told


async def test_what_is_chosen_to_end_a_deadlock_is_done_again_by_itself(
    database: FreshDatabase,
) -> None:
    """Somebody has the invoice and wants the wallet, reopening the other way around: both are done."""
    async with world(database) as w:
        await w.chain.mine()
        below = w.chain.head
        await w.pay(w.free, DUE_UNITS)
        await w.pay(w.assigned, DUE_UNITS)
        await rewritten(w, w.chain.head - below)
        plan = await reopen.planned(w.scanner)
        assert len(plan.gone) == 2
        other = Database(database.url("admin"), pool_size=1)
        async with other.unit_of_work(CROSS_TENANT) as session:
            name = make_url(database.url("owner")).database
            await session.execute(
                text(f"ALTER ROLE gw_owner IN DATABASE \"{name}\" SET deadlock_timeout = '2s'")
            )
        owner, tried = Database(database.url("owner"), pool_size=1), 0

        async def reopening() -> None:
            nonlocal tried
            tried += 1
            await reopen.carry_out(owner, plan, ORDER, now())

        async def waits() -> bool | None:
            async with w.database.unit_of_work(CROSS_TENANT) as session:
                return bool(await session.scalar(WAITS)) or None

        async with other.unit_of_work(CROSS_TENANT) as session:
            # Who has waited longest asks first who is in its way, and gives in.
            await session.execute(text("SET LOCAL deadlock_timeout = '1min'"))
            await invoices.locked(session, "inv_1")
            task = asyncio.create_task(repeated("reopening", reopening))
            await until(waits, "reopening to wait for the invoice", seconds_max=10)
            await left_of(session, SUSPENSE, ETH)
        await task
        await asyncio.gather(owner.aclose(), other.aclose())
        assert tried == 2
        assert await w.wallet("mer_1") == await w.wallet(SUSPENSE) == (0, 0)
        assert await w.sum_is_zero()
