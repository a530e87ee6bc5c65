"""Cases of the attack catalogue on a running Tron chain: what really happens is what is seen."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from devnet import tron as emulator
from devnet.contracts import cases
from devnet.tron import TronChain, address
from devnet.tron.genesis import PAYER
from devnet.tron.local import call_data, token_transfer
from tests.chaos.edits import of_document
from tests.chaos.faults import Fault, always
from tests.chaos.proxy import chaos
from watchers.network import NATIVE, Block, Incomplete, Transfer
from watchers.networks.tron.decode import decode_block, token_spellings
from watchers.networks.tron.reader import TronReader
from watchers.rpc import Endpoints

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
TRX = 10**6
SOLID_LAG = 4
HOLDER = address.evm(PAYER)


@pytest.fixture(scope="module")
async def chain() -> AsyncIterator[TronChain]:
    """Run one emulator for this module; blocks come only when a test asks for them."""
    async with emulator.running(0, solid_lag=SOLID_LAG) as running:
        yield running


@asynccontextmanager
async def reading(chain: TronChain, *assets: str) -> AsyncIterator[TronReader]:
    """Open a reader that lists these assets."""
    reader = TronReader(Endpoints([chain.url]), chain.identity, frozenset(assets))
    try:
        yield reader
    finally:
        await reader.aclose()


async def seen(chain: TronChain, tx_hash: str, *assets: str) -> Block:
    """Seal a block with the transaction and read it."""
    height = (await chain.mined(tx_hash))["blockNumber"]
    async with reading(chain, *assets) as reader:
        return await reader.read(height)


def parsed(base58: str) -> bytes:
    """Return the 21 bytes of an address."""
    return address.parse(base58, visible=True)


async def test_a_block_in_which_nothing_happens_is_read_as_empty(chain: TronChain) -> None:
    """Its header states the root over no transactions, so the empty lists are the truth."""
    await chain.mine()
    async with reading(chain) as reader:
        found = await reader.read((await reader.tip()).head)
    assert (found.transfers, len(found.outcomes)) == ((), 0)


async def test_case_41_a_call_that_runs_out_of_energy_or_reverts_pays_nobody(
    chain: TronChain,
) -> None:
    """It stands in its block with the calldata of a payment, and costs its fee."""
    to = await chain.fresh_address()
    value = {
        "contract_address": parsed(chain.token),
        "data": token_transfer(parsed(to), 5),
    }
    starved = await chain.transact("TriggerSmartContract", value, fee_limit=100_000)
    refused = await chain.send(to, 10**30, chain.token)
    block = await seen(chain, refused, chain.token)
    for tx_hash in (starved, refused):
        assert not block.outcomes[tx_hash].success
        assert block.outcomes[tx_hash].payer_spent_units > 0
    assert block.transfers == ()
    assert list(block.strays()) == []


async def test_case_46_an_asset_named_usdt_counts_by_its_number_alone(chain: TronChain) -> None:
    """Not listed it is a stray beside the payments, listed it is a payment."""
    asset, to = await chain.issue("USDT", 10**9), await chain.fresh_address()
    value = {"asset_name": asset.encode(), "to_address": parsed(to), "amount": 7}
    tx_hash = await chain.transact("TransferAssetContract", value)
    moved = Transfer(tx_hash, "token", 0, asset, chain.payer, to, 7)
    block = await seen(chain, tx_hash, chain.token)
    assert block.transfers == ()
    assert list(block.strays()) == [moved]
    async with reading(chain, asset) as reader:
        listed = await reader.read(block.ref.height)
    assert listed.transfers == (moved,)
    assert list(listed.strays()) == []


async def test_case_49_a_node_that_keeps_no_inner_payments_says_nothing_of_them(
    chain: TronChain,
) -> None:
    """The block is complete and admits that it cannot tell; the balance shows the payment."""
    splitter = address.base58_text(
        bytes.fromhex((await chain.mined(await chain.deploy("Splitter")))["contract_address"])
    )
    to = await chain.fresh_address()
    data = call_data("fan(address[],uint256)", [address.evm(parsed(to))], 3 * TRX)
    await chain.set_up(save_internal=False)
    hidden = await seen(chain, await chain.trigger(splitter, data, 3 * TRX))
    await chain.set_up(save_internal=True)
    shown = await seen(chain, await chain.trigger(splitter, data, 3 * TRX))
    assert (hidden.transfers, hidden.internal) == ((), False)
    assert [each.kind for each in shown.transfers] == ["internal"]
    assert shown.internal
    async with reading(chain) as reader:
        assert await reader.balance(to, NATIVE) == 6 * TRX


async def test_case_51_a_token_reaches_an_address_that_was_never_activated(
    chain: TronChain,
) -> None:
    """The account does not exist, the credit is as good as any."""
    to = await chain.fresh_address()
    block = await seen(chain, await chain.send(to, 9, chain.token), chain.token)
    assert [(each.recipient, each.units) for each in block.transfers] == [(to, 9)]
    assert await chain.ask("wallet/getaccount", address=to, visible=True) == {}
    async with reading(chain) as reader:
        assert await reader.balance(to, chain.token) == 9


async def test_case_52_a_perfect_event_of_another_contract_is_no_payment(
    chain: TronChain,
) -> None:
    """The fake names itself; it can only ever be a stray."""
    fake, to = await chain.create(cases.fake_token()), await chain.fresh_address()
    claim = call_data("claim(address,uint256)", address.evm(parsed(to)), 10**9)
    block = await seen(chain, await chain.trigger(fake, claim), chain.token)
    assert block.transfers == ()
    assert [(each.asset, each.recipient) for each in block.strays()] == [(fake, to)]


async def test_case_53_a_payment_that_is_not_solid_may_vanish(chain: TronChain) -> None:
    """The replacing block has another id and lacks it; its parent is the same."""
    to = await chain.fresh_address()
    before = await seen(chain, await chain.send(to, TRX))
    await chain.reorg(1, drop=True)
    async with reading(chain) as reader:
        after = await reader.read(before.ref.height)
    assert after.ref.hash != before.ref.hash
    assert after.ref.parent_hash == before.ref.parent_hash
    assert len(before.transfers) == 1
    assert after.transfers == ()


async def test_case_54_while_nothing_is_solidified_the_final_height_stands(
    chain: TronChain,
) -> None:
    """The head goes on; whoever waits for the final height waits, and resumes by itself."""
    await chain.mine(SOLID_LAG)
    async with reading(chain) as reader:
        first = await reader.tip()
        await chain.set_faults(solid_at=first.final)
        await chain.mine(2)
        assert await reader.tip() == type(first)(head=first.head + 2, final=first.final)
        await chain.set_faults()
        assert (await reader.tip()).final == first.final + 2


async def test_a_token_that_keeps_a_fee_logs_more_than_arrives(chain: TronChain) -> None:
    """Why such a token is not listed without its flag: the log is not the balance."""
    charging = await chain.create(cases.fee_token(HOLDER, 10**12, basis_points=200))
    to = await chain.fresh_address()
    block = await seen(chain, await chain.send(to, 100, charging), charging)
    assert [each.units for each in block.transfers] == [100]
    async with reading(chain) as reader:
        assert await reader.balance(to, charging) == 98


@asynccontextmanager
async def bent(
    chain: TronChain, *assets: str, **edits: Callable[[Any], None]
) -> AsyncIterator[TronReader]:
    """Open a reader behind a node that changes the answers of these calls as it is told."""
    changes = {method: of_document(change) for method, change in edits.items()}
    async with chaos(chain.url, edits=changes, plan=always(Fault.EDITED)) as proxy:
        reader = TronReader(Endpoints([proxy.url]), chain.identity, frozenset(assets))
        try:
            yield reader
        finally:
            assert proxy.counts[Fault.EDITED] > 0
            await reader.aclose()


async def test_case_42_a_trx_transfer_without_success_pays_nobody(chain: TronChain) -> None:
    """Recipient and amount stand in the block; its result says that nothing moved."""

    def failed(block: Any) -> None:
        [payment] = block["transactions"]
        payment["ret"][0]["contractRet"] = "REVERT"

    honest = await seen(chain, await chain.send(await chain.fresh_address(), TRX))
    assert len(honest.transfers) == 1
    async with bent(chain, getblockbynum=failed) as reader:
        block = await reader.read(honest.ref.height)
    assert block.transfers == ()
    with pytest.raises(Incomplete, match="info does not"):
        [*block.outcomes.values()]


async def test_case_44_a_block_that_is_swapped_between_the_two_calls_is_asked_again(
    chain: TronChain,
) -> None:
    """The chain is reorganised between block and infos: the ids, then the times tell."""
    to = await chain.fresh_address()
    before = await seen(chain, await chain.send(to, TRX))
    height = before.ref.height
    old = await chain.ask("wallet/gettransactioninfobyblocknum", num=height)
    await chain.reorg(1, drop=True)

    def of_the_old_block(infos: Any) -> None:
        infos[:] = old

    def of_the_same_transactions_elsewhere(infos: Any) -> None:
        for info in infos:
            info["blockTimeStamp"] += 3_000

    async with bent(chain, gettransactioninfobyblocknum=of_the_old_block) as reader:
        with pytest.raises(Incomplete, match="infos do not match"):
            await reader.read(height)
    after = await seen(chain, await chain.send(to, TRX))
    swapped = {"gettransactioninfobyblocknum": of_the_same_transactions_elsewhere}
    async with bent(chain, **swapped) as reader:
        with pytest.raises(Incomplete, match="another block"):
            await reader.read(after.ref.height)


async def test_case_45_a_transaction_with_two_contracts_is_refused(chain: TronChain) -> None:
    """Consensus forbids it: the node that shows one is asked again, and nothing of it counts."""

    def doubled(block: Any) -> None:
        [payment] = block["transactions"]
        payment["raw_data"]["contract"] *= 2

    honest = await seen(chain, await chain.send(await chain.fresh_address(), TRX))
    async with bent(chain, getblockbynum=doubled) as reader:
        with pytest.raises(Incomplete, match="exactly one contract"):
            await reader.read(honest.ref.height)


async def split(chain: TronChain, *recipients: str) -> str:
    """Pay these addresses from inside a contract, a third of what it gets to each."""
    made = await chain.mined(await chain.deploy("Splitter"))
    contract = address.base58_text(bytes.fromhex(made["contract_address"]))
    words = [address.evm(parsed(each)) for each in recipients]
    return await chain.trigger(
        contract, call_data("fan(address[],uint256)", words, TRX), TRX * len(words)
    )


async def test_case_47_an_asset_that_moves_inside_a_contract_is_not_trx(
    chain: TronChain,
) -> None:
    """The entry of an inner payment that carries an asset's number moved no coin."""

    def with_asset(infos: Any) -> None:
        for info in infos:
            for inner in info["internal_transactions"]:
                for value in inner["callValueInfo"]:
                    value["tokenId"] = "1004777"

    tx_hash = await split(chain, await chain.fresh_address())
    honest = await seen(chain, tx_hash)
    assert [each.kind for each in honest.transfers] == ["internal"]
    async with bent(chain, gettransactioninfobyblocknum=with_asset) as reader:
        block = await reader.read(honest.ref.height)
    assert block.transfers == ()


