"""Small true-to-form blocks and receipts, to be bent by the tests."""

from typing import Any

import msgspec

from watchers.network import Block
from watchers.networks.ethereum.decode import decode_block
from watchers.networks.ethereum.erc20 import TRANSFER_TOPIC
from watchers.networks.ethereum.wire import RawBlock, RawReceipt

HEIGHT = 7
BLOCK_HASH = "0x" + "b7" * 32
PARENT_HASH = "0x" + "b6" * 32
NO_BLOOM = "0x" + "00" * 256
SOME_BLOOM = "0x" + "00" * 255 + "01"
TOKEN = "0x" + "70" * 20
SENDER = "0x" + "5e" * 20
PAYEE = "0x" + "aa" * 20
GWEI = 10**9


def word(address: str) -> str:
    """Return an address as an indexed topic."""
    return "0x" + "00" * 12 + address[2:]


def transfer_log(units: int = 500, **changes: Any) -> dict[str, Any]:
    """Return the log of one token payment to `PAYEE`."""
    return {
        "address": TOKEN,
        "topics": [TRANSFER_TOPIC, word(SENDER), word(PAYEE)],
        "data": f"0x{units:064x}",
        "blockHash": BLOCK_HASH,
        "removed": False,
    } | changes


def payment(
    number: int,
    *,
    value: int = 0,
    logs: list[dict[str, Any]] | None = None,
    status: str | None = "0x1",
    to: str | None = PAYEE,
    **receipt: Any,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return one transaction and its receipt; log indices are set by `assembled`."""
    tx_hash = f"0x{number:064x}"
    sent = {
        "hash": tx_hash,
        "blockHash": BLOCK_HASH,
        "from": SENDER,
        "to": to,
        "value": hex(value),
    }
    got = {
        "transactionHash": tx_hash,
        "blockHash": BLOCK_HASH,
        "gasUsed": hex(21_000),
        "effectiveGasPrice": hex(GWEI),
        "status": status,
        "logsBloom": SOME_BLOOM if logs else NO_BLOOM,
        "logs": logs or [],
    }
    return sent, got | receipt


def assembled(
    *payments: tuple[dict[str, Any], dict[str, Any]], **header: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a block of these payments and its receipts, consistent in every respect."""
    receipts = [receipt for _, receipt in payments]
    index = 0
    for receipt in receipts:
        for log in receipt["logs"]:
            log["logIndex"] = hex(index)
            index += 1
    block = {
        "number": hex(HEIGHT),
        "hash": BLOCK_HASH,
        "parentHash": PARENT_HASH,
        "timestamp": hex(1_700_000_000),
        "logsBloom": SOME_BLOOM if index else NO_BLOOM,
        "transactions": [sent for sent, _ in payments],
    }
    return block | header, receipts


def decoded(
    block: dict[str, Any],
    receipts: list[dict[str, Any]],
    tokens: frozenset[str] = frozenset({TOKEN}),
    height: int = HEIGHT,
) -> Block:
    """Send both answers through the typed decoder, as the reader does."""
    return decode_block(
        height,
        msgspec.convert(block, RawBlock),
        msgspec.convert(receipts, list[RawReceipt]),
        tokens,
    )
