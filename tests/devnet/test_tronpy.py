"""tronpy and tronweb, unchanged, against the emulator: clients that nobody here wrote."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tronpy import Contract, Tron
from tronpy.exceptions import (
    BadAddress,
    BadSignature,
    BlockNotFound,
    TransactionNotFound,
    ValidationError,
)
from tronpy.keys import PrivateKey
from tronpy.providers import HTTPProvider

from devnet.contracts import contract
from devnet.tron import TronChain, address, running
from devnet.tron.genesis import PAYER_KEY

pytestmark = [pytest.mark.anyio, pytest.mark.chain]

TRX = 1_000_000
POLL = {"timeout": 15, "interval": 0.05}
SCRIPT = Path(__file__).with_name("tronweb_check.js")


@pytest.fixture(scope="module")
async def chain() -> AsyncIterator[TronChain]:
    """One emulator for the room, with blocks five times a second."""
    async with running(0.2, solid_lag=3) as started:
        yield started


@pytest.fixture
def client(chain: TronChain) -> Iterator[Any]:
    """Return tronpy's client with its ordinary HTTP provider."""
    provider = HTTPProvider(chain.url)
    yield Tron(provider)
    provider.sess.close()


@pytest.fixture
def key() -> Any:
    """Return the payer's key as tronpy holds it."""
    return PrivateKey(PAYER_KEY.secret)


async def test_tronpy_reads_blocks_accounts_and_parameters(
    chain: TronChain, client: Any
) -> None:
    """Heights, ids, balances and prices come out of its own calls."""
    await chain.mine(5)
    assert client.get_block(0)["blockID"] == chain.identity
    head, solid = client.get_latest_block_number(), client.get_latest_solid_block_number()
    assert 0 < solid < head
    assert client.get_block(solid)["block_header"]["raw_data"]["number"] == solid
    assert client.get_account_balance(chain.payer) > 1_000
    parameters = {entry["key"]: entry.get("value") for entry in client.get_chain_parameters()}
    assert parameters["getEnergyFee"] == 100
    with pytest.raises(BlockNotFound):
        client.get_block(10**6)
    with pytest.raises(TransactionNotFound):
        client.get_transaction_info("00" * 32)


async def test_tronpy_transfers_trx(chain: TronChain, client: Any, key: Any) -> None:
    """Built, signed, sent, found in a block and solid."""
    recipient = await chain.fresh_address()
    sent = client.trx.transfer(chain.payer, recipient, 5 * TRX).build().sign(key).broadcast()
    info = sent.wait(**POLL)
    assert info["fee"] == 1_100_000
    assert client.get_account_balance(recipient) == 5
    memo = client.trx.transfer(chain.payer, recipient, TRX).memo("invoice 42").build()
    assert memo.sign(key).broadcast().wait(**POLL)["fee"] >= TRX
    assert sent.wait(**POLL, solid=True) == info


async def test_tronpy_transfers_the_token(chain: TronChain, client: Any, key: Any) -> None:
    """The ABI comes from the node; the event of the receipt decodes."""
    recipient = await chain.fresh_address()
    token = client.get_contract(chain.token)
    assert (token.functions.symbol(), token.functions.decimals()) == ("TUSD", 6)
    call = token.functions.transfer(recipient, 1_500_000).with_owner(chain.payer)
    sent = call.fee_limit(100 * TRX).build().sign(key).broadcast()
    info = sent.wait(**POLL)
    assert sent.result(**POLL) is True
    assert token.functions.balanceOf(recipient) == 1_500_000
    (event,) = token.events.Transfer.process_receipt(info)
    assert event["args"]["value"] == 1_500_000
    parameter = token.functions.transfer._prepare_parameter(recipient, 5)
    signature = "transfer(address,uint256)"
    needed = client.get_estimated_energy(chain.payer, chain.token, signature, parameter)
    assert 10_000 < needed < info["receipt"]["energy_usage_total"]


