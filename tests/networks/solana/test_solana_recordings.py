"""Recorded mainnet blocks: our decoder against a second way of computing the same sums.

The recordings lie outside of the project; without them these tests are skipped.
"""

import json
from base64 import b64decode
from collections import Counter
from pathlib import Path
from typing import Any

import base58
import msgspec
import pytest
from solders.pubkey import Pubkey

from watchers.network import NATIVE, Block
from watchers.networks.solana.accounts import TOKEN_PROGRAM, TOKEN_PROGRAMS
from watchers.networks.solana.decode import BlockDocument, decode

FIXTURES = Path(__file__).parents[4] / "shared" / "fixtures" / "solana"
BLOCKS = (
    "peatio/119613633.block.json.json",
    "peatio/120100226.block.json.json",
    "photon/270893658.block.base64.json",
    "photon/443787702.block.base64.json",
    "solders/147078735.get_block_base64_encoding.json",
    "solders/147078735.get_block_json_encoding.json",
    "solders/147078735.get_block_json_parsed_encoding.json",
)
TRANSACTIONS = (
    "explorer/devnet-single-sol-memo-2EhgNdND.json",
    "explorer/devnet-sol-with-ata-rent-4HobvUWL.json",
    "explorer/devnet-transfer-with-seed-4zZKwjed.json",
    "explorer/mainnet-single-sol-2kHbPUGz.json",
    "peatio/119613633.tx.62Fj1NUJ.base64.json",
    "solders/147558327.get_transaction_base64_encoding.json",
    "solders/147558327.get_transaction_json_encoding.json",
    "solders/147558327.get_transaction_json_parsed_encoding.json",
    "tx-parser/jupiterAggregatorV6_sharedAccountsRoute_1.json",
    "tx-parser/jupiterDca_CloseDca_0.json",
    "tx-parser/pumpfun_buy_bundle.json",
    "tx-parser/token_transfer_0.json",
)
ATA_PROGRAM = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")


def recorded(name: str) -> dict[str, Any]:
    """Return a block; a single transaction becomes a block of one."""
    path = FIXTURES / name
    if not path.exists():
        pytest.skip(f"no recording {path}")
    answer = json.loads(path.read_text())
    answer = answer[0] if isinstance(answer, list) else answer
    answer = answer.get("result", answer)
    if "transactions" in answer:
        return dict(answer)
    return {
        "blockhash": "one",
        "previousBlockhash": "none",
        "blockTime": answer["blockTime"],
        "transactions": [{"transaction": answer["transaction"], "meta": answer["meta"]}],
    }


def compact_u16(data: bytes, at: int) -> tuple[int, int]:
    """Read the chain's variable-length number; return it and the next position."""
    value, shift = 0, 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def signature_and_keys(entry: dict[str, Any]) -> tuple[str, list[str]]:
    """Return first signature and all keys, from whatever encoding, without solders."""
    body, loaded = entry["transaction"], entry["meta"].get("loadedAddresses")
    if isinstance(body, list):
        raw = b64decode(body[0])
        signatures, at = compact_u16(raw, 0)
        signature = base58.b58encode(raw[at : at + 64]).decode()
        at += 64 * signatures
        at += 4 if raw[at] & 0x80 else 3
        count, at = compact_u16(raw, at)
        keys = [
            base58.b58encode(raw[at + 32 * n : at + 32 * n + 32]).decode() for n in range(count)
        ]
    else:
        signature = body["signatures"][0]
        keys = [
            k if isinstance(k, str) else k["pubkey"] for k in body["message"]["accountKeys"]
        ]
    if len(keys) < len(entry["meta"]["preBalances"]):
        keys += loaded["writable"] + loaded["readonly"]
    return signature, keys


def is_canonical(account: str, owner: str, mint: str, program: str) -> bool:
    """Tell whether `account` is the owner's associated token account."""
    seeds = [bytes(Pubkey.from_string(part)) for part in (owner, program, mint)]
    return Pubkey.find_program_address(seeds, ATA_PROGRAM)[0] == Pubkey.from_string(account)


def mint_programs(document: dict[str, Any]) -> dict[str, str]:
    """List every mint of the block under the program that it names (SPL Token where none)."""
    return {
        held["mint"]: held.get("programId", TOKEN_PROGRAM)
        for entry in document["transactions"]
        for side in ("preTokenBalances", "postTokenBalances")
        for held in entry["meta"].get(side) or ()
    }


def expected_rises(document: dict[str, Any]) -> Counter[tuple[str, str, str]]:
    """Return (tx, asset, recipient) -> units, computed account by account."""
    rises: Counter[tuple[str, str, str]] = Counter()
    programs = mint_programs(document)
    for entry in document["transactions"]:
        meta = entry["meta"]
        if meta["err"] is not None:
            continue
        signature, keys = signature_and_keys(entry)
        for n, key in enumerate(keys):
            if meta["postBalances"][n] > meta["preBalances"][n]:
                rises[signature, NATIVE, key] = meta["postBalances"][n] - meta["preBalances"][n]
        before = {each["accountIndex"]: each for each in meta.get("preTokenBalances") or ()}
        for after in meta.get("postTokenBalances") or ():
            mint, owner, index = after["mint"], after["owner"], after["accountIndex"]
            old = int(before[index]["uiTokenAmount"]["amount"]) if index in before else 0
            gain = int(after["uiTokenAmount"]["amount"]) - old
            if gain > 0 and is_canonical(keys[index], owner, mint, programs[mint]):
                rises[signature, mint, owner] += gain
    return rises


def ours(document: dict[str, Any]) -> Block:
    """Decode with every mint of the block listed."""
    typed = msgspec.json.decode(json.dumps(document), type=BlockDocument)
    return decode(typed, 1, mint_programs(document))


@pytest.mark.parametrize("name", BLOCKS + TRANSACTIONS)
def test_sums_agree_with_a_second_computation(name: str) -> None:
    """Every rise, its transaction and its recipient, to the unit; every outcome."""
    document = recorded(name)
    assert set(mint_programs(document).values()) <= TOKEN_PROGRAMS
    whole = ours(document)
    seen = Counter({(t.tx_hash, t.asset, t.recipient): t.units for t in whole.transfers})
    assert seen == expected_rises(document)
    for entry in document["transactions"]:
        meta = entry["meta"]
        outcome = whole.outcomes[signature_and_keys(entry)[0]]
        assert outcome.success == (meta["err"] is None)
        spent = meta["preBalances"][0] - meta["postBalances"][0]
        assert outcome.payer_spent_units == max(0, spent)
    assert len(whole.outcomes) == len(document["transactions"])


@pytest.mark.parametrize("name", BLOCKS + TRANSACTIONS)
def test_identities_are_unique_in_a_block(name: str) -> None:
    """`(tx, kind, ordinal)` names one transfer."""
    transfers = ours(recorded(name)).transfers
    assert len({(t.tx_hash, t.kind, t.ordinal) for t in transfers}) == len(transfers)


def test_all_encodings_of_one_block_decode_alike() -> None:
    """json, jsonParsed and base64 of the same slot give the same block."""
    decoded = [ours(recorded(name)) for name in BLOCKS if "147078735" in name]
    assert decoded[0] == decoded[1] == decoded[2]
