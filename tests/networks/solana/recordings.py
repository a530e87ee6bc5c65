"""Recorded answers, read a second time without anything of ours, and turned into other shapes.

The recordings lie outside of the project; without them the tests that ask are skipped.
"""

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import base58
import pytest

FIXTURES = Path(__file__).parents[4] / "shared" / "fixtures" / "solana"
BLOCKS = {
    "rotki/getBlock.11.json": 0,
    "peatio/119613633.block.json.json": 119_613_633,
    "peatio/120100226.block.json.json": 120_100_226,
    "photon/270893658.block.base64.json": 270_893_658,
    "photon/443787702.block.base64.json": 443_787_702,
    "solders/147078735.get_block_base64_encoding.json": 147_078_735,
    "solders/147078735.get_block_json_encoding.json": 147_078_735,
    "solders/147078735.get_block_json_parsed_encoding.json": 147_078_735,
}
TRANSACTIONS = (
    "explorer/devnet-single-sol-memo-2EhgNdND.json",
    "explorer/devnet-sol-with-ata-rent-4HobvUWL.json",
    "explorer/devnet-transfer-with-seed-4zZKwjed.json",
    "explorer/mainnet-single-sol-2kHbPUGz.json",
    "peatio/119613633.tx.62Fj1NUJ.base64.json",
    "peatio/120100226.tx.2Mgcii4j.base64.json",
    "rotki/set.getTransaction_a.json",
    "solders/147558327.get_transaction_base64_encoding.json",
    "solders/147558327.get_transaction_json_encoding.json",
    "solders/147558327.get_transaction_json_parsed_encoding.json",
    "tx-parser/jupiterAggregatorV6_sharedAccountsRoute_1.json",
    "tx-parser/jupiterDca_CloseDca_0.json",
    "tx-parser/pumpfun_buy_bundle.json",
    "tx-parser/token_transfer_0.json",
)
SLOT_OF_TRANSACTIONS = 1

Document = dict[str, Any]


def content(name: str) -> bytes:
    """Return one file as it is."""
    path = FIXTURES / name
    if not path.exists():
        pytest.skip(f"no recording {path}")
    return path.read_bytes()


@cache
def recorded(name: str) -> Document:
    """Return a block; transactions that were recorded alone become a block of their own."""
    answers = json.loads(content(name))
    answers = answers if isinstance(answers, list) else [answers]
    bare = [each.get("response", each) for each in answers]
    bare = [each.get("result", each) for each in bare]
    if name in BLOCKS:
        return dict(bare[0])
    return {
        "blockhash": "one",
        "previousBlockhash": "none",
        "blockTime": bare[0]["blockTime"],
        "parentSlot": SLOT_OF_TRANSACTIONS - 1,
        "transactions": [{key: each[key] for key in ("transaction", "meta")} for each in bare],
    }


def slot_of(name: str) -> int:
    """Return the slot of a recording."""
    return BLOCKS.get(name, SLOT_OF_TRANSACTIONS)


def compact_u16(data: bytes, at: int) -> tuple[int, int]:
    """Read the chain's variable-length number; return it and the next position."""
    value, shift = 0, 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def signature_and_keys(entry: Document) -> tuple[str, list[str]]:
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


def token_rises(meta: Document) -> Counter[tuple[str, str]]:
    """Return (mint, owner) -> units gained over all token accounts of the owner."""
    rises: Counter[tuple[str, str]] = Counter()
    for sign, side in ((-1, "preTokenBalances"), (1, "postTokenBalances")):
        for held in meta.get(side) or ():
            units = int(held["uiTokenAmount"]["amount"])
            rises[held["mint"], held["owner"]] += sign * units
    return +rises


def expected_rises(document: Document) -> Counter[tuple[str, str, str]]:
    """Return (tx, asset, recipient) -> units of everything that arrived in a block."""
    rises: Counter[tuple[str, str, str]] = Counter()
    for entry in document["transactions"]:
        meta = entry["meta"]
        if meta["err"] is not None:
            continue
        signature, keys = signature_and_keys(entry)
        for n, key in enumerate(keys):
            risen = meta["postBalances"][n] - meta["preBalances"][n]
            rises[signature, "native", key] += max(0, risen)
        for (mint, owner), units in token_rises(meta).items():
            rises[signature, mint, owner] += units
    return +rises


def mint_programs(document: Document) -> dict[str, str | None]:
    """List every mint of the block under the program that it names, None where it names none."""
    return {
        held["mint"]: held.get("programId")
        for entry in document["transactions"]
        for side in ("preTokenBalances", "postTokenBalances")
        for held in entry["meta"].get(side) or ()
    }


def as_accounts(entry: Document) -> Document:
    """Return a transaction in `accounts` detail."""
    signature, keys = signature_and_keys(entry)
    listed = [{"pubkey": key, "signer": n == 0, "writable": True} for n, key in enumerate(keys)]
    return {**entry, "transaction": {"signatures": [signature], "accountKeys": listed}}


def as_json(entry: Document) -> Document:
    """Return a transaction in `full` detail, loaded keys apart."""
    signature, keys = signature_and_keys(entry)
    loaded = entry["meta"].get("loadedAddresses") or {"writable": [], "readonly": []}
    static = len(keys) - len(loaded["writable"]) - len(loaded["readonly"])
    message = {"accountKeys": keys[:static], "instructions": []}
    return {**entry, "transaction": {"signatures": [signature], "message": message}}


def as_base58(entry: Document) -> Document:
    """Return a binary transaction in the older encoding."""
    body = entry["transaction"]
    if not isinstance(body, list):
        return entry
    return {**entry, "transaction": [base58.b58encode(b64decode(body[0])).decode(), "base58"]}


def as_bare_base58(entry: Document) -> Document:
    """Return a binary transaction as the oldest nodes gave it."""
    body = as_base58(entry)["transaction"]
    return {**entry, "transaction": body[0] if isinstance(body, list) else body}


SHAPES: dict[str, Callable[[Document], Document]] = {
    "accounts": as_accounts,
    "json": as_json,
    "base58": as_base58,
    "bare base58": as_bare_base58,
}


def shapes_of(name: str) -> list[str]:
    """Return the shapes into which a recording can be turned: bytes are not made of JSON."""
    return [shape for shape in SHAPES if "base64" in name or "base58" not in shape]
