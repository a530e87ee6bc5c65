"""The emulator's encoding against blocks of the real chain and tronpy's own protobuf."""

import random
from hashlib import sha256
from typing import Any

import pytest
from tronpy.proto import calculate_txid_from_raw_data

from devnet.tron import address, forms
from devnet.tron.blocks import block_id, transaction_leaf, transaction_root
from devnet.tron.messages import TRON
from devnet.tron.protobuf import Malformed
from devnet.tron.transaction import read, sign, signer

SEED = 20_260_101
TRANSACTIONS = 300

# Block 23 079 502 of the Nile test network, which has one transaction.
HEADER = {
    "number": 23_079_502,
    "txTrieRoot": bytes.fromhex(
        "31d82e52dace74974d1ee5b9458c7ed46fb1975e6e92029ba5a1700d42091bd3"
    ),
    "witness_address": bytes.fromhex("41010f8928947769a5cd54b1f4a5c9b7d3e497994b"),
    "parentHash": bytes.fromhex(
        "0000000001602a4d99fb07d4ac3f8d45e4c16503ddbc91ebfb4f55e47b0f427a"
    ),
    "version": 23,
    "timestamp": 1_642_508_610_000,
}
BLOCK_ID = "0000000001602a4ef16949cc9141f9c288a6968893c4b87d76095c36e43184c7"
TX_ID = "404af98b6f35de3e42546db8bf5de5ed94236d96ca66917c86f026a792a85d00"
RAW = bytes.fromhex(
    "0a022a4d220899fb07d4ac3f8d4540f89095e9e62f5aae01081f12a9010a31747970652e676f6f676c6561"
    "7069732e636f6d2f70726f746f636f6c2e54726967676572536d617274436f6e747261637412740a1541bd"
    "adc90ce073c4464b03fcd9ccc8ea0a26b5132b12154170082243784dcdf3042034e7b044d6d342a9136022"
    "44a9059cbb00000000000000000000000075f6a3be1bf8d02e6f82ec24e210e91acec38be8000000000000"
    "0000000000000000000000000000000000056bc75e2d6310000070fdc091e9e62f900180c2d72f"
)
SIGNATURE = bytes.fromhex(
    "eb71ba87c2242aa230644e2464ef7cfffc19521942d2827fe00a8fe5203cb58a12598a567192fb17f0625a"
    "c551bab35078c218ed0c2cca20ad64ccc48f11b23401"
)
BANDWIDTH = 345
"""What the real node charged for it, in bytes."""


def test_a_real_block_has_the_id_and_transaction_root_we_compute() -> None:
    """Header hash and Merkle root, results included, agree with the Nile network."""
    assert block_id(HEADER).hex() == BLOCK_ID
    leaf = transaction_leaf(RAW, (SIGNATURE,), "SUCCESS")
    assert transaction_root([leaf]) == HEADER["txTrieRoot"]


def test_a_real_transaction_has_the_id_signer_and_size_we_compute() -> None:
    """Id, recovered owner and bandwidth agree with the Nile network."""
    transaction = read(RAW, (SIGNATURE,))
    assert transaction.id == TX_ID
    assert transaction.raw == RAW
    assert signer(transaction, SIGNATURE) == transaction.owner
    assert transaction.size == BANDWIDTH


def test_an_odd_leaf_moves_up_unchanged() -> None:
    """Three leaves hash as ((0, 1), 2)."""
    leaves = [bytes([number]) * 32 for number in range(3)]
    left = sha256(leaves[0] + leaves[1]).digest()
    assert transaction_root(leaves) == sha256(left + leaves[2]).digest()


def test_ids_agree_with_tronpy() -> None:
    """Random transfers and calls get the id that tronpy's generated protobuf gives them."""
    rng = random.Random(SEED)
    for _ in range(TRANSACTIONS):
        raw_data = _random_raw_data(rng)
        transaction = forms.transaction_from_json({"raw_data": raw_data}, visible=False)
        assert transaction.id == calculate_txid_from_raw_data(raw_data)
        shown = forms.transaction(transaction, visible=True)
        assert forms.transaction_from_json(shown, visible=True) == transaction


def _random_raw_data(rng: random.Random) -> dict[str, Any]:
    value: dict[str, Any] = {"owner_address": _random_address(rng)}
    if rng.random() < 0.5:
        kind = "TransferContract"
        amounts = [1, 127, 128, 2**40, 2**63 - 1]
        value |= {"to_address": _random_address(rng), "amount": rng.choice(amounts)}
    else:
        kind = "TriggerSmartContract"
        data = rng.randbytes(rng.randrange(200)).hex()
        value |= {"contract_address": _random_address(rng), "data": data, "call_value": 5}
    parameter = {"value": value, "type_url": f"type.googleapis.com/protocol.{kind}"}
    raw_data: dict[str, Any] = {
        "ref_block_bytes": rng.randbytes(2).hex(),
        "ref_block_hash": rng.randbytes(8).hex(),
        "expiration": rng.randrange(2**42),
        "timestamp": rng.randrange(2**42),
        "contract": [{"type": kind, "parameter": parameter}],
    }
    if kind == "TriggerSmartContract":
        raw_data["fee_limit"] = rng.choice([0, 10**7])
    return raw_data


def _random_address(rng: random.Random) -> str:
    return "41" + rng.randbytes(20).hex()


@pytest.mark.parametrize(
    "extra",
    [
        b"\x98\x01\x01",
        b"\x40\x01",
        b"\x42\x01\x00",
        b"\x5a\x05\x00",
        b"\x40\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x0d\x00\x00\x00\x00",
    ],
    ids=["unknown field", "field twice", "wire type", "cut off", "number too long", "fixed32"],
)
def test_bytes_that_cannot_be_written_back_are_refused(extra: bytes) -> None:
    """Nothing is skipped silently, or two ids would exist for one transaction."""
    with pytest.raises(Malformed):
        TRON.decode("Raw", RAW + extra)


def test_two_contracts_in_a_transaction_are_refused() -> None:
    """Consensus demands exactly one."""
    body = TRON.decode("Raw", RAW)
    body["contract"] *= 2
    with pytest.raises(Malformed, match="exactly 1"):
        read(TRON.encode("Raw", body))


def test_a_signature_recovers_with_both_forms_of_its_last_byte() -> None:
    """Wallets write the recovery id as 0 or 1, or as 27 or 28."""
    key = address.constant_key("test")
    signature = sign(RAW, key)
    modern = signature[:64] + bytes([signature[64] + 27])
    transaction = read(RAW)
    assert signer(transaction, signature) == address.of_key(key)
    assert signer(transaction, modern) == address.of_key(key)
