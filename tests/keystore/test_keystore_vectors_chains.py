"""Signed bytes are those of the published examples and of each chain's own libraries."""

import json
import random
import shutil
import subprocess
from typing import Any

import pytest
from bip_utils.utils.crypto import Kekkak256
from coincurve import PrivateKey
from eth_account import Account
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import (
    AdvanceNonceAccountParams,
    TransferParams,
    advance_nonce_account,
    transfer,
)
from solders.transaction import Transaction
from tronpy.keys import PrivateKey as TronKey
from tronpy.keys import to_base58check_address

from keystore.networks import ethereum, solana, tron
from tests.keystore.house import ROOT, ethereum_intent, solana_intent, tron_intent

EIP155 = json.loads((ROOT / "tests" / "vectors" / "eip155.json").read_text())
TRONWEB = ROOT / "devnet" / "node_modules" / "tronweb"
SAMPLES = 40
KEY = bytes.fromhex("49" * 32)
TRC20 = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"


def signature_of(digest: bytes, key: bytes) -> tuple[bytes, bytes, int]:
    """Return r, s and parity as the keystore's drafts ask for them."""
    found = PrivateKey(key).sign_recoverable(digest, hasher=None)
    return found[:32].lstrip(b"\0"), found[32:64].lstrip(b"\0"), found[64]


def test_our_rlp_and_signature_give_the_example_of_eip_155() -> None:
    """Signing data, its hash, r, s, v and the signed transaction, as the document prints them."""
    quantities = [EIP155[name] for name in ("nonce", "gas_price", "gas")]
    head: list[ethereum.Item] = [
        *map(ethereum.number, quantities),
        bytes.fromhex(EIP155["to"]),
        ethereum.number(EIP155["value"]),
        b"",
    ]
    data = ethereum.rlp([*head, ethereum.number(EIP155["chain_id"]), b"", b""])
    digest = Kekkak256.QuickDigest(data)

    r, s, parity = signature_of(digest, bytes.fromhex(EIP155["private"]))

    v = parity + 35 + 2 * EIP155["chain_id"]
    assert (data.hex(), digest.hex()) == (EIP155["signing_data"], EIP155["signing_hash"])
    assert [v, *(str(int.from_bytes(part)) for part in (r, s))] == [
        EIP155["v"],
        EIP155["r"],
        EIP155["s"],
    ]
    assert ethereum.rlp([*head, ethereum.number(v), r, s]).hex() == EIP155["raw"]


def test_an_access_list_of_eip_2930_is_spelled_as_eth_account_spells_it() -> None:
    """Nested lists of any length: the one part of RLP that our own payments leave empty."""
    random_ = random.Random(1)
    for _ in range(SAMPLES):
        listed = [
            (
                random_.randbytes(20),
                [random_.randbytes(32) for _ in range(random_.randrange(4))],
            )
            for _ in range(random_.randrange(4))
        ]
        value, nonce, to = random_.randrange(2**96), random_.randrange(300), b"\x35" * 20
        fields: list[ethereum.Item] = [
            *map(ethereum.number, (1, nonce, 2 * 10**9, 90_000)),
            *(to, ethereum.number(value), b"\xa9\x05"),
            [[address, list(keys)] for address, keys in listed],
        ]
        r, s, parity = signature_of(Kekkak256.QuickDigest(b"\x01" + ethereum.rlp(fields)), KEY)
        raw = b"\x01" + ethereum.rlp([*fields, ethereum.number(parity), r, s])

        theirs = {
            "type": 1,
            "chainId": 1,
            "nonce": nonce,
            "gasPrice": 2 * 10**9,
            "gas": 90_000,
            "to": to,
            "value": value,
            "data": "0xa905",
            "accessList": [
                {"address": "0x" + address.hex(), "storageKeys": ["0x" + k.hex() for k in keys]}
                for address, keys in listed
            ],
        }
        assert raw == Account.sign_transaction(theirs, KEY).raw_transaction


def test_token_payments_of_eip_1559_equal_those_of_eth_account() -> None:
    """Random amounts, payees and contracts: data and envelope, bit for bit."""
    random_ = random.Random(2)
    sender = Account.from_key(KEY).address.lower()
    for nonce in range(SAMPLES):
        token, payee = (random_.randbytes(20).hex() for _ in range(2))
        units = random_.randrange(2 ** random_.randrange(1, 257))
        intent = ethereum_intent(
            asset=f"0x{token}", to=f"0x{payee}", units=str(units), nonce=nonce, gas_limit=90_000
        )

        signed = ethereum.draft(intent, sender).sign(KEY)

        theirs = {
            "type": 2,
            "chainId": 31337,
            "nonce": nonce,
            "gas": 90_000,
            "value": 0,
            "maxFeePerGas": 2 * 10**9,
            "maxPriorityFeePerGas": 10**9,
            "to": bytes.fromhex(token),
            "data": f"0xa9059cbb{payee:0>64}{units:064x}",
        }
        other = Account.sign_transaction(theirs, KEY)
        assert (signed.raw, signed.tx_hash) == (other.raw_transaction, "0x" + other.hash.hex())


