"""Who signed a transaction on which nonce, read from its bytes alone: of whatever kind it is.

Legacy with and without a chain's number (EIP-155), and every typed one (EIP-2718) that ends in a
signature over all before it: access lists (EIP-2930), fee caps (EIP-1559), blobs (EIP-4844),
delegations (EIP-7702). A hash that is in a block stands for its bytes, so nobody can lie here.
"""

from dataclasses import dataclass
from typing import Any

import msgspec
import rlp
from eth_utils.crypto import keccak
from rlp.exceptions import RLPException

from watchers.networks.ethereum.signed import integer, recovered
from watchers.networks.ethereum.wire import amount

LEGACY_FIELDS = 9
LEGACY_TYPE_MIN = 0xC0
"""First byte of an RLP list; below it stands a kind (EIP-2718)."""
TYPED_FIELDS = {1: 11, 2: 12, 3: 14, 4: 13}
"""How many fields each kind has, the three of its signature among them."""


@dataclass(frozen=True, slots=True)
class Signer:
    """What a transaction's bytes prove."""

    tx_hash: str
    sender: str
    nonce: int


class Access(msgspec.Struct, rename="camel", gc=False):
    """One entry of an access list."""

    address: str
    storage_keys: list[str]


class Delegation(msgspec.Struct, rename="camel", gc=False):
    """One authorization of a type-4 transaction."""

    chain_id: str
    address: str
    nonce: str
    r: str
    s: str
    y_parity: str | None = None
    v: str | None = None


class Sent(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """A transaction as `eth_getTransactionByHash` tells it; `block_hash` is null outside a block."""

    hash: str
    from_: str = msgspec.field(name="from")
    nonce: str
    block_hash: str | None = None
    block_number: str | None = None
    type: str | None = None
    chain_id: str | None = None
    gas: str = "0x0"
    gas_price: str | None = None
    max_priority_fee_per_gas: str | None = None
    max_fee_per_gas: str | None = None
    to: str | None = None
    value: str = "0x0"
    input: str = "0x"
    access_list: list[Access] | None = None
    max_fee_per_blob_gas: str | None = None
    blob_versioned_hashes: list[str] | None = None
    authorization_list: list[Delegation] | None = None
    y_parity: str | None = None
    v: str | None = None
    r: str = "0x0"
    s: str = "0x0"


def signer_of(raw: bytes) -> Signer:
    """Read the only valid encoding of a signed transaction; raise `ValueError` for anything else."""
    if not raw:
        raise ValueError("raw: empty")
    kind = 0 if raw[0] >= LEGACY_TYPE_MIN else raw[0]
    fields = _fields(raw[1:] if kind else raw, kind)
    if kind:
        unsigned = bytes([kind]) + rlp.encode(fields[:-3])
        parity, nonce = integer(fields[-3]), integer(fields[1])
    else:
        signed_over, parity = _legacy(fields)
        unsigned, nonce = rlp.encode(signed_over), integer(fields[0])
    signature = parity, integer(fields[-2]), integer(fields[-1])
    return Signer("0x" + keccak(raw).hex(), recovered(keccak(unsigned), *signature), nonce)


def rebuilt(sent: Sent) -> bytes:
    """Put a transaction's bytes together from what a node tells of it; `ValueError` for nonsense.

    One word that is not the signed one gives the bytes another hash.
    """
    kind = amount(sent.type or "0x0")
    call = [
        _number(sent.gas),
        octets(sent.to or "0x"),
        _number(sent.value),
        octets(sent.input),
    ]
    signature = [_number(sent.r), _number(sent.s)]
    if not kind:
        price = _number(sent.gas_price)
        return _encoded([_number(sent.nonce), price, *call, _number(sent.v), *signature])
    if kind not in TYPED_FIELDS:
        raise ValueError(f"type {kind}: not signed by a key as far as this version knows")
    access = [
        [octets(each.address), [octets(key) for key in each.storage_keys]]
        for each in sent.access_list or []
    ]
    numbers = [_number(sent.chain_id), _number(sent.nonce), *_fees(sent, kind)]
    more = _more(sent, kind)
    parity = _number(sent.y_parity or sent.v)
    return bytes([kind]) + _encoded([*numbers, *call, access, *more, parity, *signature])


def _fees(sent: Sent, kind: int) -> list[bytes]:
    if kind == 1:
        return [_number(sent.gas_price)]
    return [_number(sent.max_priority_fee_per_gas), _number(sent.max_fee_per_gas)]


def _more(sent: Sent, kind: int) -> list[Any]:
    if kind == 3:
        hashes = [octets(each) for each in sent.blob_versioned_hashes or []]
        return [_number(sent.max_fee_per_blob_gas), hashes]
    if kind == 4:
        return [[_delegation(each) for each in sent.authorization_list or []]]
    return []


def _delegation(told: Delegation) -> list[bytes]:
    return [
        _number(told.chain_id),
        octets(told.address),
        _number(told.nonce),
        _number(told.y_parity or told.v),
        _number(told.r),
        _number(told.s),
    ]


def _legacy(fields: list[Any]) -> tuple[list[Any], int]:
    """Return what a legacy signature is over, and its parity (EIP-155, else v is 27 or 28)."""
    v = integer(fields[6])
    if v in {27, 28}:
        return fields[:6], v - 27
    if v < 35:
        raise ValueError("signature: no such v")
    chain_id, parity = divmod(v - 35, 2)
    return [*fields[:6], _shortest(chain_id), b"", b""], parity


def _fields(payload: bytes, kind: int) -> list[Any]:
    wanted = TYPED_FIELDS.get(kind) if kind else LEGACY_FIELDS
    if wanted is None:
        raise ValueError(f"type {kind}: not signed by a key as far as this version knows")
    try:
        fields = rlp.decode(payload, strict=True)
    except RLPException as trouble:
        raise ValueError(f"raw: {trouble}") from trouble
    if not isinstance(fields, list) or len(fields) != wanted:
        raise ValueError(f"raw: not the {wanted} fields of a signed transaction of type {kind}")
    return fields


def _encoded(fields: list[Any]) -> bytes:
    return bytes(rlp.encode(fields))


def _number(text: str | None) -> bytes:
    if text is None:
        raise ValueError("raw: a field is missing")
    return _shortest(amount(text))


def _shortest(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def octets(text: str) -> bytes:
    """Return what `0x` and hex digits say; raise `ValueError` for anything else."""
    if text[:2] != "0x":
        raise ValueError(f"raw: not hex: {text[:80]!r}")
    return bytes.fromhex(text[2:])
