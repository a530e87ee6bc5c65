"""Nodes that fail, lag, flap or lie, in front of a real anvil, through the whole engine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import func, select

from devnet import anvil
from devnet.anvil import AnvilChain
from devnet.system.waiting import until
from gateway.db import CROSS_TENANT
from gateway.models import Block
from tests.chaos.edits import Loot
from tests.chaos.faults import (
    TRANSPORT,
    Fault,
    Plan,
    always,
    first_of,
    none_at_all,
    scripted,
    seeded,
)
from tests.chaos.networks import eyes
from tests.chaos.proxy import chaos
from tests.chaos.world import DUE_UNITS, Watched, watched
from tests.conftest import FreshDatabase
from watchers.network import WrongChain
from watchers.rpc import Endpoints, JsonRpc, RpcError

pytestmark = pytest.mark.anyio
COIN = "COIN-ETHEREUM"
FINAL_LAG = 4
STEPS = 12
"""Steps that a scan makes against a node in trouble before the test looks where it stands."""
BLOCK, RECEIPTS = "eth_getBlockByNumber", "eth_getBlockReceipts"
TRACES = "debug_traceBlockByHash"
BROKEN = sorted(TRANSPORT - {Fault.DELAY})


async def height_of(chain: AnvilChain, tx_hash: str) -> int:
    """Return the height of the block that holds a transaction."""
    receipt = await chain.rpc.call("eth_getTransactionReceipt", tx_hash)
    return int(receipt["blockNumber"], 16)


async def paid(world: Watched, chain: AnvilChain, units: int = DUE_UNITS) -> int:
    """Pay the first invoice and bury the payment; return its height."""
    height = await height_of(chain, await chain.pay(world.addresses[0], units))
    await chain.mine(FINAL_LAG + 1)
    return height


async def orphans(world: Watched) -> int:
    """Return how many blocks were ever taken back."""
    async with world.owner.unit_of_work(CROSS_TENANT) as session:
        query = select(func.count()).select_from(Block).where(Block.orphaned)
        return await session.scalar(query) or 0


@asynccontextmanager
async def forks() -> AsyncIterator[tuple[AnvilChain, AnvilChain]]:
    """Yield two nodes with one past: what they do from now on is each one's own."""
    async with anvil.running() as one, anvil.running() as two:
        for node in (one, two):
            await node.set_mining(on=False)
        await one.mine(FINAL_LAG + 2)
        state = await one.rpc.call("anvil_dumpState")
        assert await two.rpc.call("anvil_loadState", state)
        yield one, two


async def test_case_29_a_node_that_flaps_between_two_heads_moves_nothing(
    database: FreshDatabase,
) -> None:
    """A load balancer over two branches: no block is ever taken back, and money arrives."""
    async with (
        forks() as (one, two),
        chaos(one.url, fork=two.url) as proxy,
        watched(one, database, [proxy.url], hysteresis_s=3600) as world,
    ):
        height = await height_of(one, await _sealed(one, world.addresses[0]))
        await two.mine(3)
        await world.scanned(height)
        proxy.plan = seeded(29, 0.5, [Fault.FORKED])
        for _ in range(STEPS):
            await one.mine()
            await two.mine()
            await world.step()
        assert proxy.counts[Fault.FORKED] > 0
        proxy.plan = none_at_all
        await world.final(height)
        assert await world.credited() == {COIN: DUE_UNITS}
        assert await orphans(world) == 0


async def test_case_29_two_nodes_on_two_branches_roll_nothing_back(
    database: FreshDatabase,
) -> None:
    """As many stand by our branch as show the other: the first that we saw stays, unfinal."""
    async with (
        forks() as (one, two),
        chaos(one.url) as a,
        chaos(two.url) as b,
        watched(one, database, [a.url, b.url]) as world,
    ):
        await _sealed(one, world.addresses[0])
        await one.mine(2 * FINAL_LAG)
        await two.mine(2 * FINAL_LAG + 1)
        head = 2 * FINAL_LAG
        await world.scanned(head)
        before = world.scanner.position
        for number in range(STEPS):
            a.plan = always(Fault.RESET) if number % 2 else none_at_all
            await world.step()
        assert await orphans(world) == 0
        assert world.scanner.position.height >= before.height
        assert await world.credited() == {}


