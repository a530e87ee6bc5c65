"""A payment that is taken over while nodes take their time: the transaction waits for them."""

import asyncio

import pytest

from tests.conftest import FreshDatabase
from tests.fakes.network import Broadcast
from tests.keystore.house import House
from tests.watchers.test_payouts import desk, keystore_house, restored
from watchers.commands.carried import opened
from watchers.pay.payouts import Payouts

__all__ = ["keystore_house"]
pytestmark = pytest.mark.anyio

UNHEARD_SECONDS = 0.1


async def test_a_node_slower_than_a_silent_transaction_may_be_keeps_nothing_from_being_taken_over(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Else the same would be tried and undone for ever, and nothing of this network be paid."""
    async with desk(database, keystore_house) as d:
        d.writer.manner = Broadcast.REFUSE
        id_ = await d.request(1)
        await d.payouts.round()
        await restored(d, id_, "approved")
        impatient = opened(database.settings, unheard_seconds=UNHEARD_SECONDS)

        async def slow(_: str) -> None:
            await asyncio.sleep(4 * UNHEARD_SECONDS)

        old = d.payouts
        position = d.world.scanner.position
        fresh = Payouts(
            old.name, old.settings, old.chain, impatient, old.keystore, position, locate=slow
        )
        await fresh.round()
        await impatient.aclose()
        assert [attempt.order_id for attempt in await d.attempts()] == [id_]
