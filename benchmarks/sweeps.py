"""What a sweep costs, by network and asset: measured on the three local chains, a real keystore signing.

Four addresses hold the coin and four the token on each network; all of them are swept. Prices of
the local chains are those of their main networks' parameters (Tron, Solana) or of an idle chain
(anvil: a base fee of about 1 gwei that falls). Run: `.venv/bin/python -m benchmarks.sweeps`.
"""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.timing import console, table
from devnet import anvil, surfpool, tron
from devnet.chain import LocalChain
from devnet.solana_ledger import FINALITY_SLOTS
from gateway.commands.init import create_secrets
from gateway.db import CROSS_TENANT
from gateway.domain.money import to_text
from gateway.postgres.cluster import running
from gateway.postgres.migrate import migrate
from gateway.postgres.roles import prepare_server
from gateway.settings import Settings, SweepSettings
from tests.conftest import FreshDatabase
from tests.watchers.sweep_world import SweepWorld, own_keystore, sweep_world
from watchers.sweep import rows

ADDRESSES = 4
TOKENS = 1_000 * 10**6
STAKE_TRX = 60_000


@contextmanager
def _database() -> Iterator[FreshDatabase]:
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        settings = Settings(networks={}, data_dir=Path(folder))
        create_secrets(settings, secrets.token_urlsafe)
        with running(settings):
            prepare_server(settings)
            migrate(settings)
            yield FreshDatabase(settings)


@asynccontextmanager
async def _instant() -> AsyncIterator[LocalChain]:
    """Run an anvil that mines a block per transaction and else when it is told."""
    async with anvil.running() as chain:
        await chain.set_mining(on=False)
        await chain.rpc.call("evm_setAutomine", True)  # noqa: FBT003 - JSON
        yield chain


async def _swept(
    chain: AbstractAsyncContextManager[LocalChain],
    lag: int,
    coins: int,
    gas: int,
    **changes: Any,
) -> list[list[str]]:
    """Sweep one network; return a line for each of its assets."""
    with _database() as database, own_keystore() as (house, key):
        async with (
            chain as local,
            sweep_world(database, local, house, key, final_lag=lag, **changes) as w,
        ):
            await _funded(w, coins, gas)
            pool = await w.pool()
            for address in pool[:ADDRESSES]:
                await local.pay(address, coins, "native")
            for address in pool[ADDRESSES : 2 * ADDRESSES]:
                await local.pay(address, TOKENS, local.token)
            await w.bury()
            await w.swept(2 * ADDRESSES)
            await w.agreed(staked=STAKE_TRX * 10**6 if "stake" in str(changes) else 0)
            return await _lines(w, pool)


async def _funded(w: SweepWorld, coins: int, gas: int) -> None:
    """Give the house what it needs: gas, on Tron a stake, on Solana a lane and a token account."""
    hot = await w.address("hot")
    await w.chain.pay(hot, coins, "native")
    await w.chain.pay(hot, 1, w.chain.token)
    if gas:
        await w.chain.pay(await w.address("gas"), gas, "native")
    await w.bury()
    for _ in range(3):
        await w.turn()


async def _lines(w: SweepWorld, pool: list[str]) -> list[list[str]]:
    native = next(each for each in w.currencies if each.contract is None)
    left = sum([await w.chain.balance(each) for each in pool[: 2 * ADDRESSES]])
    async with w.database.unit_of_work(CROSS_TENANT) as session:
        found = await rows.costs(session, w.name)
    return [
        [
            each.currency_id,
            str(each.sweeps),
            native.code,
            to_text(each.cost_units // each.sweeps, native.decimals),
            to_text(each.returned_units // each.sweeps, native.decimals),
            to_text(left, native.decimals),
        ]
        for each in found
    ]


async def _measured() -> list[list[str]]:
    lines = await _swept(_instant(), 4, 10**18, 10**18)
    lines += [
        [f"{line[0]} (burned)", *line[1:]]
        for line in await _swept(tron.running(1), 3, 1_000 * 10**6, 200 * 10**6)
        if "TUSD" in line[0]
    ]
    stake = SweepSettings(gas_low="0", gas_high="0", stake=str(STAKE_TRX))
    lines += await _swept(
        tron.running(1), 3, 1_000 * 10**6, (STAKE_TRX + 200) * 10**6, sweeping=stake
    )
    chain = surfpool.running(slot_ms=50)
    return lines + await _swept(chain, FINALITY_SLOTS, 10**9, 0, nonce_lanes=1)


def main() -> None:
    """Sweep three networks and print what it cost."""
    with console.status("sweeping three local chains"):
        lines = asyncio.run(_measured())
    heads = ["asset", "sweeps", "coin", "cost each", "rent back", "left in all"]
    table("cost per sweep, network fees of all its transactions", heads, lines)


if __name__ == "__main__":
    main()
