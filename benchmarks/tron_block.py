"""A Tron block of mainnet size, its transactions shaped as recorded ones are.

No whole mainnet block is recorded with its infos. Block 78115149 had 344 transactions, 55 of them
calls of USDT; the rest here is TRX transfers, resource delegations and calls of other contracts
with three events each. Shapes are those of recorded answers; ids, addresses and amounts come
from a seed.
"""

import json
from hashlib import sha256
from random import Random
from typing import Any

HEIGHT = 78_115_149
TIME_MS = 1_765_007_400_000
TRANSACTIONS = 344
USDT = "41a614f803b6fd780986a42c78ec9c7f77e6ded13c"
TRANSFER = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
KINDS = ("usdt", "native", "native", "delegate", "delegate", "other")
"""In turn: a sixth of each."""

Json = dict[str, Any]


def block_and_infos(seed: int) -> tuple[bytes, bytes]:
    """Return both answers as a node writes them, in hex."""
    draw = Random(seed)
    pairs = [
        _pair(KINDS[index % len(KINDS)], draw.randbytes(32).hex(), draw)
        for index in range(TRANSACTIONS)
    ]
    block_id = HEIGHT.to_bytes(8, "big").hex() + draw.randbytes(24).hex()
    header = {
        "number": HEIGHT,
        "txTrieRoot": draw.randbytes(32).hex(),
        "witness_address": _address(draw),
        "parentHash": (HEIGHT - 1).to_bytes(8, "big").hex() + draw.randbytes(24).hex(),
        "version": 31,
        "timestamp": TIME_MS,
    }
    block = {
        "blockID": block_id,
        "block_header": {"raw_data": header, "witness_signature": draw.randbytes(65).hex()},
        "transactions": [transaction for transaction, _ in pairs],
    }
    infos = [info for _, info in pairs]
    return _written(block), _written(infos)


def _written(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _address(draw: Random) -> str:
    return "41" + draw.randbytes(20).hex()


def _word(address: str) -> str:
    return "0" * 24 + address[2:]


def _pair(kind: str, tx_id: str, draw: Random) -> tuple[Json, Json]:
    sender, recipient, units = _address(draw), _address(draw), draw.randrange(1, 10**11)
    info: Json = {
        "blockNumber": HEIGHT,
        "contractResult": [""],
        "blockTimeStamp": TIME_MS,
        "receipt": {"net_usage": 268},
        "id": tx_id,
    }
    if kind == "native":
        value: Json = {"amount": units, "owner_address": sender, "to_address": recipient}
        return _transaction("TransferContract", tx_id, value, draw), info
    if kind == "delegate":
        value = {
            "balance": units,
            "receiver_address": recipient,
            "owner_address": sender,
            "resource": "ENERGY",
        }
        return _transaction("DelegateResourceContract", tx_id, value, draw), info
    token = USDT if kind == "usdt" else "41" + sha256(b"other").hexdigest()[:40]
    data = f"a9059cbb{_word(recipient)}{units:064x}"
    value = {"data": data, "owner_address": sender, "contract_address": token}
    info |= _called(token, sender, recipient, units, 1 if kind == "usdt" else 3)
    return _transaction("TriggerSmartContract", tx_id, value, draw), info


def _called(token: str, sender: str, recipient: str, units: int, events: int) -> Json:
    log = {
        "address": token[2:],
        "data": f"{units:064x}",
        "topics": [TRANSFER, _word(sender), _word(recipient)],
    }
    return {
        "log": [log] * events,
        "contractResult": ["0" * 64],
        "fee": 345_000,
        "receipt": {
            "result": "SUCCESS",
            "energy_penalty_total": 100_635,
            "energy_usage": 130_285,
            "energy_usage_total": 130_285,
            "net_fee": 345_000,
        },
        "contract_address": token,
    }


def _transaction(kind: str, tx_id: str, value: Json, draw: Random) -> Json:
    raw_octets = {"TriggerSmartContract": 211, "TransferContract": 134}.get(kind, 140)
    url = f"type.googleapis.com/protocol.{kind}"
    return {
        "ret": [{"contractRet": "SUCCESS"}],
        "signature": [draw.randbytes(65).hex()],
        "txID": tx_id,
        "raw_data": {
            "contract": [{"parameter": {"value": value, "type_url": url}, "type": kind}],
            "ref_block_bytes": draw.randbytes(2).hex(),
            "ref_block_hash": draw.randbytes(8).hex(),
            "expiration": TIME_MS + 60_000,
            "fee_limit": 50_000_000,
            "timestamp": TIME_MS - 3_000,
        },
        "raw_data_hex": draw.randbytes(raw_octets).hex(),
    }
