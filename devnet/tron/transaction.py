"""Transactions: reading, identity, building and signing. Pure.

The id is the SHA-256 of the encoded `raw_data`; a signature is 65 bytes r, s, v over that id.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from coincurve import PrivateKey, PublicKey

from devnet.tron import address
from devnet.tron.messages import CONTRACT_NAMES, CONTRACT_TYPES, TRON, TYPE_URL_PREFIX
from devnet.tron.protobuf import Malformed, Message

SIGNATURE_BYTES = 65
RESULT_BYTES = 64
"""What the protocol adds to every transaction's size for the result a block will carry."""


class BadSignature(ValueError):
    """No address can be recovered from a signature."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A decoded transaction with exactly one contract.

    `kind` is the contract's name and `value` its fields; `size` is what bandwidth counts.
    """

    id: str
    raw: bytes
    signatures: tuple[bytes, ...]
    body: Message
    kind: str
    value: Message
    owner: bytes
    size: int

    @property
    def memo(self) -> bytes:
        """The free `data` bytes."""
        data: bytes = self.body.get("data", b"")
        return data

    def number(self, field: str) -> int:
        """Return an integer field of the contract, 0 where it is absent."""
        found: int = self.value.get(field, 0)
        return found


def read(raw: bytes, signatures: tuple[bytes, ...] = ()) -> Transaction:
    """Decode `raw_data` bytes; `Malformed` where any part is not understood completely."""
    body = TRON.decode("Raw", raw)
    contracts = body.get("contract", [])
    if len(contracts) != 1:
        raise Malformed(f"act size should be exactly 1, found {len(contracts)}")
    kind = CONTRACT_NAMES.get(contracts[0].get("type", 0))
    if kind is None:
        raise Malformed(f"contract type {contracts[0]['type']} is not emulated")
    parameter = contracts[0].get("parameter", {})
    if parameter.get("type_url") != TYPE_URL_PREFIX + kind:
        raise Malformed(f"type_url {parameter.get('type_url')!r} for {kind}")
    value = TRON.decode(kind, parameter.get("value", b""))
    # A parser that writes the message again must arrive at the same id.
    canonical = TRON.encode("Raw", body)
    return Transaction(
        id=sha256(canonical).hexdigest(),
        raw=canonical,
        signatures=signatures,
        body=body,
        kind=kind,
        value=value,
        owner=value.get("owner_address", b""),
        size=len(whole(canonical, *signatures)) + RESULT_BYTES,
    )


def whole(raw: bytes, *signatures: bytes) -> bytes:
    """Encode a transaction with its signatures, as it is broadcast."""
    message = {"raw_data": TRON.decode("Raw", raw), "signature": list(signatures)}
    return TRON.encode("Transaction", message)


def read_whole(data: bytes) -> Transaction:
    """Decode a signed transaction as `broadcasthex` carries it."""
    message = TRON.decode("Transaction", data)
    raw = TRON.encode("Raw", message.get("raw_data", {}))
    return read(raw, tuple(message.get("signature", ())))


def raw_data(kind: str, value: Message, **fields: Any) -> bytes:
    """Encode an unsigned transaction; `fields` are those of `Raw` besides the contract.

    `permission_id` among them belongs to the contract.
    """
    contract = {
        "type": CONTRACT_TYPES[kind],
        "parameter": {
            "type_url": TYPE_URL_PREFIX + kind,
            "value": TRON.encode(kind, value),
        },
        "Permission_id": fields.pop("permission_id", 0),
    }
    return TRON.encode("Raw", {**fields, "contract": [contract]})


def reference(block_id: bytes) -> Message:
    """Return the two fields by which a transaction names the block it was built upon."""
    return {"ref_block_bytes": block_id[6:8], "ref_block_hash": block_id[8:16]}


def sign(raw: bytes, key: PrivateKey) -> bytes:
    """Return the 65-byte signature of a transaction."""
    return key.sign_recoverable(sha256(raw).digest(), hasher=None)


def signer(transaction: Transaction, signature: bytes) -> bytes:
    """Return the address whose key made `signature`; `BadSignature` where there is none."""
    if len(signature) < SIGNATURE_BYTES:
        raise BadSignature(f"Signature size is {len(signature)}")
    # Wallets write the recovery id as 0..3 or, as Bitcoin did, with 27 added.
    recovery = signature[64] - 27 if signature[64] >= 27 else signature[64]
    try:
        key = PublicKey.from_signature_and_message(
            signature[:64] + bytes([recovery]), bytes.fromhex(transaction.id), hasher=None
        )
    except ValueError as trouble:
        raise BadSignature(str(trouble)) from trouble
    return address.of_key(key)
