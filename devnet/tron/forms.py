"""java-tron's JSON for messages, transactions, blocks and transaction infos. Pure.

Proto3 defaults are left out. Where an answer is visible, addresses are base58 and a few byte
fields are text; otherwise both are hex.
"""

from typing import Any

from devnet.tron import address
from devnet.tron.blocks import Block
from devnet.tron.effects import internal_id
from devnet.tron.messages import CONTRACT_NAMES, CONTRACT_TYPES, TRON, TYPE_URL_PREFIX
from devnet.tron.protobuf import Malformed, Message
from devnet.tron.receipt import InternalTransfer, Log, Receipt
from devnet.tron.transaction import Transaction, read

Json = dict[str, Any]


def to_json(name: str, message: Message, *, visible: bool) -> Json:
    """Write a message."""
    document: Json = {}
    for field in TRON.messages[name]:
        value = message.get(field.name)
        if field.repeated and field.name in message:
            document[field.name] = [_written(field.kind, item, visible) for item in value or ()]
        elif value:
            document[field.name] = _written(field.kind, value, visible)
    return document


def _written(kind: str, value: Any, visible: bool) -> Any:  # noqa: FBT001 - inner
    if kind == "address":
        return address.shown(value, visible=visible)
    if kind == "name" and visible:
        return value.decode()
    if kind in {"bytes", "name"}:
        return value.hex()
    if kind in TRON.messages:
        return to_json(kind, value, visible=visible)
    if kind in TRON.enums:
        return TRON.enums[kind].get(value, value)
    return bool(value) if kind == "bool" else value


def from_json(name: str, document: Json, *, visible: bool) -> Message:
    """Read a message; members that are not its fields are ignored, as java-tron does."""
    message: Message = {}
    for field in TRON.messages[name]:
        value = document.get(field.name)
        if value is None:
            continue
        if field.repeated:
            message[field.name] = [_parsed(field.kind, item, visible) for item in value]
        else:
            message[field.name] = _parsed(field.kind, value, visible)
    return message


def _parsed(kind: str, value: Any, visible: bool) -> Any:  # noqa: FBT001 - inner
    if kind == "address":
        return address.parse(value, visible=visible)
    if kind == "name" and visible:
        return str(value).encode()
    if kind in {"bytes", "name"}:
        return bytes.fromhex(value)
    if kind in TRON.messages:
        return from_json(kind, value, visible=visible)
    if kind in TRON.enums and isinstance(value, str):
        return _enum_number(kind, value)
    return value if kind == "text" else int(value)


def _enum_number(kind: str, label: str) -> int:
    for number, name in TRON.enums[kind].items():
        if name.lower() == label.lower():
            return number
    raise Malformed(f"{label!r} is not a {kind}")


def transaction_from_json(document: Json, *, visible: bool) -> Transaction:
    """Read a transaction from `raw_data` and `signature`; its hex and id are not believed."""
    raw_data = document.get("raw_data")
    if not isinstance(raw_data, dict):
        raise Malformed("raw_data is missing")
    contracts = []
    for contract in raw_data.get("contract", []):
        kind = contract.get("type")
        if kind not in CONTRACT_TYPES:
            raise Malformed(f"contract type {kind!r} is not emulated")
        value = from_json(kind, contract["parameter"]["value"], visible=visible)
        contracts.append(
            {
                "type": CONTRACT_TYPES[kind],
                "parameter": {
                    "type_url": TYPE_URL_PREFIX + kind,
                    "value": TRON.encode(kind, value),
                },
                "Permission_id": contract.get("Permission_id", 0),
            }
        )
    rest = {key: value for key, value in raw_data.items() if key != "contract"}
    body = from_json("Raw", rest, visible=visible)
    signatures = tuple(bytes.fromhex(item) for item in document.get("signature") or ())
    return read(TRON.encode("Raw", {**body, "contract": contracts}), signatures)


def transaction(found: Transaction, *, visible: bool, result: str = "") -> Json:
    """Write a transaction; `result` is its `contractRet`, empty before it is in a block."""
    raw_data = to_json("Raw", {**found.body, "contract": []}, visible=visible)
    contract = found.body["contract"][0]
    written: Json = {
        "parameter": {
            "value": to_json(found.kind, found.value, visible=visible),
            "type_url": contract["parameter"]["type_url"],
        },
        "type": CONTRACT_NAMES[contract.get("type", 0)],
    }
    if contract.get("Permission_id"):
        written["Permission_id"] = contract["Permission_id"]
    document: Json = {"ret": [{"contractRet": result}]} if result else {}
    if found.signatures:
        document["signature"] = [signature.hex() for signature in found.signatures]
    return {
        **document,
        "txID": found.id,
        "raw_data": {**raw_data, "contract": [written]},
        "raw_data_hex": found.raw.hex(),
    }


def block(found: Block, *, visible: bool, detail: bool = True) -> Json:
    """Write a block; without transactions it has no such member."""
    document: Json = {
        "blockID": found.id.hex(),
        "block_header": {
            "raw_data": to_json("BlockHeaderRaw", found.header, visible=visible),
            "witness_signature": found.signature.hex(),
        },
    }
    if detail and found.receipts:
        document["transactions"] = [
            transaction(receipt.transaction, visible=visible, result=receipt.result)
            for receipt in found.receipts
        ]
    return document


def transaction_info(receipt: Receipt, within: Block, *, visible: bool) -> Json:
    """Write what `gettransactioninfobyid` answers."""
    document: Json = {"id": receipt.transaction.id}
    if receipt.fee:
        document["fee"] = receipt.fee
    if within.height:
        document["blockNumber"] = within.height
    document["blockTimeStamp"] = within.time_ms
    document["contractResult"] = [receipt.output.hex()]
    if receipt.contract_address:
        document["contract_address"] = address.shown(receipt.contract_address, visible=visible)
    document["receipt"] = dict(receipt.resources)
    if receipt.is_vm:
        document["receipt"]["result"] = receipt.result
    if receipt.asset_id:
        document["assetIssueID"] = receipt.asset_id
    if receipt.logs:
        document["log"] = [_log(entry, visible=visible) for entry in receipt.logs]
    if not receipt.succeeded:
        document["result"] = "FAILED"
        document["resMessage"] = text(receipt.message.decode(), visible=visible)
    if receipt.internals:
        document["internal_transactions"] = [
            _internal(entry, internal_id(receipt.transaction.id, index), visible=visible)
            for index, entry in enumerate(receipt.internals)
        ]
    return document


def _log(entry: Log, *, visible: bool) -> Json:
    # Hidden, this one address is written without the 0x41 in front.
    full = address.PREFIX + entry.address
    written: Json = {"address": address.base58_text(full) if visible else entry.address.hex()}
    if entry.topics:
        written["topics"] = [topic.hex() for topic in entry.topics]
    if entry.data:
        written["data"] = entry.data.hex()
    return written


def _internal(entry: InternalTransfer, entry_id: str, *, visible: bool) -> Json:
    written: Json = {
        "hash": entry_id,
        "caller_address": address.shown(entry.caller, visible=visible),
        "transferTo_address": address.shown(entry.recipient, visible=visible),
        "callValueInfo": [{"callValue": entry.value} if entry.value else {}],
        "note": entry.note.hex(),
    }
    if entry.rejected:
        written["rejected"] = True
    return written


def text(message: str, *, visible: bool) -> str:
    """Write a message of the node: plain where visible, else hex."""
    return message if visible else message.encode().hex()
