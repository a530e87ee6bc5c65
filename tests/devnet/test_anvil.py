"""Anvil as `LocalChain`: what the demo and the conformance tests lean on."""

from collections.abc import AsyncIterator

import psutil
import pytest

from devnet import anvil
from devnet.anvil import AnvilChain
from devnet.chain import ChainFault, free_port

pytestmark = [pytest.mark.anyio, pytest.mark.chain]


@pytest.fixture
async def chain() -> AsyncIterator[AnvilChain]:
    """Run one fresh anvil."""
    async with anvil.running() as running:
        yield running


def children() -> set[int]:
    """Return the ids of the anvils below this one; other fixtures may have their own."""
    found = psutil.Process().children(recursive=True)
    return {child.pid for child in found if "anvil" in child.name()}


async def height(chain: AnvilChain, tag: str) -> int:
    """Return the number of the block behind a tag."""
    block = await chain.rpc.call("eth_getBlockByNumber", tag, False)  # noqa: FBT003 - JSON
    return int(block["number"], 16)


async def test_two_starts_give_the_same_token_and_leave_no_process() -> None:
    """Configuration may name the token before the chain runs, and stopping is complete."""
    seen, before = [], children()
    for _ in range(2):
        async with anvil.running() as chain:
            assert len(children() - before) == 1
            seen.append((chain.token, chain.payer, chain.identity))
            symbol = await chain.rpc.call(
                "eth_call", {"to": chain.token, "data": "0x95d89b41"}, "latest"
            )
            assert bytes.fromhex(symbol[2:]).rstrip(b"\0").endswith(b"TUSD")
    assert seen == [(anvil.TOKEN, anvil.PAYER, "31337")] * 2
    assert children() == before


async def test_failing_block_still_stops_the_chain() -> None:
    """The process goes when the body of the block raises."""
    before = children()
    with pytest.raises(LookupError):
        async with anvil.running():
            raise LookupError
    assert children() == before


async def test_chain_id_and_port_are_parameters() -> None:
    """A second Ethereum-like network is only another number."""
    port = free_port()
    async with (
        anvil.running(port=port, chain_id=8453) as chain,
        anvil.attached(f"http://127.0.0.1:{port}") as seen,
    ):
        assert (chain.identity, chain.url) == ("8453", seen.url)
        assert seen.identity == "8453"


async def test_taken_port_is_reported() -> None:
    """A second anvil on one port fails instead of serving the first one's chain."""
    port = free_port()
    async with anvil.running(port=port):
        with pytest.raises(ChainFault, match="taken"):
            async with anvil.running(port=port):
                pass


@pytest.mark.parametrize("asset", ["native", anvil.TOKEN])
async def test_paid_units_are_on_the_balance(chain: AnvilChain, asset: str) -> None:
    """`pay` returns after inclusion: the next read sees the money."""
    to = await chain.fresh_address()
    assert await chain.balance(to, asset) == 0
    hashes = {await chain.pay(to, 1_500_000, asset) for _ in range(3)}
    assert await chain.balance(to, asset) == 4_500_000
    assert len(hashes) == 3


async def test_reverted_payment_raises(chain: AnvilChain) -> None:
    """More tokens than there are is a `ChainFault`."""
    with pytest.raises(ChainFault):
        await chain.pay(await chain.fresh_address(), 10**30, chain.token)


async def test_finalized_is_four_blocks_behind(chain: AnvilChain) -> None:
    """The `finalized` tag lags the tip by two epochs of two."""
    await chain.mine(20)
    latest = await height(chain, "latest")
    assert latest >= 21
    assert latest - 5 <= await height(chain, "finalized") <= latest - 3


async def test_reorg_drops_one_payment_and_moves_another(chain: AnvilChain) -> None:
    """The head keeps its height, orphaned money is gone, a moved transaction keeps its hash."""
    await chain.set_mining(False)
    lost, moved = await chain.fresh_address(), await chain.fresh_address()
    # The payer's nonces must stay gapless on the new branch: the kept payment goes first.
    kept_hash = await chain.send(moved, 5)
    await chain.mine()
    await chain.send(lost, 7)
    await chain.mine()
    head = await height(chain, "latest")
    await chain.reorg(2, [(kept_hash, 1)])
    assert await height(chain, "latest") == head
    assert (await chain.balance(moved), await chain.balance(lost)) == (5, 0)
    receipt = await chain.rpc.call("eth_getTransactionReceipt", kept_hash)
    assert int(receipt["blockNumber"], 16) == head


async def test_mining_can_be_held_back(chain: AnvilChain) -> None:
    """A payment waits in the pool while mining is off."""
    await chain.set_mining(False)
    to = await chain.fresh_address()
    tx_hash = await chain.send(to, 1)
    assert await chain.balance(to) == 0
    await chain.set_mining(True)
    await chain.included(tx_hash)
    assert await chain.balance(to) == 1


async def test_internal_transfers_are_only_in_the_trace(chain: AnvilChain) -> None:
    """The splitter pays by internal calls, one of which is undone."""
    splitter = await chain.deploy("Splitter")
    to = await chain.fresh_address()
    paid = await chain.transact(
        to=splitter, value="0x9", data=anvil.call_data("fan(address[],uint256)", [to], 9)
    )
    undone = await chain.transact(
        to=splitter, value="0x9", data=anvil.call_data("fanUndone(address,uint256)", to, 9)
    )
    await chain.included(paid)
    await chain.included(undone)
    assert await chain.balance(to) == 9