async def test_case_48_a_rejected_inner_payment_is_skipped(chain: TronChain) -> None:
    """Of two inner payments the node calls one rejected: the other one counts."""
    kept, rejected = await chain.fresh_address(), await chain.fresh_address()

    def one_rejected(infos: Any) -> None:
        for info in infos:
            info["internal_transactions"][1]["rejected"] = True

    honest = await seen(chain, await split(chain, kept, rejected))
    assert [each.recipient for each in honest.transfers] == [kept, rejected]
    async with bent(chain, gettransactioninfobyblocknum=one_rejected) as reader:
        block = await reader.read(honest.ref.height)
    assert [each.recipient for each in block.transfers] == [kept]


async def test_case_50_both_spellings_of_a_node_give_the_same_block(chain: TronChain) -> None:
    """Hex and base58, in blocks, infos and logs: one stored form."""
    to = await chain.fresh_address()
    tx_hash = await chain.send(to, 9, chain.token)
    height = (await chain.mined(tx_hash))["blockNumber"]
    spellings, found = token_spellings([chain.token]), []
    for visible in (False, True):
        answers = [
            msgspec.json.encode(await chain.ask(f"wallet/{call}", num=height, visible=visible))
            for call in ("getblockbynum", "gettransactioninfobyblocknum")
        ]
        assert (chain.payer.encode() in answers[0]) is visible
        block, infos = answers
        found.append(decode_block(height, block, infos, spellings))
    assert found[0].transfers == found[1].transfers
    assert [(each.recipient, each.units) for each in found[0].transfers] == [(to, 9)]
