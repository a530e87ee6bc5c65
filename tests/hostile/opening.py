"""Opening a machine: its chain, its keystore under a policy, and a liar in front of the node."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from devnet import surfpool, tron
from devnet.solana_ledger import FINALITY_SLOTS
from gateway.domain.money import to_units
from tests.conftest import FreshDatabase
from tests.hostile.liar import lying
from tests.hostile.machine import TOKENS, WHOLE, Machine
from tests.hostile.policy import policy_text
from tests.hostile.report import Report
from tests.keystore.house import House, build, init, serving
from tests.watchers.sweep_world import CEILINGS, sweep_world
from tests.watchers.test_pay_chains import assign

DECIMALS = {"tron": 6, "solana": 9}
LAG = {"tron": 4, "solana": FINALITY_SLOTS}


@contextmanager
def _keystore(family: str) -> Iterator[tuple[House, str]]:
    ceiling = to_units(CEILINGS[family], DECIMALS[family])
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        house = build(Path(folder), extra='policy = "policy.toml"\n')
        (house.home / "policy.toml").write_text(policy_text(family, ceiling))
        (house.home / "policy.toml").chmod(0o600)
        public_key = init(house)
        with serving(house):
            yield house, public_key


@asynccontextmanager
async def running(family: str, database: FreshDatabase) -> AsyncIterator[Machine]:
    """Start a chain, a keystore and a liar between them; fund hot wallet and merchant."""
    chains: dict[str, Any] = {
        "tron": tron.running,
        "solana": lambda: surfpool.running(slot_ms=50),
    }
    with _keystore(family) as (house, public_key):
        async with (
            chains[family]() as chain,
            lying(chain.url) as liar,
            sweep_world(
                database, chain, house, public_key, final_lag=LAG[family], rpc_urls=[liar.url],
                nonce_lanes=3,
            ) as w,
        ):  # fmt: skip
            machine = Machine(w, liar, house, Report(f"a lying {family} node, edited rows"))
            machine.hot, [first, *_] = await w.address("hot"), await w.pool()
            whole = WHOLE[family]
            await w.receive(
                (machine.hot, 1000 * whole, "native"), (machine.hot, 1000 * TOKENS, chain.token),
                (first, 100 * whole, "native"), (first, 100 * TOKENS, chain.token),
            )  # fmt: skip
            await assign(w, {w.coin: 100 * whole, w.token: 100 * TOKENS})
            for _ in range(4 if family == "solana" else 0):
                await w.turn(sweep=False)
            yield machine
            machine.report.show()
