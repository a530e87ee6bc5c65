"""Solana blocks to measure with, as the bytes of a `getBlock` answer; None where not recorded.

`testnet` is block 119613633 as it was recorded: 3,228 transactions, nearly all votes. No whole
mainnet block is recorded; `mainnet` is put together from recorded ones: 158 votes and 444 others,
of which one in five of the heavy ones succeeded, so that about as many balances rise (240) as in
mainnet block 254170887, which had these numbers of transactions. `all succeed` is the worst of
the kind: 1,500 transactions, 600 of them trades that went through.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Any

from solders.signature import Signature

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "fixtures" / "solana"
TESTNET = "peatio/119613633.block.json.json"
TRADES = "rotki/set.getTransaction_a.json"
SINGLE = (
    "tx-parser/jupiterAggregatorV6_sharedAccountsRoute_1.json",
    "tx-parser/jupiterDca_CloseDca_0.json",
    "tx-parser/pumpfun_buy_bundle.json",
    "tx-parser/token_transfer_0.json",
)
SLOT = 119_613_633
HEAVY_ACCOUNTS = 12
SUCCESS_ONE_IN = 5
FAILED = {"InstructionError": [3, {"Custom": 6001}]}
HEADER = {"blockTime": 1_645_481_100, "blockHeight": 98_253_358, "parentSlot": SLOT - 1}
KEPT_IN_ACCOUNTS = (
    "err", "status", "fee", "preBalances", "postBalances", "preTokenBalances", "postTokenBalances",
)  # fmt: skip

Json = dict[str, Any]


def recorded() -> bool:
    """Tell whether the recordings are here."""
    return FOLDER.is_dir()


def answers() -> dict[str, bytes]:
    """Return each block in both details."""
    votes = _read(TESTNET)["transactions"]
    trades = list(_trades())
    blocks = {
        "testnet 119613633": votes,
        "mainnet mix": _mixed(votes, list(_mostly_failed(trades, 444)), 158),
        "busy, all succeed": _mixed(votes, list(islice(cycle(trades), 600)), 900),
    }
    return {
        f"{name}, {detail}": answer(entries)
        for name, plain in blocks.items()
        for detail, entries in (("full", plain), ("accounts", [*map(_accounts, plain)]))
    }


def answer(entries: Sequence[Json], **header: object) -> bytes:
    """Return a whole JSON-RPC answer as a node writes it."""
    result = {"blockhash": "1" * 44, "previousBlockhash": "2" * 44, **HEADER, **header}
    document = {"jsonrpc": "2.0", "result": {**result, "transactions": entries}, "id": 1}
    return json.dumps(document, separators=(",", ":")).encode()


def _read(name: str) -> Any:
    document = json.loads((FOLDER / name).read_bytes())
    document = document[0] if name in SINGLE and isinstance(document, list) else document
    return document.get("result", document) if isinstance(document, dict) else document


def _trades() -> Iterator[Json]:
    for each in _read(TRADES):
        yield _entry(each["response"]["result"])
    for name in SINGLE:
        yield _entry(_read(name))


def _entry(found: Json) -> Json:
    return {"transaction": found["transaction"], "meta": found["meta"], "version": 0}


def _mostly_failed(trades: Sequence[Json], count: int) -> Iterator[Json]:
    heavy = 0
    for entry in islice(cycle(trades), count):
        meta = entry["meta"]
        if meta["preTokenBalances"] or len(meta["preBalances"]) > HEAVY_ACCOUNTS:
            heavy += 1
            if heavy % SUCCESS_ONE_IN:
                yield {**entry, "meta": {**meta, "err": FAILED}}
                continue
        yield entry


def _mixed(votes: Sequence[Json], others: Sequence[Json], count: int) -> list[Json]:
    """Return `count` votes and the others, each under a signature of its own."""
    return [
        {
            **entry,
            "transaction": {
                **entry["transaction"],
                "signatures": [str(Signature.from_bytes(number.to_bytes(64, "big")))],
            },
        }
        for number, entry in enumerate(chain(islice(cycle(votes), count), others), start=1)
    ]


def _accounts(entry: Json) -> Json:
    """Return an entry of `full` detail in `accounts` detail."""
    body, meta = entry["transaction"], entry["meta"]
    keys = [k if isinstance(k, str) else k["pubkey"] for k in body["message"]["accountKeys"]]
    static = len(keys)
    if static < len(meta["preBalances"]):
        keys += meta["loadedAddresses"]["writable"] + meta["loadedAddresses"]["readonly"]
    listed = [
        {
            "pubkey": key,
            "signer": number == 0,
            "source": "transaction" if number < static else "lookupTable",
            "writable": True,
        }
        for number, key in enumerate(keys)
    ]
    return {
        "transaction": {"accountKeys": listed, "signatures": body["signatures"]},
        "meta": {key: meta[key] for key in KEPT_IN_ACCOUNTS if key in meta},
        "version": 0,
    }