async def _sealed(chain: AnvilChain, address: str) -> str:
    """Pay on a chain whose blocks are held back, and seal one."""
    tx_hash = await chain.send(address, DUE_UNITS)
    await chain.mine()
    return tx_hash


async def test_case_30_a_node_that_lags_makes_nobody_step_back(
    database: FreshDatabase,
) -> None:
    """The good node goes away: the other one is behind, and the network waits."""
    async with (
        forks() as (one, two),
        chaos(one.url) as good,
        chaos(two.url) as late,
        watched(one, database, [good.url, late.url], quorum=1) as world,
    ):
        height = await height_of(one, await _sealed(one, world.addresses[0]))
        await one.mine(2)
        await world.scanned(height + 2)
        before = world.scanner.position
        good.plan = always(Fault.RESET)
        for _ in range(STEPS):
            await world.step()
        assert world.scanner.position == before
        assert late.calls > 0
        good.plan = none_at_all
        await one.mine(FINAL_LAG)
        await world.final(height)
        assert await world.credited() == {COIN: DUE_UNITS}
        assert await orphans(world) == 0


async def waits_for_honesty(
    chain: AnvilChain, database: FreshDatabase, plan: Plan, fault: Fault
) -> None:
    """Pay while the only node fails as planned: nothing passes the block before it recovers."""
    async with chaos(chain.url) as proxy, watched(chain, database, [proxy.url]) as world:
        proxy.plan = plan
        height = await paid(world, chain)
        for _ in range(STEPS):
            await world.step()
        assert proxy.counts[fault] > 0
        assert world.scanner.position.height < height
        proxy.plan = none_at_all
        await world.final(height)
        assert await world.credited() == {COIN: DUE_UNITS}


