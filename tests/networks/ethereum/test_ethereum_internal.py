"""Value inside contracts on a real EVM: anvil's traces, read as a watcher reads them."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from devnet import anvil
from devnet.anvil import AnvilChain
from devnet.contracts import cases
from tests.networks.ethereum.blocks import word
from watchers.network import NATIVE, Block, Transfer
from watchers.networks.ethereum.decode import decode_block
from watchers.networks.ethereum.flat_traces import flat_executions
from watchers.networks.ethereum.reader import EthereumReader
from watchers.networks.ethereum.wire import RawBlock, RawFlatTrace, RawReceipt
from watchers.rpc import Endpoints, JsonRpc

pytestmark = [pytest.mark.anyio, pytest.mark.chain]


@pytest.fixture(scope="module")
async def chain() -> AsyncIterator[AnvilChain]:
    """Run one anvil for the module."""
    async with anvil.running() as running:
        yield running


@pytest.fixture
async def reader(chain: AnvilChain) -> AsyncIterator[EthereumReader]:
    """Yield a reader that is told of traces."""
    rpc = JsonRpc(Endpoints([chain.url]))
    yield EthereumReader(rpc, int(chain.identity), frozenset(), traces=lambda: True)
    await rpc.endpoints.aclose()


async def block_of(chain: AnvilChain, reader: EthereumReader, tx_hash: str) -> Block:
    """Read the block that holds a transaction."""
    receipt = await chain.rpc.call("eth_getTransactionReceipt", tx_hash)
    return await reader.read(int(receipt["blockNumber"], 16))


async def paid_through(
    chain: AnvilChain, reader: EthereumReader, code: bytes, units: int, data: str = "0x"
) -> tuple[str, list[Transfer]]:
    """Create a contract, pay it; return its address and what moved inside that payment."""
    contract = await chain.create(code)
    sent = await chain.transact(to=contract, value=hex(units), data=data, gas="0x100000")
    tx_hash = await chain.included(sent)
    block = await block_of(chain, reader, tx_hash)
    moved = [each for each in block.transfers if each.tx_hash == tx_hash]
    assert block.internal
    assert [each.kind for each in moved[:1]] == ["native"]
    return contract, moved[1:]


async def test_case_13_a_contract_passes_value_on_to_an_address_in_its_calldata(
    chain: AnvilChain, reader: EthereumReader
) -> None:
    """The recipient is in the input; the value moves inside."""
    to = await chain.fresh_address()
    contract, moved = await paid_through(chain, reader, cases.forwarder(), 500, word(to))
    assert [each.sender for each in moved] == [contract]
    assert [
        (each.kind, each.ordinal, each.asset, each.recipient, each.units) for each in moved
    ] == [("internal", 0, NATIVE, to, 500)]
    assert await chain.balance(to) == 500


async def test_case_14_a_contract_passes_value_on_to_an_address_nobody_names(
    chain: AnvilChain, reader: EthereumReader
) -> None:
    """The recipient is in its code or in its storage only."""
    for made in (cases.fixed_forwarder, cases.stored_forwarder):
        to = await chain.fresh_address()
        _, moved = await paid_through(chain, reader, made(to), 501)
        assert [(each.recipient, each.units) for each in moved] == [(to, 501)]


async def test_case_15_a_contract_destroys_itself_in_favour_of_an_address(
    chain: AnvilChain, reader: EthereumReader
) -> None:
    """No code of the recipient runs and no log is written."""
    to = await chain.fresh_address()
    _, moved = await paid_through(chain, reader, cases.self_destructor(to), 502)
    assert [(each.recipient, each.units) for each in moved] == [(to, 502)]
    assert await chain.balance(to) == 502


async def test_case_16_an_inner_payment_that_was_undone(
    chain: AnvilChain, reader: EthereumReader
) -> None:
    """The outer transaction succeeds, the inner call pays and reverts."""
    to = await chain.fresh_address()
    failing = await chain.create(cases.reverting_forwarder(to))
    _, moved = await paid_through(chain, reader, cases.fixed_forwarder(failing), 503)
    assert moved == []
    assert await chain.balance(to) == 0


async def test_case_17_code_that_is_borrowed_with_value(
    chain: AnvilChain, reader: EthereumReader
) -> None:
    """DELEGATECALL and CALLCODE name the value; only the CALL inside them moves it."""
    to = await chain.fresh_address()
    target = await chain.create(cases.fixed_forwarder(to))
    contract, moved = await paid_through(chain, reader, cases.delegating(target), 504)
    assert [(each.sender, each.recipient, each.units) for each in moved] == [
        (contract, to, 504)
    ]
    assert await chain.balance(to) == 504


async def test_both_forms_of_traces_name_the_same_transfers(
    chain: AnvilChain, reader: EthereumReader
) -> None:
    """`debug_traceBlockByHash` and `trace_block` on one node, for one block."""
    to = await chain.fresh_address()
    failing = await chain.create(cases.reverting_forwarder(to))
    undone = await chain.create(cases.fixed_forwarder(failing))
    forwarder = await chain.create(cases.forwarder())
    await chain.set_mining(on=False)
    hashes = [
        await chain.transact(to=undone, value="0x7", gas="0x100000"),
        await chain.transact(to=forwarder, value="0x8", data=word(to), gas="0x100000"),
        await chain.transact(data="0x" + cases.fake_token().hex(), gas="0x100000"),
    ]
    await chain.mine()
    await chain.set_mining(on=True)
    tree = await block_of(chain, reader, hashes[-1])
    assert tree.outcomes.keys() >= set(hashes)
    assert [each.units for each in tree.transfers if each.kind == "internal"] == [8]
    number = hex(tree.ref.height)
    entries = await reader.rpc.call("trace_block", [number], list[RawFlatTrace])
    flat = decode_block(
        tree.ref.height,
        await reader.rpc.call("eth_getBlockByNumber", [number, True], RawBlock),
        await reader.rpc.call("eth_getBlockReceipts", [tree.ref.hash], list[RawReceipt]),
        frozenset(),
        flat_executions(tree.ref.hash, entries),
    )
    assert replace(tree, provider="") == flat
