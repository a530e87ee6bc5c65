"""How an honest answer is bent: emptied, torn from its question, or made to lie. Pure.

Answers are parsed JSON: an envelope of JSON-RPC, a list of them, or a Tron document.
"""

import copy
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.chaos.faults import Call

TRANSFER_TOPIC = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
PAD = "0" * 24


@dataclass(frozen=True, slots=True)
class Loot:
    """Whom a lie enriches, as the node writes addresses, and the contract whose logs it forges.

    A payment to somebody else becomes one to a payee, a payment to a payee gets another amount.
    """

    payees: Sequence[str] = ()
    token: str = ""


Edit = Callable[[Call, Any], Any | None]
"""Bends one answer as a test says; None where there is nothing to bend."""


def of_document(change: Callable[[Any], None]) -> Edit:
    """Return an edit that changes the document of an answer in place, its envelope left alone."""

    def edit(call: Call, answer: Any) -> Any:
        del call
        bent = copy.deepcopy(answer)
        change(bent["result"] if isinstance(bent, dict) and "jsonrpc" in bent else bent)
        return bent

    return edit


def emptied(call: Call, answer: Any) -> Any | None:
    """Return "nothing there" in the shape of the method; None where it already says so."""
    del call
    if isinstance(answer, dict) and "jsonrpc" in answer:
        result = answer.get("result")
        if isinstance(result, (dict, list)) and result:
            return answer | {"result": [] if isinstance(result, list) else None}
        return None
    return type(answer)() if answer and isinstance(answer, (dict, list)) else None


def readdressed(call: Call, answer: Any) -> Any:
    """Give the answer to another question the id of this one."""
    if isinstance(answer, dict) and "jsonrpc" in answer and isinstance(call.request, dict):
        return answer | {"id": call.request.get("id")}
    return answer


def partial(answer: Any, dice: random.Random) -> Any | None:
    """Spoil one item of a batch and shuffle the rest; None where it is no batch."""
    if not isinstance(answer, list) or not answer or "jsonrpc" not in answer[0]:
        return None
    items = list(answer)
    spoiled = dice.randrange(len(items))
    if dice.random() < 0.5:
        del items[spoiled]
    else:
        error = {"code": -32000, "message": "header not found"}
        items[spoiled] = {"jsonrpc": "2.0", "id": items[spoiled]["id"], "error": error}
    dice.shuffle(items)
    return items


def lie(call: Call, answer: Any, loot: Loot, dice: random.Random) -> Any | None:
    """Return an answer that claims what did not happen; None where this method cannot lie."""
    liar = _LIARS.get(call.method)
    if liar is None or not answer:
        return None
    forged = copy.deepcopy(answer)
    document = (
        forged.get("result") if isinstance(forged, dict) and "jsonrpc" in forged else forged
    )
    return forged if document and liar(document, loot, dice) else None


def _ethereum_receipts(receipts: Any, loot: Loot, dice: random.Random) -> bool:
    receipt = dice.choice(receipts)
    transfers = [log for log in receipt["logs"] if log["topics"][0] == f"0x{TRANSFER_TOPIC}"]
    manner = dice.randrange(3)
    if manner == 0:
        receipt["status"] = "0x0" if receipt["status"] == "0x1" else "0x1"
        return True
    if manner == 1 and transfers:
        dice.choice(transfers)["data"] = f"0x{dice.randrange(1, 10**12):064x}"
        return True
    if not loot.payees or not transfers:
        return False
    invented = copy.deepcopy(dice.choice(transfers))
    invented["address"] = loot.token or invented["address"]
    invented["topics"][2] = f"0x{PAD}{dice.choice(loot.payees).removeprefix('0x')}"
    last = max(int(log["logIndex"], 16) for each in receipts for log in each["logs"])
    invented["logIndex"] = hex(last + 1)
    receipts[-1]["logs"].append(
        invented
        | {
            "transactionHash": receipts[-1]["transactionHash"],
            "transactionIndex": receipts[-1]["transactionIndex"],
        }
    )
    return True


def _ethereum_block(block: Any, loot: Loot, dice: random.Random) -> bool:
    sent = [each for each in block["transactions"] if isinstance(each, dict)]
    if not sent or not loot.payees:
        return False
    paid = dice.choice(sent)
    if paid["to"] not in loot.payees:
        paid["to"] = dice.choice(loot.payees)
    paid["value"] = hex(dice.randrange(1, 10**18))
    return True


def _tron_infos(infos: Any, loot: Loot, dice: random.Random) -> bool:
    info = dice.choice(infos)
    logs = info.get("log") or []
    if logs and dice.random() < 0.5:
        dice.choice(logs)["data"] = f"{dice.randrange(1, 10**12):064x}"
        return True
    if logs and loot.payees:
        invented = copy.deepcopy(dice.choice(logs))
        invented["topics"][2] = f"{PAD}{dice.choice(loot.payees)[-40:]}"
        logs.append(invented)
        return True
    failed = info.pop("result", None) == "FAILED"
    info["receipt"] = info.get("receipt", {}) | {"result": "SUCCESS" if failed else "REVERT"}
    return True


def _tron_block(block: Any, loot: Loot, dice: random.Random) -> bool:
    payments = [
        each["raw_data"]["contract"][0]["parameter"]["value"]
        for each in block.get("transactions", [])
        if each["raw_data"]["contract"][0]["type"] == "TransferContract"
    ]
    if not payments or not loot.payees:
        return False
    paid = dice.choice(payments)
    if paid["to_address"] not in loot.payees:
        paid["to_address"] = dice.choice(loot.payees)
    paid["amount"] = dice.randrange(1, 10**9)
    return True


def _solana_block(block: Any, loot: Loot, dice: random.Random) -> bool:
    found = [each for each in block.get("transactions") or [] if each["meta"]["err"] is None]
    if not found:
        return False
    chosen = dice.choice(found)
    keys = chosen["transaction"].get("accountKeys", [])
    ours = [n for n, key in enumerate(keys) if key["pubkey"] in loot.payees]
    target = dice.choice(ours) if ours else dice.randrange(len(chosen["meta"]["postBalances"]))
    chosen["meta"]["postBalances"][target] += dice.randrange(1, 10**9)
    return True


_LIARS: dict[str, Callable[[Any, Loot, random.Random], bool]] = {
    "eth_getBlockReceipts": _ethereum_receipts,
    "eth_getBlockByNumber": _ethereum_block,
    "gettransactioninfobyblocknum": _tron_infos,
    "getblockbynum": _tron_block,
    "getBlock": _solana_block,
}
CAN_LIE = tuple(_LIARS)
"""Methods whose answers can be made to lie."""