def tron_samples() -> list[tuple[Any, dict[str, Any]]]:
    """Return intents, and what TronWeb's own JSON calls the same transactions."""
    random_, samples = random.Random(3), []
    sender = TronKey(KEY).public_key.to_base58check_address()
    for number in range(SAMPLES):
        payee, block = b"\x41" + random_.randbytes(20), random_.randbytes(32)
        is_token, units = number % 2 == 1, random_.randrange(1, 2**53)
        made = random_.randrange(1, 2**44)
        intent = tron_intent(
            to=to_base58check_address(payee),
            **{"asset": TRC20, "fee_limit": 30_000_000} if is_token else {},
            units=str(units),
            ref_block_id=block.hex(),
            timestamp_ms=made,
            expiration_ms=made + 3_600_000,
        )
        owner: dict[str, Any] = {"owner_address": tron.address(sender, "to").hex()}
        if is_token:
            kind, call = "TriggerSmartContract", f"a9059cbb{payee[1:].hex():0>64}{units:064x}"
            contract = tron.address(TRC20, "to").hex()
            value = {**owner, "contract_address": contract, "data": call}
        else:
            kind, value = (
                "TransferContract",
                {**owner, "to_address": payee.hex(), "amount": units},
            )
        parameter = {"value": value, "type_url": f"type.googleapis.com/protocol.{kind}"}
        raw_data: dict[str, Any] = {
            "contract": [{"parameter": parameter, "type": kind}],
            "ref_block_bytes": block[6:8].hex(),
            "ref_block_hash": block[8:16].hex(),
            "expiration": made + 3_600_000,
            "timestamp": made,
            **({"fee_limit": 30_000_000} if is_token else {}),
        }
        samples.append((intent, {"visible": False, "raw_data": raw_data}))
    return samples


TRONWEB_SCRIPT = """
const { utils } = require(process.argv[1]);
const [key, samples] = JSON.parse(require("fs").readFileSync(0));
console.log(JSON.stringify(samples.map((tx) => {
  const pb = utils.transaction.txJsonToPb(tx);
  tx.txID = utils.transaction.txPbToTxID(pb).replace("0x", "");
  tx.raw_data_hex = utils.transaction.txPbToRawDataHex(pb);
  return [tx.raw_data_hex.toLowerCase(), tx.txID, utils.crypto.signTransaction(key, tx).signature[0]];
})));
"""


def test_tron_payments_equal_those_of_tronweb_and_tronpy() -> None:
    """Raw data, id and signature of random TRX and TRC-20 payments; tronpy signs the same id."""
    node = shutil.which("node")
    if node is None or not TRONWEB.is_dir():
        pytest.skip("Node.js or devnet/node_modules is missing: run `make setup`")
    samples = tron_samples()
    sender = TronKey(KEY).public_key.to_base58check_address()
    asked = json.dumps([KEY.hex(), [theirs for _, theirs in samples]])
    done = subprocess.run(
        [node, "-e", TRONWEB_SCRIPT, str(TRONWEB)],
        input=asked, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert len(found) == SAMPLES
    for (intent, _), (raw_data, tx_id, signature) in zip(samples, found, strict=True):
        draft = tron.draft(intent, sender)
        signed = draft.sign(KEY)
        assert (draft.raw_data.hex(), signed.tx_hash) == (raw_data, tx_id)
        assert signed.raw[-65:].hex() == signature.lower()
        tronpy = TronKey(KEY).sign_msg_hash(bytes.fromhex(tx_id))
        assert signed.raw[-65:-1].hex() == tronpy.hex()[:128]


def test_native_solana_payments_equal_those_of_solders() -> None:
    """The whole transaction, built and signed again with solders' own instructions."""
    random_ = random.Random(4)
    signer = Keypair.from_seed(KEY)
    hot = signer.pubkey()
    for _ in range(SAMPLES):
        lane = Pubkey.from_string(solana.lane_account(str(hot), random_.randrange(16)))
        payee, value = Pubkey(random_.randbytes(32)), Hash(random_.randbytes(32))
        units, price = random_.randrange(1, 2**64), random_.randrange(2**40)
        intent = solana_intent(
            str(lane), to=str(payee), units=str(units), nonce_value=str(value),
            compute_unit_price_micro_lamports=price,
        )  # fmt: skip

        signed = solana.draft(intent, str(hot)).sign(KEY)

        pay = TransferParams(from_pubkey=hot, to_pubkey=payee, lamports=units)
        theirs = [
            advance_nonce_account(
                AdvanceNonceAccountParams(nonce_pubkey=lane, authorized_pubkey=hot)
            ),
            set_compute_unit_limit(20_000),
            set_compute_unit_price(price),
            transfer(pay),
        ]
        message = Message.new_with_blockhash(theirs, hot, value)
        assert signed.raw == bytes(Transaction([signer], message, value))
