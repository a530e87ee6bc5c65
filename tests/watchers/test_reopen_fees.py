"""`watchers reopen` and what a network took: booked as the standing chain says, however often it turns."""

import pytest

from gateway.db import CROSS_TENANT, Database
from gateway.models import Attempt
from tests.watchers.test_reopen_rent import FEE, SOL, booked, owner
from watchers.clock import now
from watchers.pay import again

__all__ = ["owner"]
pytestmark = pytest.mark.anyio


async def lands(owner: Database, block: str, fee_units: int) -> None:
    """Let the sweep land in a block and its cancel not; the network takes so much."""
    async with owner.unit_of_work(CROSS_TENANT) as session:
        row = await session.get_one(Attempt, "att_sweep")
        row.block_hash = block
        await again.book_fee(session, row, SOL, fee_units, now())
        await again.take_back_fees(session, row, ["hash cancel"], SOL, now())


async def lapses(owner: Database) -> None:
    """Let it stand nowhere."""
    async with owner.unit_of_work(CROSS_TENANT) as session:
        row = await session.get_one(Attempt, "att_sweep")
        row.block_hash = None
        await again.take_back_fees(session, row, [row.tx_hash or ""], SOL, now())


async def test_a_fee_that_the_new_chain_did_not_take_is_not_spent(owner: Database) -> None:
    """The same transaction may cost nothing there: a Tron account has its free share of a day."""
    await lands(owner, "block 1", FEE)
    assert await booked(owner) == (FEE, -FEE)
    await lands(owner, "block 2", 0)
    assert await booked(owner) == (0, 0)


async def test_a_fee_follows_a_chain_that_goes_back_and_forth(owner: Database) -> None:
    """The same two blocks stand again and again: each time the ledger says what was taken there."""
    for _ in range(3):
        await lands(owner, "block 1", FEE)
        assert await booked(owner) == (FEE, -FEE)
        await lands(owner, "block 2", FEE - 1)
        assert await booked(owner) == (FEE - 1, 1 - FEE)
        await lands(owner, "block 2", FEE - 1)
        assert await booked(owner) == (FEE - 1, 1 - FEE)


async def test_a_fee_follows_what_expires_again_and_again(owner: Database) -> None:
    """Landed, expired, landed: what stands in no block has taken nothing."""
    for _ in range(3):
        await lands(owner, "block 1", FEE)
        assert await booked(owner) == (FEE, -FEE)
        await lapses(owner)
        assert await booked(owner) == (0, 0)
