"""Signed EIP-1559 transactions read back from their bytes.

Nothing of this module is shared with the code that signs: it is the second opinion before the
bytes leave the house.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rlp
from coincurve import PublicKey
from eth_utils.crypto import keccak
from rlp.exceptions import RLPException

from watchers.network import NATIVE
from watchers.networks.ethereum.erc20 import parsed_transfer_call

DYNAMIC_FEE_TYPE = 2
FIELDS = 12
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """Everything a type-2 transaction says; `tx_hash` and `sender` follow from its bytes."""

    tx_hash: str
    sender: str
    chain_id: int
    nonce: int
    max_priority_fee_per_gas: int
    max_fee_per_gas: int
    gas_limit: int
    to: str
    value: int
    data: bytes


def decode_signed(raw: bytes) -> SignedTransaction:
    """Decode one signed type-2 transaction in its only valid encoding; `ValueError` else."""
    fields = _fields(raw)
    numbers = [integer(each) for each in fields[:5]]
    to, data, access_list = fields[5], fields[7], fields[8]
    if not isinstance(to, bytes) or len(to) != 20 or not isinstance(data, bytes):
        raise ValueError("to: not an address")
    if access_list != []:
        raise ValueError("raw: carries an access list")
    return SignedTransaction(
        tx_hash="0x" + keccak(raw).hex(),
        sender=_sender(fields),
        chain_id=numbers[0],
        nonce=numbers[1],
        max_priority_fee_per_gas=numbers[2],
        max_fee_per_gas=numbers[3],
        gas_limit=numbers[4],
        to="0x" + to.hex(),
        value=integer(fields[6]),
        data=data,
    )


def verify_signed(intent: Mapping[str, Any], raw: bytes) -> SignedTransaction:
    """Compare signed bytes with an `EthereumIntent`; `ValueError` names the field that differs."""
    sent = decode_signed(raw)
    asset, to, units = _payment(sent)
    said = {
        "chain_id": (sent.chain_id, intent["chain_id"]),
        "nonce": (sent.nonce, intent["nonce"]),
        "asset": (asset, intent["asset"].lower()),
        "to": (to, intent["to"].lower()),
        "units": (units, int(intent["units"])),
        "gas_limit": (sent.gas_limit, intent["gas_limit"]),
        "max_fee_per_gas": (sent.max_fee_per_gas, int(intent["max_fee_per_gas"])),
        "max_priority_fee_per_gas": (
            sent.max_priority_fee_per_gas,
            int(intent["max_priority_fee_per_gas"]),
        ),
    }
    for field, (in_bytes, in_intent) in said.items():
        if in_bytes != in_intent:
            raise ValueError(f"{field}: signed {in_bytes!r}, intended {in_intent!r}")
    return sent


def _payment(sent: SignedTransaction) -> tuple[str, str, int]:
    """Return asset, recipient and units of what the transaction pays."""
    if not sent.data:
        return NATIVE, sent.to, sent.value
    try:
        recipient, units = parsed_transfer_call(sent.data)
    except ValueError as trouble:
        raise ValueError(f"asset: {trouble}") from trouble
    if sent.value:
        raise ValueError(f"units: a token transfer that also sends {sent.value} wei")
    return sent.to, recipient, units


def _fields(raw: bytes) -> list[Any]:
    if raw[:1] != bytes([DYNAMIC_FEE_TYPE]):
        raise ValueError("raw: not a type 2 transaction")
    try:
        fields = rlp.decode(raw[1:], strict=True)
    except RLPException as trouble:
        raise ValueError(f"raw: {trouble}") from trouble
    if not isinstance(fields, list) or len(fields) != FIELDS:
        raise ValueError("raw: not the twelve fields of a signed transaction")
    return fields


def integer(field: Any) -> int:
    """Return a number in its shortest form; raise `ValueError` for any other."""
    if not isinstance(field, bytes) or len(field) > 32 or field[:1] == b"\0":
        raise ValueError("raw: a number is not in its shortest form")
    return int.from_bytes(field, "big")


def _sender(fields: list[Any]) -> str:
    parity, r, s = (integer(each) for each in fields[9:])
    digest = keccak(bytes([DYNAMIC_FEE_TYPE]) + rlp.encode(fields[:9]))
    return recovered(digest, parity, r, s)


def recovered(digest: bytes, parity: int, r: int, s: int) -> str:
    """Return the address whose key signed a digest; raise `ValueError` where none did."""
    if parity > 1 or s > HALF_ORDER:
        raise ValueError("signature: not in the form the chain accepts")
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity])
    try:
        key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except Exception as trouble:
        raise ValueError("signature: no key made it") from trouble
    return "0x" + keccak(key.format(compressed=False)[1:])[12:].hex()
