"""Ethereum: bytes of a recorded block and its receipts to the transfers that are ours.

Ours parses, proves the block complete and matches 100,000 addresses; what it remembers between
blocks is emptied before every run, but for what the configuration names (the bits of the listed
tokens and of the Transfer topic in a bloom). web3.py's formatters get the parsed JSON for nothing and
prove nothing. The limits find nothing: `json.loads`, a msgspec parse that keeps nothing, and
one look at every byte. Run: `.venv/bin/python -m benchmarks.decode_ethereum`.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from web3._utils.method_formatters import PYTHONIC_RESULT_FORMATTERS
from web3._utils.rpc_abi import RPC

from benchmarks.timing import console, medians, table
from watchers.book import AddressKeys
from watchers.networks.ethereum.bloom import bits_of
from watchers.networks.ethereum.decode import decode_block
from watchers.networks.ethereum.wire import RawBlock, RawReceipt, quantity

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "fixtures" / "ethereum"
BLOCKS = ("chainstorage/17053184", "squid/18000000", "chainstorage/11098450")
TOKENS = frozenset(
    {
        "0xdac17f958d2ee523a2206206994597c13d831ec7",
        "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",
    }
)
POOL = 100_000
SEED = 17
GOAL = 20
ROUNDS = 31


def main() -> None:
    """Print one table per block; say so where the recorded blocks are absent."""
    for name in BLOCKS:
        if not (FOLDER / f"{name}.receipts.json").is_file():
            console.print(f"decode ethereum {name}: not recorded here, skipped")
            continue
        block = (FOLDER / f"{name}.block.json").read_bytes()
        receipts = (FOLDER / f"{name}.receipts.json").read_bytes()
        seconds = medians(_variants(block, receipts), rounds=ROUNDS, clock=time.process_time)
        ours = seconds["ours: parse, prove, decode, match"]
        rows = [
            [what, f"{taken * 1e3:.2f}", f"{1 / taken:,.0f}", f"{taken / ours:.2f}"]
            for what, taken in seconds.items()
        ]
        size = (len(block) + len(receipts)) / 1e6
        table(
            f"Ethereum block {name.partition('/')[2]} ({size:.2f} MB), goal: web3.py >= {GOAL}",
            ["", "ms", "blocks/s", "times ours"],
            rows,
        )


def _variants(block: bytes, receipts: bytes) -> dict[str, Callable[[], object]]:
    skip = msgspec.json.Decoder(msgspec.Raw).decode
    parsed = json.loads(block), json.loads(receipts)
    return {
        "ours: parse, prove, decode, match": _ours(block, receipts),
        "web3.py formatters, parsed for nothing": _web3(*parsed),
        "json.loads": lambda: (json.loads(block), json.loads(receipts)),
        "limit: msgspec, keeping nothing": lambda: (skip(block), skip(receipts)),
        "limit: every byte once": lambda: (block.count(b"\0"), receipts.count(b"\0")),
    }


def _ours(block: bytes, receipts: bytes) -> Callable[[], object]:
    read_block = msgspec.json.Decoder(RawBlock).decode
    read_receipts = msgspec.json.Decoder(list[RawReceipt]).decode
    height = int(json.loads(block)["number"], 16)
    draw = Random(SEED)
    keys = AddressKeys()
    keys.update("0x" + draw.randbytes(20).hex() for _ in range(POOL))
    known = decode_block(height, read_block(block), read_receipts(receipts), TOKENS)
    keys.update(each.recipient for each in known.transfers[:3])

    def ours() -> object:
        quantity.cache_clear()
        bits_of.cache_clear()
        seen = decode_block(height, read_block(block), read_receipts(receipts), TOKENS)
        hits = keys.perhaps(each.recipient for each in seen.transfers)
        found = [each for each in seen.transfers if each.recipient in hits]
        assert len(found) >= 3
        return found

    return ours


def _web3(block: Any, receipts: Any) -> Callable[[], object]:
    format_block = PYTHONIC_RESULT_FORMATTERS[RPC.eth_getBlockByNumber]
    format_receipts = PYTHONIC_RESULT_FORMATTERS[RPC.eth_getBlockReceipts]
    return lambda: (format_block(block), format_receipts(receipts))


if __name__ == "__main__":
    main()
