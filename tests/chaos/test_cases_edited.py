"""Real blocks of a local chain, bent on the way exactly as one case of the catalogue says."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from devnet.anvil import AnvilChain
from tests.chaos.edits import of_document
from tests.chaos.faults import Fault, always, none_at_all
from tests.chaos.proxy import chaos
from tests.chaos.world import DUE_UNITS, watched
from tests.conftest import FreshDatabase

pytestmark = pytest.mark.anyio
COIN, TUSD = "COIN-ETHEREUM", "TUSD-ETHEREUM"
BLOCK, RECEIPTS = "eth_getBlockByNumber", "eth_getBlockReceipts"
FINAL_LAG = 4
STEPS = 12
GWEI = 10**9
OTHER_HASH = "0x" + "0f" * 32


def without_logs(receipts: list[dict[str, Any]]) -> None:
    """Lose every log; the blooms still announce them."""
    for receipt in receipts:
        receipt["logs"] = []


def of_another_block(receipts: list[dict[str, Any]]) -> None:
    """Name another block in every log, as a node does that still looks at a stale fork."""
    for receipt in receipts:
        for log in receipt["logs"]:
            log["blockHash"] = OTHER_HASH


async def paid_in_tokens(
    chain: AnvilChain, database: FreshDatabase, change: Callable[[Any], None]
) -> None:
    """Pay in tokens while the only node bends its receipts: refused, then credited once."""
    edits = {RECEIPTS: of_document(change)}
    async with (
        chaos(chain.url, edits=edits) as proxy,
        watched(chain, database, [proxy.url]) as world,
    ):
        proxy.plan = always(Fault.EDITED, RECEIPTS)
        tx_hash = await chain.pay(world.addresses[0], DUE_UNITS, chain.token)
        receipt = await chain.rpc.call("eth_getTransactionReceipt", tx_hash)
        height = int(receipt["blockNumber"], 16)
        await chain.mine(FINAL_LAG + 1)
        for _ in range(STEPS):
            await world.step()
        assert proxy.counts[Fault.EDITED] > 0
        assert world.scanner.position.height < height
        proxy.plan = none_at_all
        await world.final(height)
        assert await world.credited() == {TUSD: DUE_UNITS}


async def test_case_33_no_logs_where_the_bloom_announces_some(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """A block whose transfers vanished is not a block without transfers."""
    await paid_in_tokens(chain, database, without_logs)


async def test_case_34_logs_of_another_block_are_not_this_blocks(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """A node that mixes two forks is asked again."""
    await paid_in_tokens(chain, database, of_another_block)


async def test_case_18_a_beacon_withdrawal_to_an_invoice_is_credited_in_wei(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """The block says gwei; no transaction carries it."""
    async with chaos(chain.url) as proxy, watched(chain, database, [proxy.url]) as world:
        [ours] = world.addresses
        height = await world.head() + 1
        withdrawal = {"index": "0x5", "validatorIndex": "0x1", "address": ours, "amount": "0x3"}

        def withdrawn(block: Mapping[str, Any] | None) -> None:
            if isinstance(block, dict) and block["number"] == hex(height):
                block["withdrawals"] = [withdrawal]
                block["withdrawalsRoot"] = "0x" + "5a" * 32  # of a list that is not empty

        proxy.edits = {BLOCK: of_document(withdrawn)}
        proxy.plan = always(Fault.EDITED, BLOCK)
        await chain.mine(FINAL_LAG + 2)
        await world.final(height)
        [deposit] = await world.deposits()
        assert (deposit.kind, deposit.units) == ("withdrawal", 3 * GWEI)
        assert await world.credited() == {COIN: 3 * GWEI}
