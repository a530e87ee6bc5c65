"""Sweeps on Surfpool: several signers at once, the last lamport, and the rent of closed accounts."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import update

from devnet import surfpool
from devnet.solana_ledger import FINALITY_SLOTS
from gateway.db import CROSS_TENANT
from gateway.models import Unswept
from tests.conftest import FreshDatabase
from tests.keystore.house import House
from tests.watchers.sweep_world import SweepWorld, own_keystore, sweep_world

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
SOL, TOKENS = 10**9, 10**6
RENT = 2_039_280


@pytest.fixture
def keystore() -> Iterator[tuple[House, str]]:
    """Run a keystore process for the test, with its pool key."""
    with own_keystore() as made:
        yield made


@pytest.fixture
async def w(database: FreshDatabase, keystore: tuple[House, str]) -> AsyncIterator[SweepWorld]:
    """Give a network with a nonce lane and a hot wallet that knows the token."""
    async with (
        surfpool.running(slot_ms=50) as chain,
        sweep_world(
            database, chain, *keystore, final_lag=FINALITY_SLOTS, nonce_lanes=1
        ) as world,
    ):
        hot = await world.address("hot")
        await world.receive((hot, SOL, "native"), (hot, TOKENS, chain.token))
        await world.turn(sweep=False)
        yield world


async def test_coins_and_tokens_are_swept_together_and_rent_comes_back(w: SweepWorld) -> None:
    """Two transactions for five addresses; nothing is left, and the books know about the rent."""
    pool = await w.pool()
    await w.receive(
        *((each, SOL, "native") for each in pool[:3]),
        *((each, 100 * TOKENS, w.chain.token) for each in pool[3:5]),
    )
    sweeps = await w.swept(5)
    assert {sweep.state for sweep in sweeps} == {"done"}
    assert len(await w.attempts("sweep")) == 2
    assert [await w.chain.balance(each) for each in pool[:5]] == [0] * 5
    hot = await w.address("hot")
    assert await w.chain.balance(hot, w.chain.token) == 201 * TOKENS
    assert sum(sweep.returned_units for sweep in sweeps) == 2 * RENT
    assert await w.booked("rent") == 1
    setup = (await w.attempts("setup"))[0]
    spent = sum(sweep.cost_units - sweep.returned_units for sweep in sweeps)
    fee = (setup.payer_spent_units or 0) - int(setup.intent["lamports"])
    assert -await w.wallet("expense", w.coin) == spent + fee
    assert await w.booked("capital") == 2
    await w.agreed()


async def test_a_lamport_sent_in_between_fails_a_batch_once(w: SweepWorld) -> None:
    """An address must be left with nothing: the next time each goes alone, and nobody waits."""
    pool = (await w.pool())[:3]
    await w.receive(*((each, SOL, "native") for each in pool))
    await w.sweeping.round()
    [batch] = await w.attempts("sweep")
    assert len(batch.intent["sources"]) == len(pool)
    await w.chain.pay(pool[0], 1)
    await w.swept(3)
    assert {each.state for each in await w.sweeps()} == {"failed"}
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(update(Unswept).values(not_before=None))
    sweeps = await w.swept(6)
    assert {each.state for each in sweeps[3:]} == {"done"}
    assert len(await w.attempts("sweep")) == 1 + len(pool)
    assert [await w.chain.balance(each) for each in pool] == [0] * 3
    await w.agreed()
