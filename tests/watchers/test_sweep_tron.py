"""Sweeps on the Tron emulator: free bandwidth, lent energy, and burned energy where nothing is staked."""

from collections.abc import AsyncIterator, Iterator

import pytest

from devnet.tron import TronChain, running
from gateway.settings import SweepSettings
from tests.conftest import FreshDatabase
from tests.keystore.house import House
from tests.watchers.sweep_world import SweepWorld, own_keystore, sweep_world

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
TRX, TOKENS = 10**6, 10**6
SOLID_LAG = 3


@pytest.fixture
def keystore() -> Iterator[tuple[House, str]]:
    """Run a keystore process for the test, with its pool key."""
    with own_keystore() as made:
        yield made


@pytest.fixture
async def chain() -> AsyncIterator[TronChain]:
    """Run one emulator for the test; blocks come only when they are asked for."""
    async with running(0, solid_lag=SOLID_LAG) as started:
        await started.mine(5)
        yield started


async def paid(w: SweepWorld, *payments: tuple[str, int, str]) -> None:
    """Let strangers pay, and see it solid: an emulator without a clock mines when told."""
    for to, units, asset in payments:
        await w.chain.send(to, units, asset)  # type: ignore[attr-defined]
        await w.chain.mine()
    await w.bury()


async def test_coins_and_tokens_on_lent_energy_leave_nothing_behind(
    database: FreshDatabase, chain: TronChain, keystore: tuple[House, str]
) -> None:
    """Staked TRX yields the energy; it is lent, used, taken back, and stays ours in the books."""
    stake = SweepSettings(gas_low="0", gas_high="0", stake="20000")
    async with sweep_world(
        database, chain, *keystore, final_lag=SOLID_LAG, sweeping=stake
    ) as w:
        coins, tokens, both = (await w.pool())[:3]
        await paid(w, (await w.address("gas"), 30_000 * TRX, "native"))
        await paid(w, (await w.address("hot"), 1 * TRX, "native"))
        await w.turn()
        await w.turn()
        assert len(await w.attempts("resource")) == 1, "the stake"
        await paid(
            w,
            (coins, 500 * TRX, "native"),
            (tokens, 300 * TOKENS, chain.token),
            (both, 700 * TRX, "native"),
            (both, 400 * TOKENS, chain.token),
        )
        sweeps = await w.swept(4)
        assert {sweep.state for sweep in sweeps} == {"done"}
        assert [await chain.balance(each, chain.token) for each in (tokens, both)] == [0, 0]
        assert await chain.balance(coins) == 0
        assert await chain.balance(await w.address("hot"), chain.token) == 700 * TOKENS
        lent = [sweep for sweep in sweeps if sweep.lending_order is not None]
        assert len(lent) == 2
        assert all(sweep.returning_order is not None for sweep in lent)
        loans = await chain.ask(
            "wallet/getdelegatedresourceaccountindexv2",
            value=await w.address("gas"),
            visible=True,
        )
        assert not loans.get("toAccounts")
        await w.agreed(staked=20_000 * TRX)


async def test_without_a_stake_energy_is_burned_from_what_is_sent_ahead(
    database: FreshDatabase, chain: TronChain, keystore: tuple[House, str]
) -> None:
    """The address is activated on the way; what was not burned goes home on free bandwidth."""
    async with sweep_world(database, chain, *keystore, final_lag=SOLID_LAG) as w:
        [address] = (await w.pool())[:1]
        await paid(w, (await w.address("gas"), 100 * TRX, "native"))
        await paid(w, (await w.address("hot"), 1 * TRX, "native"))
        await paid(w, (address, 300 * TOKENS, chain.token))
        [sweep] = await w.swept(1)
        assert (sweep.state, sweep.lending_order) == ("done", None)
        assert sweep.funding_order is not None
        assert await chain.balance(address, chain.token) == 0
        assert sweep.cost_units == -await w.wallet("expense", w.coin) > 0
        assert [d.units for d in await w.deposits()] == [100 * TRX, TRX, 300 * TOKENS]
        await w.agreed()