async def test_case_31_an_absent_block_is_waited_for(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """`null` for a block never moves the cursor."""
    await waits_for_honesty(chain, database, always(Fault.EMPTY, BLOCK), Fault.EMPTY)


async def test_case_32_absent_receipts_are_waited_for(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """`[]` for a full block never moves the cursor."""
    await waits_for_honesty(chain, database, always(Fault.EMPTY, RECEIPTS), Fault.EMPTY)


async def test_peer_m9_a_node_that_answers_nothing_on_any_trouble_loses_nothing(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """The peer's daemon answers `[]` on any exception; whoever believes it has lost the block."""
    plan = always(Fault.EMPTY, RECEIPTS, BLOCK, "eth_getLogs", TRACES)
    await waits_for_honesty(chain, database, plan, Fault.EMPTY)


@pytest.mark.parametrize("method", [BLOCK, RECEIPTS])
@pytest.mark.parametrize("fault", BROKEN)
async def test_peer_b1_one_error_while_fetching_a_block_loses_nothing(
    chain: AnvilChain, database: FreshDatabase, fault: Fault, method: str
) -> None:
    """The peer tried a block once and moved on."""
    async with (
        chaos(chain.url, retry_after_s=0) as proxy,
        watched(chain, database, [proxy.url]) as world,
    ):
        height = await paid(world, chain)
        proxy.plan = scripted(*[(method, fault)] * 3)
        await world.final(height)
        assert proxy.counts[fault] == 3
        assert await world.credited() == {COIN: DUE_UNITS}


@pytest.mark.parametrize("fault", BROKEN)
async def test_case_38_with_one_node_broken_the_other_one_serves(
    chain: AnvilChain, database: FreshDatabase, fault: Fault
) -> None:
    """Whatever the first one sends: HTML, half a body, 429, a reset."""
    async with (
        chaos(chain.url) as bad,
        chaos(chain.url) as good,
        watched(chain, database, [bad.url, good.url], quorum=1) as world,
    ):
        bad.plan = always(fault)
        height = await paid(world, chain)
        await world.final(height)
        assert bad.counts[fault] > 0
        assert await world.credited() == {COIN: DUE_UNITS}


async def test_case_35_a_node_of_another_chain_pays_nobody(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """It is the first choice, and refused; the network lives on the second."""
    async with anvil.running(chain_id=5) as stray:
        urls = [stray.url, chain.url]
        async with watched(chain, database, urls, quorum=1) as world:
            await stray.pay(world.addresses[0], 99 * DUE_UNITS)
            height = await paid(world, chain)
            await world.final(height)
            assert await world.credited() == {COIN: DUE_UNITS}
            refused, good = world.network.endpoints.standing()
            assert (refused.state, good.state) == ("refused", "closed")


async def test_case_35_a_node_that_becomes_another_chain_is_found_out(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """Behind the same address, after a reset: nothing of the new chain is believed."""
    async with (
        anvil.running(chain_id=5) as stray,
        chaos(chain.url) as proxy,
        watched(chain, database, [proxy.url]) as world,
    ):
        height = await paid(world, chain)
        await world.final(height)
        proxy.upstream, proxy.plan = stray.url, scripted((BLOCK, Fault.RESET))
        await stray.pay(world.addresses[0], DUE_UNITS)
        await stray.mine(height + 2 * FINAL_LAG)
        with pytest.raises(WrongChain, match="chain id 5"):
            for _ in range(STEPS):
                await world.step()
        assert await world.credited() == {COIN: DUE_UNITS}


async def test_case_35_a_network_of_wrong_nodes_only_does_not_start(
    chain: AnvilChain,
) -> None:
    """Every node is named."""
    async with anvil.running(chain_id=5) as stray, chaos(stray.url) as again:
        network = eyes(chain, [stray.url, again.url])
        with pytest.raises(WrongChain, match=r"chain id 5.*chain id 5"):
            await network.reader.check_identity()
        await network.reader.aclose()


async def test_case_36_what_one_node_invents_is_not_credited(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """The second node does not show it: the deposit waits, and says why."""
    no_traces = always(Fault.HTML, TRACES)
    async with (
        chaos(chain.url, plan=no_traces) as liar,
        chaos(chain.url, plan=no_traces) as honest,
        watched(
            chain, database, [liar.url, honest.url], addresses=2, quorum_above="0"
        ) as world,
    ):
        liar.loot = Loot(payees=[world.addresses[0]])
        liar.plan = first_of(no_traces, always(Fault.LIE, BLOCK))
        stranger = await chain.fresh_address()
        height = await height_of(chain, await chain.pay(stranger, DUE_UNITS))
        await chain.mine(FINAL_LAG + 1)
        await world.final(height)
        assert liar.counts[Fault.LIE] > 0
        assert {each.status for each in await world.deposits()} == {"pending"}
        assert world.scanner.waiting is not None
        assert await world.credited() == {}
        liar.plan = no_traces
        later = await height_of(chain, await chain.pay(world.addresses[1], DUE_UNITS))
        await chain.mine(FINAL_LAG + 1)
        await world.final(later)
        assert await world.credited() == {COIN: DUE_UNITS}


async def test_case_37_a_partial_batch_is_asked_of_the_other_node(chain: AnvilChain) -> None:
    """One item is missing or an error: nothing of that answer is used."""
    rich = [await chain.fresh_address() for _ in range(3)]
    for number, address in enumerate(rich, start=1):
        await chain.pay(address, number)
    async with chaos(chain.url, plan=always(Fault.PARTIAL_BATCH), seed=1) as bad:
        endpoints = Endpoints([bad.url, chain.url])
        rpc = JsonRpc(endpoints)

        async def asked() -> list[str] | None:
            try:
                questions = [[address, "latest"] for address in rich]
                return await rpc.call_batch("eth_getBalance", questions, str)
            except RpcError:
                endpoints.rotate()
                return None

        for _ in range(STEPS):
            assert await until(asked, "a whole batch") == ["0x1", "0x2", "0x3"]
        assert bad.counts[Fault.PARTIAL_BATCH] > 0
        await endpoints.aclose()
