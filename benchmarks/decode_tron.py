"""Tron: a block and its infos into transfers, against `json.loads` and a dictionary walk.

The walk finds the same transfers and returns their addresses in base58, with our own cached
codec; it proves nothing about the block. Beside it stand the limits: a bare parse, msgspec
skipping everything, and a memory scan. `and strays` also reads every token that nobody listed,
as the watcher does. At `first sight` none of the addresses is known, and each is written in
base58, in either.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from benchmarks.timing import medians, table
from benchmarks.tron_block import HEIGHT, TRANSFER, USDT, block_and_infos
from watchers.network import NATIVE, Transfer
from watchers.networks.tron.address import BASE58, canonical
from watchers.networks.tron.decode import decode_block, token_spellings
from watchers.networks.tron.transfers import TOPICS

SEED = 3
IN_A_ROW = 5
WORD_DIGITS = 64
MOVING_NOTES = {note.encode().hex() for note in ("call", "create", "suicide")}
WALK = "json.loads and walk"

Json = dict[str, Any]
Variants = dict[str, Callable[[], object]]


class _Skipped(msgspec.Struct):
    """An object of which nothing is kept."""


def main() -> None:
    """Print one table."""
    block, infos = block_and_infos(SEED)
    tokens = token_spellings([USDT])
    found = decode_block(HEIGHT, block, infos, tokens).transfers
    assert found == tuple(_walk(block, infos, tokens))
    # Apart: what forgets the addresses would take them from the variants that know them.
    known, at_first_sight = _variants(block, infos, tokens)
    seconds = _seconds(known) | _seconds(at_first_sight)
    rows = [
        [name, f"{took * 1e3:.3f}", f"{1 / took:,.0f}", f"{seconds[WALK] / took:.2f}"]
        for name, took in seconds.items()
    ]
    size = f"{len(block) / 1e3:,.0f} and {len(infos) / 1e3:,.0f} kB, {len(found)} transfers"
    table(
        f"Decode Tron (block and infos of 344 transactions, {size})",
        ["variant", "ms", "blocks/s", "times the walk"],
        rows,
    )


def _seconds(variants: Variants) -> dict[str, float]:
    """Return the median seconds that one block takes in each."""
    turns = {name: _several(work) for name, work in variants.items()}
    taken = medians(turns, rounds=41, clock=time.process_time)
    return {name: took / IN_A_ROW for name, took in taken.items()}


def _several(work: Callable[[], object]) -> Callable[[], object]:
    """Return a turn: memory is left as the variant itself leaves it, not as another did."""

    def turn() -> None:
        for _ in range(IN_A_ROW):
            work()

    return turn


def _variants(block: bytes, infos: bytes, tokens: dict[str, str]) -> tuple[Variants, Variants]:
    """Return those that know every address, and those that see it for the first time."""
    skip_block = msgspec.json.Decoder(_Skipped).decode
    skip_infos = msgspec.json.Decoder(list[_Skipped]).decode

    def ours() -> object:
        return decode_block(HEIGHT, block, infos, tokens)

    def with_strays() -> object:
        return list(decode_block(HEIGHT, block, infos, tokens).strays())

    def walk() -> object:
        return list(_walk(block, infos, tokens))

    def at_first_sight(work: Callable[[], object]) -> Callable[[], object]:
        def forgetful() -> object:
            BASE58.clear()
            TOPICS.clear()
            return work()

        return forgetful

    known: Variants = {
        "ours": ours,
        "ours, and strays": with_strays,
        WALK: walk,
        "limit: json.loads": lambda: (json.loads(block), json.loads(infos)),
        "limit: msgspec, all skipped": lambda: (skip_block(block), skip_infos(infos)),
        "limit: memory scan": lambda: (block.count(b"\0"), infos.count(b"\0")),
    }
    return known, {
        "ours, first sight": at_first_sight(ours),
        f"{WALK}, first sight": at_first_sight(walk),
    }


def _walk(block: bytes, infos: bytes, tokens: dict[str, str]) -> Iterator[Transfer]:
    info_of = {info["id"]: info for info in json.loads(infos)}
    for transaction in json.loads(block)["transactions"]:
        tx_id, info = transaction["txID"], info_of[transaction["txID"]]
        if transaction["ret"][0].get("contractRet") != "SUCCESS":
            continue
        contract = transaction["raw_data"]["contract"][0]
        if contract["type"] == "TransferContract":
            value = contract["parameter"]["value"]
            units = value.get("amount", 0)
            if units > 0:
                sender, recipient = map(
                    canonical, (value["owner_address"], value["to_address"])
                )
                yield Transfer(tx_id, "native", 0, NATIVE, sender, recipient, units)
        if info["receipt"].get("result") == "SUCCESS":
            yield from _walk_logs(tx_id, info, tokens)
            yield from _walk_internal(tx_id, info)


def _walk_logs(tx_id: str, info: Json, tokens: dict[str, str]) -> Iterator[Transfer]:
    for ordinal, log in enumerate(info.get("log", ())):
        token, topics, data = tokens.get(log["address"]), log.get("topics", ()), log.get("data")
        if token and len(topics) == 3 and topics[0] == TRANSFER and len(data) == WORD_DIGITS:
            units = int(data, 16)
            if units:
                sender, recipient = canonical(topics[1][24:]), canonical(topics[2][24:])
                yield Transfer(tx_id, "token", ordinal, token, sender, recipient, units)


def _walk_internal(tx_id: str, info: Json) -> Iterator[Transfer]:
    for ordinal, inner in enumerate(info.get("internal_transactions", ())):
        if inner.get("rejected") or inner["note"] not in MOVING_NOTES:
            continue
        values = inner["callValueInfo"]
        units = sum(each.get("callValue", 0) for each in values if "tokenId" not in each)
        if units:
            sender = canonical(inner["caller_address"])
            recipient = canonical(inner["transferTo_address"])
            yield Transfer(tx_id, "internal", ordinal, NATIVE, sender, recipient, units)


if __name__ == "__main__":
    main()
