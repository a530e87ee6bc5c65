"""A block's id commits to its transactions: recorded blocks, the emulator's, and lies about them."""

import json
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from devnet import tron as emulator
from devnet.tron import TronChain, address
from devnet.tron.blocks import WITNESS_KEY, transaction_root
from tests.networks.tron.scripted_node import scripted
from watchers.network import Incomplete
from watchers.networks.tron.address import canonical
from watchers.networks.tron.reader import TronReader
from watchers.networks.tron.root import (
    EMPTY_ROOT,
    Listed,
    SignedHeader,
    committed,
    hashed_header,
    transactions_root,
)
from watchers.networks.tron.transaction import signer_of
from watchers.rpc import Endpoints
from watchers.seals import Untold

FIXTURES = Path(__file__).resolve().parents[4] / "shared/fixtures/tron"
RECORDED = FIXTURES / "peatio/23079502.getblockbynum.json"
LISTED = FIXTURES / "untron/78115149.gettransactionbyid_list.json"
LEAVES = FIXTURES / "untron/78115149.trc20_txs.encoded.json"
TRX = 10**6
recorded = pytest.mark.skipif(not RECORDED.exists(), reason=f"no recordings at {FIXTURES}")

Edit = Callable[[Any], None]


@pytest.mark.parametrize("count", range(10))
def test_the_root_of_any_number_of_transactions(count: int) -> None:
    """Pairs are hashed together, an odd one moves up; none are zeros (java-tron's MerkleTree)."""
    bodies = [bytes([number]) for number in range(count)]
    leaves = [sha256(body).digest() for body in bodies]
    assert transactions_root(bodies) == transaction_root(leaves)
    assert (transactions_root(bodies) == EMPTY_ROOT) is (count == 0)


@recorded
def test_recorded_transactions_of_mainnet_have_the_recorded_leaves() -> None:
    """Another project serialized them: bytes and hashes are the same."""
    known = {each["txId"][2:]: each for each in json.loads(LEAVES.read_text())["trc20Txs"]}
    listed = msgspec.json.decode(LISTED.read_bytes(), type=list[Listed])
    assert len(listed) > 50
    for each in listed:
        told = known[each.tx_id]
        assert each.serialized().hex() == told["encodedTx"][2:]
        assert transactions_root([each.serialized()]).hex() == told["txLeaf"][2:]


def _emptied(block: Any) -> None:
    del block["transactions"]


def _emptied_in_the_header_too(block: Any) -> None:
    del block["transactions"]
    block["block_header"]["raw_data"]["txTrieRoot"] = EMPTY_ROOT.hex()


def _another_time(block: Any) -> None:
    block["block_header"]["raw_data"]["timestamp"] += 1


def _another_id(block: Any) -> None:
    block["blockID"] = block["blockID"][:16] + "00" * 24


def _another_end(block: Any) -> None:
    block["transactions"][0]["ret"] = [{"contractRet": "REVERT"}]


def _another_name(block: Any) -> None:
    block["transactions"][0]["txID"] = "00" * 32


def _another_signature(block: Any) -> None:
    block["transactions"][0]["signature"][0] = "00" * 65


def _a_result_of_an_unknown_shape(block: Any) -> None:
    block["transactions"][0]["ret"][0]["orderId"] = "00"


def _an_unknown_header(block: Any) -> None:
    block["block_header"]["raw_data"]["newField"] = 1


LIES = [
    _emptied,
    _emptied_in_the_header_too,
    _another_time,
    _another_id,
    _another_end,
    _another_name,
    _another_signature,
    _a_result_of_an_unknown_shape,
    _an_unknown_header,
]


@recorded
@pytest.mark.parametrize("lie", LIES)
def test_a_recorded_block_of_mainnet_is_what_its_id_says(lie: Edit) -> None:
    """Header and transaction hash to the id that the chain knows, and nothing else does."""
    block = json.loads(RECORDED.read_text())
    [sent] = block["transactions"]
    assert committed(json.dumps(block).encode()) == {sent["txID"]: True}
    header = block["block_header"]["raw_data"]
    header["witness_address"] = canonical(header["witness_address"])
    assert committed(json.dumps(block).encode()) == {sent["txID"]: True}
    lie(block)
    with pytest.raises(Incomplete):
        committed(json.dumps(block).encode())


@recorded
def test_a_witness_signs_with_the_key_of_the_address_in_its_header() -> None:
    """The header's hash, which the block's id is made of, is what its maker signed."""
    header = hashed_header(RECORDED.read_bytes())
    signature = bytes.fromhex(header.witness_signature)
    assert signer_of(header.raw_data.digest(), signature) == header.raw_data.witness()


