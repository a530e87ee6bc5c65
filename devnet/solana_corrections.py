"""What Surfpool's answers get wrong, put right document by document; no I/O here."""

import base64
from typing import Any

from solders.message import from_bytes_versioned

from devnet.chain import RpcFault
from devnet.solana_ledger import Ledger, Produced

COMPUTE_BUDGET_PROGRAM = "ComputeBudget111111111111111111111111111111"
SET_COMPUTE_UNIT_LIMIT, SET_COMPUTE_UNIT_PRICE = 2, 3
COMPUTE_UNITS_DEFAULT = 200_000
COMPUTE_UNITS_MAX = 1_400_000
MICRO_LAMPORTS = 1_000_000

UNSUPPORTED_VERSION = -32015

Document = dict[str, Any]


def correct_block(document: Document, block: Produced, options: Document) -> Document:
    """Return Surfpool's getBlock answer with the identity of `block` and the fees charged.

    Raises `ValueError` where it holds other transactions than when the slot was closed.
    """
    entries = document.get("transactions")
    if entries is not None:
        served = [entry_signature(entry) for entry in entries]
        document["transactions"] = [correct_transaction(entry, options) for entry in entries]
    else:
        served = document.get("signatures", list(block.signatures))
    if None not in served and tuple(served) != block.signatures:
        raise ValueError(f"slot {block.slot} changed after it was closed")
    return document | {
        "blockHeight": block.height,
        "blockTime": block.time,
        "blockhash": block.hash,
        "parentSlot": block.parent_slot,
        "previousBlockhash": block.parent_hash,
    }


def entry_signature(entry: Document) -> str | None:
    """Return the first signature of a JSON-encoded transaction, None of a binary one."""
    body = entry["transaction"]
    return body["signatures"][0] if isinstance(body, dict) else None


def correct_transaction(entry: Document, options: Document) -> Document:
    """Return a transaction with the fee that was charged; refuse versions not asked for.

    Lamports only leave a transaction's accounts as its fee, so the fee is the difference of
    the sums; Surfpool reports the signature fee alone. It also goes on telling what a token
    account held that the transaction closed: without lamports there is no account.
    """
    version = entry.get("version", "legacy")
    if version != "legacy" and "maxSupportedTransactionVersion" not in options:
        raise RpcFault(
            UNSUPPORTED_VERSION,
            f"Transaction version ({version}) is not supported by the requesting client. "
            "Please try the request again with the following configuration parameter: "
            f'"maxSupportedTransactionVersion": {version}',
        )
    meta = entry["meta"]
    charged = sum(meta["preBalances"]) - sum(meta["postBalances"])
    corrected: Document = {"fee": charged}
    if meta.get("postTokenBalances"):
        corrected["postTokenBalances"] = [
            held
            for held in meta["postTokenBalances"]
            if meta["postBalances"][held["accountIndex"]]
        ]
    return entry | {"meta": meta | corrected}


def correct_status(status: Document, ledger: Ledger) -> Document:
    """Return a signature status in step with the blocks that are shown."""
    level = ledger.level(status["slot"])
    confirmations = None if level == "finalized" else max(0, ledger.closed - status["slot"])
    return status | {"confirmationStatus": level, "confirmations": confirmations}


def priority_fee(message_base64: str) -> int:
    """Return the lamports that a message pays above its signatures."""
    message = from_bytes_versioned(base64.b64decode(message_base64))
    keys = [str(key) for key in message.account_keys]
    limit, price, others = None, 0, 0
    for instruction in message.instructions:
        if keys[instruction.program_id_index] != COMPUTE_BUDGET_PROGRAM:
            others += 1
        elif instruction.data[0] == SET_COMPUTE_UNIT_LIMIT:
            limit = int.from_bytes(instruction.data[1:5], "little")
        elif instruction.data[0] == SET_COMPUTE_UNIT_PRICE:
            price = int.from_bytes(instruction.data[1:9], "little")
    units = min(COMPUTE_UNITS_DEFAULT * others if limit is None else limit, COMPUTE_UNITS_MAX)
    return -(-units * price // MICRO_LAMPORTS)