async def test_tronpy_offline_transactions_are_accepted(
    chain: TronChain, client: Any, key: Any
) -> None:
    """The id that tronpy computes from its own protobuf is the node's."""
    recipient = await chain.fresh_address()
    reference = client.get_latest_solid_block_id()
    built = client.trx.transfer(chain.payer, recipient, TRX).build(
        offline=True, ref_block_id=reference
    )
    answer = client.broadcast(built.sign(key))
    assert answer["txid"] == built.txid


async def test_tronpy_deploys_and_calls_a_contract(
    chain: TronChain, client: Any, key: Any
) -> None:
    """Creation code runs, and the code stays at Tron's own address for it."""
    source = contract("Splitter")
    abi = [
        {**entry, "type": entry["type"].capitalize(), "stateMutability": "Payable"}
        for entry in source.abi
    ]
    splitter = Contract(bytecode=source.bytecode, abi=abi, name="Splitter")
    built = client.trx.deploy_contract(chain.payer, splitter).fee_limit(10_000 * TRX).build()
    info = built.sign(key).broadcast().wait(**POLL)
    seed = bytes.fromhex(built.txid)
    owner = address.parse(chain.payer, visible=True)
    expected = address.base58_text(address.of_contract(seed, owner))
    assert info["receipt"]["result"] == "SUCCESS"
    assert info["contract_address"] == expected
    assert client.get_contract(expected).name == "Splitter"


async def test_tronpy_hears_of_refusals_and_reverts(
    chain: TronChain, client: Any, key: Any
) -> None:
    """Its exceptions are those it raises against a real node."""
    stranger = PrivateKey(address.constant_key("stranger").secret)
    transfer = client.trx.transfer(chain.payer, await chain.fresh_address(), TRX).build()
    transfer._permission = None
    with pytest.raises(BadSignature, match="not contained of permission"):
        transfer.sign(stranger).broadcast()
    poor = stranger.public_key.to_base58check_address()
    with pytest.raises(ValidationError, match="does not exist"):
        client.trx.transfer(poor, chain.payer, TRX).build().sign(stranger).broadcast()
    with pytest.raises(BadAddress):
        client.get_account("T" + "1" * 33)
    token = client.get_contract(chain.token)
    call = token.functions.transfer(chain.payer, 10**30).with_owner(chain.payer)
    info = call.fee_limit(100 * TRX).build().sign(key).broadcast().wait(**POLL)
    assert (info["result"], info["receipt"]["result"]) == ("FAILED", "REVERT")
    assert info["resMessage"] == "REVERT opcode executed"


async def test_tronweb_reads_pays_and_lends(chain: TronChain) -> None:
    """Its protobuf gives the same bytes, its curve the same signer; what it sends lands."""
    tx_id = await chain.pay(await chain.fresh_address(), 7, chain.token)
    to = await chain.fresh_address()
    arguments = (chain.url, tx_id, chain.token, PAYER_KEY.to_hex(), to)
    script = await asyncio.create_subprocess_exec(
        *("node", SCRIPT, *arguments), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await script.communicate()
    assert script.returncode == 0
    found = json.loads(output)
    assert found["encodesTheSame"] is True
    assert found["signer"] == chain.payer
    assert found["info"]["receipt"]["result"] == "SUCCESS"
    assert (found["symbol"], found["blocks"]) == ("TUSD", 2)
    assert [found[each]["result"] for each in ("native", "token")] == ["SUCCESS", "SUCCESS"]
    assert (found["balance"], found["tokenBalance"]) == (3 * TRX, "250000")
    assert found["energy"] > 10_000
    assert found["results"] == ["SUCCESS"] * 3
    (loan,) = found["delegatedResource"]
    assert loan["frozen_balance_for_energy"] == 500_000 * TRX
    assert len(found["index"]["fromAccounts"]) == 1
    assert found["limit"] > 1_000_000
    assert await chain.balance(to, chain.token) == 250_000
