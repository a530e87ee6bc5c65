"""Eyes and hands on a running Tron chain: inner calls, forks, half answers, true fees."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from devnet import tron as emulator
from devnet.contracts import contract
from devnet.tron import TronChain, address
from devnet.tron.genesis import PAYER, described
from devnet.tron.local import call_data
from tests.networks.tron.rig import HOT_ADDRESS, TRX, now_ms, sign
from watchers.network import (
    NATIVE,
    Block,
    BroadcastRejected,
    Incomplete,
    PayoutOrder,
    Refused,
    Slot,
)
from watchers.networks.tron.reader import TronReader
from watchers.networks.tron.writer import TronWriter
from watchers.rpc import Endpoints

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
DEPLOY_FEE_LIMIT = 1_000 * TRX


@pytest.fixture(scope="module")
async def chain() -> AsyncIterator[TronChain]:
    """Run one emulator for this module."""
    async with emulator.running(0.25, solid_lag=4) as running:
        yield running


@asynccontextmanager
async def reading(chain: TronChain) -> AsyncIterator[TronReader]:
    """Open a reader that lists the test token."""
    endpoints = Endpoints([chain.url])
    reader = TronReader(endpoints, chain.identity, frozenset({chain.token}))
    try:
        yield reader
    finally:
        await reader.aclose()


@asynccontextmanager
async def writing(chain: TronChain) -> AsyncIterator[TronWriter]:
    """Open a writer on the real clock."""
    writer = TronWriter(Endpoints([chain.url]), "tron", now_ms)
    try:
        yield writer
    finally:
        await writer.aclose()


def order(source: str, destination: str, asset: str = NATIVE) -> PayoutOrder:
    """Return an approved payout of one TRX or a million token units."""
    return PayoutOrder(
        withdrawal_id="wdr_1",
        asset=asset,
        decimals=6,
        destination=destination,
        units=TRX,
        source=source,
        fee_ceiling_units=30 * TRX,
    )


async def block_of(chain: TronChain, reader: TronReader, tx_hash: str) -> Block:
    """Read the block that holds a transaction."""
    info = await chain.ask("wallet/gettransactioninfobyid", value=tx_hash)
    return await reader.read(info["blockNumber"])


async def deployed(chain: TronChain, name: str) -> str:
    """Deploy one of the test contracts; return its base58 address."""
    compiled = contract(name)
    description = described(name, PAYER, compiled.creation_code(), compiled.abi)
    tx_hash = await chain.transact(
        "CreateSmartContract", {"new_contract": description}, fee_limit=DEPLOY_FEE_LIMIT
    )
    await chain.included(tx_hash)
    info = await chain.ask("wallet/gettransactioninfobyid", value=tx_hash, visible=True)
    found: str = info["contract_address"]
    return found


def evm(base58: str) -> str:
    """Return an address as a contract's argument."""
    return address.evm(address.parse(base58, visible=True))


async def test_trx_from_inside_a_contract_is_seen_once_per_recipient(chain: TronChain) -> None:
    """A contract that pays two addresses makes two internal transfers, exact to the sun."""
    splitter = await deployed(chain, "Splitter")
    paid = [await chain.fresh_address(), await chain.fresh_address()]
    data = call_data("fan(address[],uint256)", [evm(each) for each in paid], 3 * TRX)
    tx_hash = await chain.included(await chain.trigger(splitter, data, 6 * TRX))
    async with reading(chain) as reader:
        seen = (await block_of(chain, reader, tx_hash)).transfers
        assert [(each.kind, each.sender, each.recipient, each.units) for each in seen] == [
            ("internal", splitter, paid[0], 3 * TRX),
            ("internal", splitter, paid[1], 3 * TRX),
        ]
        assert len({(each.tx_hash, each.kind, each.ordinal) for each in seen}) == 2
        assert await reader.balance(paid[0], NATIVE) == 3 * TRX


async def test_an_inner_payment_that_was_undone_is_not_seen(chain: TronChain) -> None:
    """The transaction succeeds, its inner call reverted: nobody was paid."""
    splitter = await deployed(chain, "Splitter")
    to = await chain.fresh_address()
    data = call_data("fanUndone(address,uint256)", evm(to), 3 * TRX)
    tx_hash = await chain.included(await chain.trigger(splitter, data, 3 * TRX))
    async with reading(chain) as reader:
        block = await block_of(chain, reader, tx_hash)
        assert block.outcomes[tx_hash].success
        assert [each for each in block.transfers if each.recipient == to] == []


