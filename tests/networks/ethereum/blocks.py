"""Small true-to-form blocks and receipts, to be bent by the tests."""

from typing import Any

import msgspec
from eth_utils.crypto import keccak

from watchers.network import Block
from watchers.networks.ethereum.decode import decode_block
from watchers.networks.ethereum.erc20 import TRANSFER_TOPIC
from watchers.networks.ethereum.traces import executions
from watchers.networks.ethereum.wire import RawBlock, RawReceipt, RawTrace

HEIGHT = 7
BLOCK_HASH = "0x" + "b7" * 32
PARENT_HASH = "0x" + "b6" * 32
TOKEN = "0x" + "70" * 20
SENDER = "0x" + "5e" * 20
PAYEE = "0x" + "aa" * 20
CONTRACT = "0x" + "c0" * 20
GWEI = 10**9
TIME = 1_700_000_000


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


def bloom(logs: list[dict[str, Any]]) -> int:
    """Return the bloom of these logs, computed from the Yellow Paper's words."""
    bits = 0
    for log in logs:
        for word_of_log in (log["address"], *log["topics"]):
            digest = keccak(hexstr=word_of_log)
            for at in (0, 2, 4):
                bits |= 1 << (int.from_bytes(digest[at : at + 2], "big") % 2048)
    return bits


def spelled(bits: int) -> str:
    """Return a bloom as a node spells it."""
    return f"0x{bits:0512x}"


def payment(
    number: int,
    *,
    value: int = 0,
    logs: list[dict[str, Any]] | None = None,
    status: str | None = "0x1",
    to: str | None = PAYEE,
    **receipt: Any,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return one transaction and its receipt; `assembled` adds places, gas and blooms."""
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
        "logs": logs or [],
    }
    return sent, got | receipt


def assembled(
    *payments: tuple[dict[str, Any], dict[str, Any]], **header: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a block of these payments and its receipts, consistent in every respect."""
    receipts = [receipt for _, receipt in payments]
    index = union = used = 0
    for place, receipt in enumerate(receipts):
        used += int(receipt["gasUsed"], 16)
        receipt |= {"transactionIndex": hex(place), "cumulativeGasUsed": hex(used)}
        for log in receipt["logs"]:
            log["logIndex"] = hex(index)
            index += 1
        bits = bloom(receipt["logs"])
        union |= bits
        receipt.setdefault("logsBloom", spelled(bits))
    block = {
        "number": hex(HEIGHT),
        "hash": BLOCK_HASH,
        "parentHash": PARENT_HASH,
        "timestamp": hex(TIME),
        "gasUsed": hex(used),
        "logsBloom": spelled(union),
        "transactions": [sent for sent, _ in payments],
    }
    return block | header, receipts


def frame(
    *calls: dict[str, Any],
    kind: str = "CALL",
    sender: str = CONTRACT,
    to: str | None = PAYEE,
    value: int | None = None,
    error: str | None = None,
) -> dict[str, Any]:
    """Return one `callTracer` frame; `calls` are the frames inside it."""
    made: dict[str, Any] = {"type": kind, "from": sender, "gas": "0x5208", "input": "0x"}
    made |= {} if to is None else {"to": to}
    made |= {} if value is None else {"value": hex(value)}
    made |= {} if error is None else {"error": error}
    return made | ({"calls": list(calls)} if calls else {})


def call_of(
    sent_and_receipt: tuple[dict[str, Any], dict[str, Any]], *calls: dict[str, Any]
) -> dict[str, Any]:
    """Return the outermost frame of a transaction, true to its receipt."""
    sent, receipt = sent_and_receipt
    error = None if receipt["status"] == "0x1" else "execution reverted"
    value = int(sent["value"], 16)
    kind = "CREATE" if sent["to"] is None else "CALL"
    to = sent["to"] or CONTRACT
    return frame(*calls, kind=kind, sender=sent["from"], to=to, value=value, error=error)


def decoded(
    block: dict[str, Any],
    receipts: list[dict[str, Any]],
    tokens: frozenset[str] = frozenset({TOKEN}),
    height: int = HEIGHT,
    *,
    traces: list[dict[str, Any]] | None = None,
    logged_from: int | None = None,
) -> Block:
    """Send the answers through the typed decoder, as the reader does."""
    return decode_block(
        height,
        msgspec.convert(block, RawBlock),
        msgspec.convert(receipts, list[RawReceipt]),
        tokens,
        None if traces is None else executions(msgspec.convert(traces, list[RawTrace])),
        logged_from=logged_from,
    )
