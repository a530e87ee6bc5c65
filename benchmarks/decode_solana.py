"""Solana: bytes of a block to the transfers that are ours, against the need and `json.loads`.

Ours parses, checks what can be checked, finds every payment and matches 100,000 addresses; what
it remembers between blocks is emptied before every run. `and strays` also reads every token that
nobody listed, as the watcher does. The limits find nothing: `json.loads`, a msgspec parse that
keeps nothing, one look at every byte. Times are of one core. Run: `.venv/bin/python -m benchmarks.decode_solana`.
"""

import json
import time
from collections.abc import Callable
from random import Random

import msgspec

from benchmarks.solana_blocks import SLOT, answers, recorded
from benchmarks.timing import console, medians, table
from watchers.addresses import AddressBook
from watchers.network import Block
from watchers.networks.solana.accounts import TOKEN_PROGRAM, associated_token_account
from watchers.networks.solana.decode import decode
from watchers.networks.solana.document import BlockDocument

NEED_PER_SECOND = 2.5
TIMES_NEED, TIMES_JSON = 40, 4
TOKENS = {
    "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v": TOKEN_PROGRAM,
    "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB": TOKEN_PROGRAM,
}
POOL = 100_000
SEED = 17
ROUNDS = 31
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
OURS, LIMIT = "ours: parse, decode, match", "limit: json.loads"


class _Answer(msgspec.Struct, gc=False):
    result: BlockDocument


class _Skipped(msgspec.Struct):
    """An object of which nothing is kept."""


def main() -> None:
    """Print one table per block; say so where the recorded blocks are absent."""
    if not recorded():
        console.print("decode solana: the recorded blocks are not here, skipped")
        return
    book = AddressBook("")
    draw = Random(SEED)
    book.pool.update("".join(draw.choices(BASE58, k=44)) for _ in range(POOL))
    for name, body in answers().items():
        seconds = medians(_variants(body, book), rounds=ROUNDS, clock=time.process_time)
        rows = [
            [
                what,
                f"{taken * 1e3:.2f}",
                f"{1 / taken / NEED_PER_SECOND:,.0f}",
                f"{seconds[LIMIT] / taken:.2f}",
            ]
            for what, taken in seconds.items()
        ]
        found = len(_decoded(body).transfers)
        table(
            f"Solana block {name} ({len(body) / 1e6:.2f} MB, {found} transfers), goal: "
            f"{TIMES_NEED} times the need, {TIMES_JSON} times json.loads",
            ["", "ms", "times 2.5 blocks/s", "times json.loads"],
            rows,
        )


_READ = msgspec.json.Decoder(_Answer).decode
_SKIP = msgspec.json.Decoder(_Skipped).decode


def _decoded(body: bytes) -> Block:
    associated_token_account.cache_clear()
    return decode(_READ(body).result, SLOT, TOKENS)


def _variants(body: bytes, book: AddressBook) -> dict[str, Callable[[], object]]:
    def ours() -> object:
        return book.hits(_decoded(body), frozenset())

    def with_strays() -> object:
        block = _decoded(body)
        return book.hits(block, frozenset()), list(block.strays())

    return {
        OURS: ours,
        "ours, and strays": with_strays,
        LIMIT: lambda: json.loads(body),
        "limit: msgspec, what we keep": lambda: _READ(body),
        "limit: msgspec, all skipped": lambda: _SKIP(body),
        "limit: memory scan": lambda: body.count(b"\0"),
    }


if __name__ == "__main__":
    main()
