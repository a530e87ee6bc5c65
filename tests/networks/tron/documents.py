"""Hand-made node answers for decode tests, in both spellings of a node (`visible`)."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from watchers.network import Block
from watchers.networks.tron.address import to_base58
from watchers.networks.tron.decode import decode_block, token_spellings
from watchers.networks.tron.transfers import TRANSFER_TOPIC

HEIGHT = 67_325_788
TIME_MS = 1_732_627_338_000
DELEGATE_NOTE = b"delegateResourceOfEnergy".hex()
CALL_NOTE = b"call".hex()


def address(seed: str) -> str:
    """Return a base58 address that depends on `seed` alone."""
    return to_base58(b"\x41" + sha256(seed.encode()).digest()[:20])


TOKEN = address("token")
OTHER_TOKEN = address("other token")
PAYER = address("payer")
POOL = address("pool")


def tx_id(seed: str) -> str:
    """Return a transaction id that depends on `seed` alone."""
    return sha256(seed.encode()).hexdigest()


def block_id(height: int, branch: str = "main") -> str:
    """Return a block id: eight bytes of height, the rest from `branch`."""
    return height.to_bytes(8, "big").hex() + tx_id(f"{branch}{height}")[16:]


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a node writes addresses: base58 where `visible`, else hex."""

    visible: bool = False

    def account(self, base58: str) -> str:
        """Write an account or contract address."""
        return base58 if self.visible else token_spellings_of(base58)[1]

    def log(self, base58: str) -> str:
        """Write the address of an event log: hex without the 41, or base58."""
        return base58 if self.visible else token_spellings_of(base58)[2]


HEX = Spelling()
VISIBLE = Spelling(visible=True)


def token_spellings_of(base58: str) -> list[str]:
    """Return base58, 42 and 40 hex digits."""
    return list(token_spellings([base58]))


def word(base58: str) -> str:
    """Return an address as an event topic."""
    return "0" * 24 + token_spellings_of(base58)[2]


def amount_word(units: int) -> str:
    """Return an amount as event data."""
    return f"{units:064x}"


def transfer_log(
    units: int, *, token: str = TOKEN, to: str = POOL, spelling: Spelling = HEX
) -> dict[str, Any]:
    """Return the log of a TRC-20 transfer."""
    return {
        "address": spelling.log(token),
        "topics": [TRANSFER_TOPIC, word(PAYER), word(to)],
        "data": amount_word(units),
    }


def internal(value: dict[str, Any], **extra: Any) -> dict[str, Any]:
    """Return an internal call from the token's contract to the pool with one `callValueInfo`."""
    return {
        "hash": tx_id("internal"),
        "caller_address": HEX.account(TOKEN),
        "transferTo_address": HEX.account(POOL),
        "callValueInfo": [value],
        "note": CALL_NOTE,
        **extra,
    }


def transaction(
    seed: str, kind: str, value: dict[str, Any], contract_ret: str = "SUCCESS"
) -> dict[str, Any]:
    """Return a transaction as a block lists it."""
    url = f"type.googleapis.com/protocol.{kind}"
    return {
        "ret": [{"contractRet": contract_ret}],
        "signature": ["00" * 65],
        "txID": tx_id(seed),
        "raw_data": {
            "contract": [{"parameter": {"value": value, "type_url": url}, "type": kind}],
            "ref_block_bytes": "2a4d",
            "timestamp": TIME_MS - 3_000,
        },
    }


def trx_transfer(
    seed: str, units: int, contract_ret: str = "SUCCESS", spelling: Spelling = HEX
) -> dict[str, Any]:
    """Return a TRX transfer from the payer to the pool."""
    value = {
        "owner_address": spelling.account(PAYER),
        "to_address": spelling.account(POOL),
        "amount": units,
    }
    return transaction(seed, "TransferContract", value, contract_ret)


def contract_call(seed: str, contract_ret: str = "SUCCESS") -> dict[str, Any]:
    """Return a call of the token contract."""
    value = {
        "owner_address": HEX.account(PAYER),
        "contract_address": HEX.account(TOKEN),
        "data": "a9059cbb" + word(POOL) + amount_word(5),
    }
    return transaction(seed, "TriggerSmartContract", value, contract_ret)


def info(seed: str, **fields: Any) -> dict[str, Any]:
    """Return the info of a transaction where no virtual machine ran; `fields` overrides."""
    return {
        "id": tx_id(seed),
        "blockNumber": HEIGHT,
        "blockTimeStamp": TIME_MS,
        "contractResult": [""],
        "receipt": {"net_usage": 268},
        **fields,
    }


def call_info(seed: str, result: str = "SUCCESS", **fields: Any) -> dict[str, Any]:
    """Return the info of a contract call."""
    receipt = {"result": result, "energy_usage_total": 64_285, "net_usage": 345}
    failed = {} if result == "SUCCESS" else {"result": "FAILED", "resMessage": "4e6f"}
    return info(seed, receipt=receipt, **failed, **fields)


def block(*transactions: dict[str, Any], height: int = HEIGHT, **fields: Any) -> dict[str, Any]:
    """Return a block; one without transactions has no such key, as java-tron writes it."""
    header = {"number": height, "timestamp": TIME_MS, "parentHash": block_id(height - 1)}
    listed = {"transactions": list(transactions)} if transactions else {}
    return {
        "blockID": block_id(height),
        "block_header": {"raw_data": header},
        **listed,
        **fields,
    }


def decode(block_document: Any, infos_document: Any, *tokens: str) -> Block:
    """Decode both documents as the answers for `HEIGHT`, listing `TOKEN` or `tokens`."""
    return decode_block(
        HEIGHT,
        msgspec.json.encode(block_document),
        msgspec.json.encode(infos_document),
        token_spellings(tokens or (TOKEN,)),
    )
