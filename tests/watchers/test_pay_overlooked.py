"""A payment that landed in a block which the scan passed, while no node said where it stands."""

from collections import Counter
from datetime import timedelta

import pytest

from tests.conftest import FreshDatabase
from tests.keystore.house import House
from tests.watchers.test_payouts import (
    AMOUNT,
    DESTINATION,
    Desk,
    desk,
    keystore_house,
    restored,
)
from watchers.network import Incomplete

pytestmark = pytest.mark.anyio
__all__ = ["keystore_house"]


async def forgotten(d: Desk, number: int) -> str:
    """Pay, put the database back, let the scan pass the payment, and take it over unfound."""
    id_ = await d.request(number)
    await d.payouts.round()
    await restored(d, id_, "approved")
    await d.bury()
    d.again()
    d.payouts.adoption.overlooked.pause = timedelta(0)
    return id_


def height_of(d: Desk, tx: str) -> int | None:
    """Return where the chain has a transaction."""
    for block in d.world.chain.blocks:
        if any(each.tx_hash == tx for each, _ in block.transactions):
            return block.ref.height
    return None


async def test_it_is_found_as_soon_as_a_node_tells_of_it_and_nothing_is_paid_again(
    database: FreshDatabase, keystore_house: House
) -> None:
    """It would wait for ever: its nonce was spent by itself. A false block is not believed."""
    async with desk(database, keystore_house) as d:
        id_ = await forgotten(d, 40)
        told: list[int | None] = [None]

        async def locate(_tx: str) -> int | None:
            return told[0]

        d.payouts.adoption.locate = locate
        for _ in range(3):
            await d.payouts.round()
            await d.bury()
        assert (await d.withdrawal(id_)).status == "broadcast"
        [attempt] = await d.attempts()
        where = height_of(d, attempt.tx_hash or "")
        assert where is not None
        told[0] = where - 1
        with pytest.raises(Incomplete, match="ours does not show it"):
            await d.payouts.round()
        assert (await d.withdrawal(id_)).status == "broadcast"
        told[0] = where
        await d.payouts.round()
        assert (await d.withdrawal(id_)).status == "confirming"
        await d.bury()
        assert (await d.withdrawal(id_)).status == "completed"
        assert await d.world.chain.balance(DESTINATION) == AMOUNT
        assert await d.world.sum_is_zero()


async def test_nodes_are_not_asked_for_what_has_yet_to_land_or_to_be_scanned(
    database: FreshDatabase, keystore_house: House
) -> None:
    """In daily life that is every payment between its sending and its block."""
    async with desk(database, keystore_house) as d:
        asked: Counter[str] = Counter()

        async def locate(tx: str) -> int | None:
            asked[tx] += 1
            return None

        d.payouts.adoption.locate = locate
        d.payouts.adoption.overlooked.pause = timedelta(0)
        id_ = await d.request(41)
        for _ in range(2):
            await d.payouts.round()
            await d.rest()
        await d.world.chain.mine(1)
        for _ in range(2):
            await d.payouts.round()
        await d.bury()
        await d.payouts.round()
        assert (await d.withdrawal(id_)).status == "completed"
        assert not asked