async def test_several_token_transfers_of_one_transaction_keep_their_ordinals(
    chain: TronChain,
) -> None:
    """One call, three logs, one of them to the same address again."""
    to = [await chain.fresh_address() for _ in range(2)]
    many = [evm(to[0]), evm(to[1]), evm(to[0])]
    data = call_data("transferMany(address[],uint256)", many, 11)
    tx_hash = await chain.included(await chain.trigger(chain.token, data))
    async with reading(chain) as reader:
        seen = (await block_of(chain, reader, tx_hash)).transfers
    assert [(each.ordinal, each.recipient, each.units) for each in seen] == [
        (0, to[0], 11),
        (1, to[1], 11),
        (2, to[0], 11),
    ]


async def test_the_outcome_states_the_whole_fee(chain: TronChain) -> None:
    """What the payer lost is the amount and the stated fee, activation included."""
    before = await chain.balance(chain.payer)
    tx_hash = await chain.pay(await chain.fresh_address(), 2 * TRX)
    spent = before - await chain.balance(chain.payer)
    async with reading(chain) as reader:
        outcome = (await block_of(chain, reader, tx_hash)).outcomes[tx_hash]
    assert spent == 2 * TRX + outcome.payer_spent_units


async def test_case_53_a_fork_moves_a_payment_without_renaming_it(chain: TronChain) -> None:
    """The unsolid block is replaced: other hash, same transfer identity."""
    to = await chain.fresh_address()
    async with reading(chain) as reader:
        tx_hash = await chain.pay(to, TRX)
        first = await block_of(chain, reader, tx_hash)
        depth = (await reader.tip()).head - first.ref.height + 1
        await chain.reorg(depth)
        assert (await reader.ref_at(first.ref.height)).hash != first.ref.hash
        await chain.included(tx_hash)
        second = await block_of(chain, reader, tx_hash)
    assert second.ref.hash != first.ref.hash
    assert second.transfers == first.transfers


@pytest.mark.parametrize("call", ["getblockbynum", "gettransactioninfobyblocknum"])
async def test_case_43_a_node_that_knows_half_is_waited_for(
    chain: TronChain, call: str
) -> None:
    """Blank answers are incomplete; the block comes once the node knows it."""
    async with reading(chain) as reader:
        tx_hash = await chain.pay(await chain.fresh_address(), TRX)
        height = (await block_of(chain, reader, tx_hash)).ref.height
        await chain.set_faults(blank=[call])
        try:
            with pytest.raises(Incomplete):
                await reader.read(height)
        finally:
            await chain.set_faults()
        assert tx_hash in (await reader.read(height)).outcomes


async def test_case_54_a_declined_broadcast_is_told_and_lands_later(chain: TronChain) -> None:
    """While the chain does not solidify a node declines; the same bytes land afterwards."""
    await chain.pay(HOT_ADDRESS, 9 * TRX)
    to = await chain.fresh_address()
    async with writing(chain) as writer, reading(chain) as reader:
        intent = await writer.prepare(order(HOT_ADDRESS, to), Slot())
        raw = sign(intent)
        tx_hash = writer.verify(intent, raw)
        await chain.set_faults(refuse=["BLOCK_UNSOLIDIFIED", "Block unsolidified."])
        try:
            with pytest.raises(BroadcastRejected, match="BLOCK_UNSOLIDIFIED: Block unsolid"):
                await writer.broadcast(raw)
        finally:
            await chain.set_faults()
        await writer.broadcast(raw)
        await chain.included(tx_hash)
        seen = (await block_of(chain, reader, tx_hash)).transfers
    assert [(each.recipient, each.units) for each in seen] == [(to, TRX)]


async def test_trx_to_a_contract_is_refused(chain: TronChain) -> None:
    """The chain would refuse it too; nothing is signed for it."""
    async with writing(chain) as writer:
        with pytest.raises(Refused, match="is a contract"):
            await writer.prepare(order(chain.payer, chain.token), Slot())


async def test_an_asset_without_a_contract_is_no_answer(chain: TronChain) -> None:
    """Where nobody answers `balanceOf`, nothing is signed."""
    wanted = order(chain.payer, await chain.fresh_address(), await chain.fresh_address())
    async with writing(chain) as writer:
        with pytest.raises(Incomplete, match="balanceOf"):
            await writer.prepare(wanted, Slot())
