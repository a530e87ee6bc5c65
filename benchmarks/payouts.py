"""A hundred payouts to anvil in nonce order, beside bare signing and sending of as many.

Ours is the whole way: approved rows, an intent committed for each, the keystore's own process
with its fsynced journal, bytes committed, broadcast. Bare is eth-account with the nonce counted
in memory and `eth_sendRawTransaction`. Both take turns on one chain; a rate counts what has been
handed to the node. Run: `.venv/bin/python -m benchmarks.payouts [PAYOUTS]`.
"""

import asyncio
import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path

from eth_account import Account
from eth_utils.address import to_checksum_address

from benchmarks.timing import console, table
from devnet.anvil import CHAIN_ID, AnvilChain
from devnet.system.waiting import until
from gateway.commands.init import create_secrets
from gateway.postgres.cluster import running
from gateway.postgres.migrate import migrate
from gateway.postgres.roles import prepare_server
from gateway.settings import Settings
from tests.conftest import FreshDatabase, _settings_of
from tests.crash.opening import opened
from tests.crash.site import Site

PAYOUTS, ROUNDS = 100, 3
UNITS = 10**15
SECONDS_MAX = 600.0


def main(payouts: int = PAYOUTS) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        settings = Settings(networks={}, data_dir=Path(folder))
        names = (f"secret-{number}" for number in itertools.count())
        create_secrets(settings, lambda: next(names))
        with running(settings):
            prepare_server(settings)
            migrate(settings)
            database = FreshDatabase(_settings_of(settings, "gateway"))
            ours, bare = asyncio.run(_measured(database, payouts))
    rates = [payouts / statistics.median(taken) for taken in (ours, bare)]
    table(
        f"{payouts} payouts to anvil, {ROUNDS} rounds in turns (medians)",
        ["", "payouts/s", "of bare"],
        [
            ["gateway: rows, keystore, journal, broadcast", f"{rates[0]:.1f}", f"{rates[0] / rates[1]:.2f}"],
            ["eth-account and eth_sendRawTransaction", f"{rates[1]:.1f}", "1"],
        ],
    )  # fmt: skip


async def _measured(database: FreshDatabase, payouts: int) -> tuple[list[float], list[float]]:
    ours: list[float] = []
    bare: list[float] = []
    async with opened("ethereum", database) as site:
        chain = site.chain
        assert isinstance(chain, AnvilChain)
        for number in range(ROUNDS):
            console.print(f"round {number + 1} of {ROUNDS}", end="\r")
            bare.append(await _bare(chain, payouts))
            ours.append(await _ours(site, payouts))
    return ours, bare


async def _ours(site: Site, payouts: int) -> float:
    """Approve so many at once; return the seconds from the first intent to the last broadcast."""
    destination = await site.chain.fresh_address()
    known = await _handed_over(site)
    asked = [await site.request("native", UNITS, destination) for _ in range(payouts)]
    for withdrawal_id in asked:
        await site.approve(withdrawal_id)
    await site.start()

    async def all_sent() -> bool | None:
        site.require_alive()
        return await _handed_over(site) >= known + payouts or None

    await until(all_sent, f"{payouts} broadcasts", seconds_max=SECONDS_MAX)
    [(seconds,)] = await site.sql(
        "SELECT extract(epoch FROM max(last_broadcast_at) - min(created_at))::float8 "
        "FROM attempt WHERE withdrawal_id = ANY(:asked)",
        asked=asked,
    )
    await until(
        lambda: _arrived(site, destination, payouts), "payment", seconds_max=SECONDS_MAX
    )
    await _require_no_gap(site)
    site.stop()
    return float(seconds)  # seconds, not money


async def _handed_over(site: Site) -> int:
    [(count,)] = await site.sql("SELECT count(*) FROM attempt WHERE broadcasts > 0")
    return int(count)


async def _arrived(site: Site, destination: str, payouts: int) -> bool | None:
    return await site.chain.balance(destination) == payouts * UNITS or None


async def _require_no_gap(site: Site) -> None:
    """Demand nonces from 0 on, each once, in the order in which they were begun."""
    rows = await site.sql(
        "SELECT nonce FROM attempt WHERE nonce IS NOT NULL AND place = 1 AND sender = :hot "
        "ORDER BY created_at",
        hot=site.hot,
    )
    assert [nonce for (nonce,) in rows] == list(range(len(rows)))


async def _bare(chain: AnvilChain, payouts: int) -> float:
    """Sign and send from a fresh key; return the seconds."""
    account = Account.create()
    destination = to_checksum_address(await chain.fresh_address())
    await chain.pay(account.address, 10**19)
    begun = time.perf_counter()
    for nonce in range(payouts):
        signed = account.sign_transaction(
            {
                "type": 2, "chainId": CHAIN_ID, "nonce": nonce, "to": destination, "value": UNITS,
                "gas": 21_000, "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 1,
            }
        )  # fmt: skip
        await chain.rpc.call("eth_sendRawTransaction", f"0x{signed.raw_transaction.hex()}")
    return time.perf_counter() - begun


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else PAYOUTS)
