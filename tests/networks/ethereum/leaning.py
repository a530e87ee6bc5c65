"""A node's lean answers about a block: all logs by themselves, and single receipts."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from tests.fakes.node import Answer, FakeNode, serving, table
from tests.networks.ethereum.blocks import HEIGHT, TOKEN, assembled, payment, transfer_log, word
from watchers.book import AddressKeys
from watchers.interest import Interest
from watchers.network import Block
from watchers.networks.ethereum.erc20 import TRANSFER_TOPIC
from watchers.networks.ethereum.lean import survey
from watchers.networks.ethereum.reader import EthereumReader
from watchers.networks.ethereum.wire import RawBlock, RawPlacedLog, RawPlacedReceipt
from watchers.rpc import Endpoints, JsonRpc

Json = dict[str, Any]

OTHER_HASH = "0x" + "0f" * 32
OURS = ["0x" + f"a{n}" * 20 for n in range(3)]
STRANGERS = ["0x" + f"b{n}" * 20 for n in range(4)]


def paid(to: str, units: int = 500, token: str = TOKEN, sender: str = STRANGERS[0]) -> Json:
    """Return the log of a token payment."""
    topics = [TRANSFER_TOPIC, word(sender), word(to)]
    return transfer_log(units, address=token, topics=topics)


BLOCK, RECEIPTS = assembled(
    payment(1, value=5, to=OURS[0]),
    payment(2, to=STRANGERS[1], logs=[paid(STRANGERS[2]), paid(OURS[1])]),
    payment(3, value=7, to=STRANGERS[3]),
    payment(4, to=STRANGERS[1], logs=[paid(OURS[2]), paid(OURS[2])]),
    payment(5, value=1, to=STRANGERS[3]),
)
FIRST, TOKENS, END = (f"0x{n:064x}" for n in (1, 2, 5))


def interest_in(addresses: Collection[str], own: Collection[str] = ()) -> Interest:
    """Return the interest of whoever has these addresses and sent these transactions."""
    keys = AddressKeys()
    keys.update(addresses)
    return Interest(keys.perhaps, lambda: keys.version, frozenset(own))


def placed(block: Json, receipts: Sequence[Json]) -> tuple[Json, list[Json], dict[str, Json]]:
    """Return block, logs and receipts by hash as a node tells them singly."""
    logs: list[Json] = []
    used = 0
    single = {}
    for place, receipt in enumerate(receipts):
        name = receipt["transactionHash"]
        used += int(receipt["gasUsed"], 16)
        at = {"transactionHash": name, "transactionIndex": hex(place)}
        logs.extend(log | at for log in receipt["logs"])
        single[name] = receipt | {
            "transactionIndex": hex(place),
            "cumulativeGasUsed": hex(used),
        }
    return block | {"gasUsed": hex(used)}, logs, single


def leanly(
    block: Json,
    logs: Sequence[Json],
    receipts: dict[str, Json],
    interest: Interest,
    tokens: frozenset[str] = frozenset({TOKEN}),
    height: int = HEIGHT,
) -> Block:
    """Read these answers as the reader does, asking for no more receipts than it would."""
    typed = msgspec.convert(logs, list[RawPlacedLog])
    found = survey(height, msgspec.convert(block, RawBlock), typed, interest)
    wanted = [receipts[name] for name in found.hashes]
    return found.decode(msgspec.convert(wanted, list[RawPlacedReceipt]), tokens)


@asynccontextmanager
async def lean_node(
    block: Json, receipts: Sequence[Json], **changes: Any
) -> AsyncIterator[FakeNode]:
    """Run a node that has one block and tells it both ways, but for some methods.

    `eth_getTransactionReceipt` may be changed to what every receipt is answered with.
    """
    lean_block, logs, single = placed(block, receipts)
    answers = {
        "eth_getBlockByNumber": lean_block,
        "eth_getBlockReceipts": list(receipts),
        "eth_getLogs": logs,
    }
    answer: Answer = table(**answers | changes)
    async with serving(answer) as node:

        def batch(requests: list[Json]) -> Any:
            node.calls.append(f"{len(requests)} receipts")
            found = changes.get("eth_getTransactionReceipt", single)
            return [
                {
                    "jsonrpc": "2.0",
                    "id": each["id"],
                    "result": found.get(each["params"][0]) if found is single else found,
                }
                for each in requests
            ]

        node.batch = batch
        yield node


@asynccontextmanager
async def lean_reading(node: FakeNode, **options: Any) -> AsyncIterator[EthereumReader]:
    """Yield a reader whose node offers the lean way."""
    rpc = JsonRpc(Endpoints([node.url]))
    reader = EthereumReader(rpc, 1, frozenset({TOKEN}), logs=lambda: True, **options)
    try:
        yield reader
    finally:
        await reader.aclose()


def answers() -> tuple[Json, list[Json], dict[str, Json]]:
    """Return block, logs and single receipts, fresh for every test."""
    block, logs, receipts = placed(BLOCK, RECEIPTS)
    block["transactions"] = [dict(each) for each in block["transactions"]]
    return block, logs, receipts
