"""A block's id commits to its transactions: recorded blocks, the emulator's, and lies about them."""

import json
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from devnet import tron as emulator
from devnet.tron import TronChain
from devnet.tron.blocks import transaction_root
from watchers.network import Incomplete
from watchers.networks.tron.address import canonical
from watchers.networks.tron.reader import TronReader
from watchers.networks.tron.root import EMPTY_ROOT, Listed, committed, transactions_root
from watchers.rpc import Endpoints

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
    assert committed(json.dumps(block).encode()) == (sent["txID"],)
    header = block["block_header"]["raw_data"]
    header["witness_address"] = canonical(header["witness_address"])
    assert committed(json.dumps(block).encode()) == (sent["txID"],)
    lie(block)
    with pytest.raises(Incomplete):
        committed(json.dumps(block).encode())


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
    ref, names = await reader.committed(height)
    await reader.aclose()
    assert ref.hash == block["blockID"]
    assert set(names) == sent
    cut = [listed[:at] + listed[at + 1 :] for at in range(len(listed))]
    for wrong in (*cut, listed[::-1], [*listed, listed[-1]], []):
        with pytest.raises(Incomplete, match="root"):
            committed(json.dumps({**block, "transactions": wrong}).encode())
