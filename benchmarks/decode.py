"""Blocks per second per family: our typed decode against plain `json` on recorded blocks.

Ours does more than parse: it proves the block complete and returns its transfers and outcomes.
The limit is `json.loads` alone, which finds nothing yet.
"""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec

from benchmarks.timing import console, medians, table
from watchers.networks.ethereum.decode import decode_block as decode_ethereum
from watchers.networks.ethereum.wire import RawBlock, RawReceipt
from watchers.networks.solana.decode import BlockDocument
from watchers.networks.solana.decode import decode as decode_solana
from watchers.networks.tron.decode import decode_block as decode_tron

FIXTURES = Path(__file__).resolve().parents[1].parent / "shared" / "fixtures"
USDT = frozenset({"0xdac17f958d2ee523a2206206994597c13d831ec7"})


class _Answer(msgspec.Struct):
    result: BlockDocument


def main() -> None:
    """Print one table; say so where the recorded blocks are absent."""
    if not FIXTURES.is_dir():
        console.print("decode: the recorded blocks (../shared/fixtures) are not here, skipped")
        return
    rows = []
    for name, (ours, plain) in _cases().items():
        seconds = medians({"ours": ours, "json": plain})
        rows.append(
            [
                name,
                f"{1 / seconds['ours']:,.0f}",
                f"{1 / seconds['json']:,.0f}",
                f"{seconds['json'] / seconds['ours']:.2f}",
            ]
        )
    table(
        "Decode (complete block, transfers found)",
        ["block", "ours /s", "json.loads /s", "ratio"],
        rows,
    )


def _cases() -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    return {
        "ethereum 17053184": _ethereum(),
        "tron 23079502": _tron(),
        "solana 119613633 (full json)": _solana(),
    }


def _ethereum() -> tuple[Callable[[], object], Callable[[], object]]:
    folder = FIXTURES / "ethereum" / "chainstorage"
    block = (folder / "17053184.block.json").read_bytes()
    receipts = (folder / "17053184.receipts.json").read_bytes()
    read_block = msgspec.json.Decoder(RawBlock).decode
    read_receipts = msgspec.json.Decoder(list[RawReceipt]).decode

    def ours() -> object:
        return decode_ethereum(17053184, read_block(block), read_receipts(receipts), USDT)

    return ours, lambda: (json.loads(block), json.loads(receipts))


def _tron() -> tuple[Callable[[], object], Callable[[], object]]:
    folder = FIXTURES / "tron" / "peatio"
    block = (folder / "23079502.getblockbynum.json").read_bytes()
    infos = (folder / "23079502.gettransactioninfobyblocknum.json").read_bytes()
    return (
        lambda: decode_tron(23079502, block, infos, {}),
        lambda: (json.loads(block), json.loads(infos)),
    )


def _solana() -> tuple[Callable[[], object], Callable[[], object]]:
    block = (FIXTURES / "solana" / "peatio" / "119613633.block.json.json").read_bytes()
    read = msgspec.json.Decoder(_Answer).decode
    return (
        lambda: decode_solana(read(block).result, 119613633, {}),
        lambda: json.loads(block),
    )
