"""Sweeps on Surfpool: several signers at once, the last lamport, and the rent of closed accounts."""

from collections.abc import AsyncIterator, Iterator

import pytest

from devnet import surfpool
from devnet.solana_ledger import FINALITY_SLOTS
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