@recorded
@pytest.mark.anyio
async def test_a_signature_of_somebody_else_is_not_the_witness_s() -> None:
    """It stands beside what is hashed: a node may show any, or none."""
    block = json.loads(RECORDED.read_text())
    of_the_payer = block["transactions"][0]["signature"][0]
    own = block["block_header"]["witness_signature"]
    for signature in (own, of_the_payer, "", "zz", "00" * 65):
        header = {**block["block_header"], "witness_signature": signature}
        answer = {"blockID": block["blockID"], "block_header": header}
        async with scripted(getblock=answer) as node:
            reader = TronReader(Endpoints([node.url]), "00" * 32)
            seal = await reader.seal(header["raw_data"]["number"])
            await reader.aclose()
        assert (seal.ref.hash, seal.signed) == (block["blockID"], signature == own)


@recorded
def test_what_cannot_be_hashed_is_told_from_a_lie() -> None:
    """Enough other nodes may bear it out; nobody bears out a lie."""
    block = json.loads(RECORDED.read_text())
    block["transactions"][0]["ret"][0]["orderId"] = "00"
    with pytest.raises(Untold):
        committed(json.dumps(block).encode())
    del block["transactions"]
    with pytest.raises(Incomplete) as lie:
        committed(json.dumps(block).encode())
    assert not isinstance(lie.value, Untold)


@recorded
@pytest.mark.parametrize(
    ("ret", "ended"),
    [
        ([], None),
        ([{"contractRet": "DEFAULT"}], None),
        ([{"contractRet": "SUCCESS", "fee": 1}], True),
        ([{"contractRet": "REVERT"}], False),
        ([{"ret": "FAILED", "contractRet": "OUT_OF_ENERGY"}], False),
    ],
)
def test_how_a_transaction_ended_is_hashed_with_it(ret: Any, ended: bool | None) -> None:
    """The result is part of the leaf: another one makes another root, and another block."""
    block = json.loads(RECORDED.read_text())
    [sent] = block["transactions"]
    honest = committed(json.dumps(block).encode())
    sent["ret"] = ret
    leaf = msgspec.convert(sent, Listed).serialized()
    header = block["block_header"]["raw_data"]
    header["txTrieRoot"] = transactions_root([leaf]).hex()
    block["blockID"] = msgspec.convert(header, SignedHeader).block_id()
    assert committed(json.dumps(block).encode()) == {sent["txID"]: ended}
    assert honest == {sent["txID"]: True}


@recorded
def test_two_hashes_of_the_tree_are_no_transaction() -> None:
    """Sixty-four bytes hash like a pair of leaves: such a thing could stand for two payments."""
    block = json.loads(RECORDED.read_text())
    raw = bytes(62)
    block["transactions"] = [
        {"txID": sha256(raw).hexdigest(), "raw_data_hex": raw.hex(), "signature": [], "ret": []}
    ]
    with pytest.raises(Incomplete, match="64 bytes"):
        committed(json.dumps(block).encode())


@pytest.fixture(scope="module")
async def chain() -> AsyncIterator[TronChain]:
    """Run one emulator for this module; blocks come only when a test asks for them."""
    async with emulator.running(0) as running:
        yield running


@pytest.mark.anyio
@pytest.mark.chain
async def test_no_transaction_can_be_left_out_of_a_block(chain: TronChain) -> None:
    """Whichever of five is gone, and its info with it, the root tells; so does another order."""
    to = await chain.fresh_address()
    sent = {await chain.send(to, TRX + number) for number in range(5)}
    height = max([(await chain.mined(each))["blockNumber"] for each in sent])
    block = await chain.ask("wallet/getblockbynum", num=height)
    listed = block["transactions"]
    assert {each["txID"] for each in listed} == sent
    reader = TronReader(Endpoints([chain.url]), chain.identity)
    sealed, seal = await reader.sealed(height), await reader.seal(height)
    await reader.aclose()
    assert sealed.seal == seal
    assert (seal.ref.hash, seal.ref.height) == (block["blockID"], height)
    assert (seal.witness, seal.signed) == (
        address.base58_text(address.of_key(WITNESS_KEY)),
        True,
    )
    assert sealed.ends == dict.fromkeys([each["txID"] for each in listed], True)
    cut = [listed[:at] + listed[at + 1 :] for at in range(len(listed))]
    for wrong in (*cut, listed[::-1], [*listed, listed[-1]], []):
        with pytest.raises(Incomplete, match="root"):
            committed(json.dumps({**block, "transactions": wrong}).encode())
