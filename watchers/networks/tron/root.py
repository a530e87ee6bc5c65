"""Pure: which transactions a block's own id commits to, from a node's JSON alone.

A block id is the height and, from the ninth byte on, the SHA-256 of the serialized header; the
header names the root of a Merkle tree over the SHA-256 of each serialized transaction, its result
included (protocol.Transaction: raw_data 1, signature 2, ret 5). A node that leaves a transaction
out of both of its answers cannot make up such a list. What JSON does not show (fields that are in
no `.proto`, which anybody may add to a result of his) cannot be computed: that proves nothing,
neither way.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from watchers.network import Incomplete
from watchers.networks.tron.address import canonical, from_base58
from watchers.seals import Untold

HEIGHT_BYTES = 8
EMPTY_ROOT = bytes(32)
NODE_BYTES = 64
VARINT, LENGTH_DELIMITED = 0, 2
SUCCESS = "SUCCESS"
CODES = ("SUCESS", "FAILED")
"""Of a result's `ret`, as the protocol spells it."""
CONTRACT_RESULTS = (
    "DEFAULT",
    "SUCCESS",
    "REVERT",
    "BAD_JUMP_DESTINATION",
    "OUT_OF_MEMORY",
    "PRECOMPILED_CONTRACT",
    "STACK_TOO_SMALL",
    "STACK_TOO_LARGE",
    "ILLEGAL_OPERATION",
    "STACK_OVERFLOW",
    "OUT_OF_ENERGY",
    "OUT_OF_TIME",
    "JVM_STACK_OVER_FLOW",
    "UNKNOWN",
    "TRANSFER_FAILED",
    "INVALID_CODE",
)


class SignedHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every field of `BlockHeader.raw`; one more, and its hash cannot be computed."""

    timestamp: int = 0
    root: str = msgspec.field(default="", name="txTrieRoot")
    parent_hash: str = msgspec.field(default="", name="parentHash")
    number: int = 0
    witness_id: int = 0
    witness_address: str = ""
    version: int = 0
    state_root: str = msgspec.field(default="", name="accountStateRoot")

    def digest(self) -> bytes:
        """Return what the witness signs; `ValueError` for what is no hex."""
        witness = from_base58(self.witness()) if self.witness_address else b""
        fields: tuple[tuple[int, int | bytes], ...] = (
            (1, self.timestamp),
            (2, bytes.fromhex(self.root)),
            (3, bytes.fromhex(self.parent_hash)),
            (7, self.number),
            (8, self.witness_id),
            (9, witness),
            (10, self.version),
            (11, bytes.fromhex(self.state_root)),
        )
        return sha256(b"".join(_field(*each) for each in fields if each[1])).digest()

    def block_id(self) -> str:
        """Return the id of the block that has this header; `ValueError` for what is no hex."""
        return (self.number.to_bytes(HEIGHT_BYTES, "big") + self.digest()[HEIGHT_BYTES:]).hex()

    def witness(self) -> str:
        """Return who made the block, in base58; empty where it names nobody."""
        return canonical(self.witness_address) if self.witness_address else ""


class BlockHeader(msgspec.Struct, frozen=True):
    """A header with the signature that stands beside it, in hex."""

    raw_data: SignedHeader = SignedHeader()
    witness_signature: str = ""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction as its block lists it, as far as its bytes are made of it."""

    tx_id: str = msgspec.field(name="txID")
    raw_data_hex: str
    signature: tuple[str, ...] = ()
    ret: tuple[dict[str, Any], ...] = ()

    def serialized(self) -> bytes:
        """Return `protocol.Transaction`; `ValueError` for a field that we cannot write."""
        signatures = (bytes.fromhex(each) for each in self.signature)
        whole = b"".join(
            (
                _field(1, bytes.fromhex(self.raw_data_hex)),
                *(_field(2, each) for each in signatures),
                *(_field(5, _result(each)) for each in self.ret),
            )
        )
        if len(whole) == NODE_BYTES:
            # Leaves and inner nodes are hashed alike: it might be two hashes of the tree.
            raise ValueError(f"{self.tx_id} has {NODE_BYTES} bytes, as no transaction has")
        return whole


class _Headed(msgspec.Struct, frozen=True):
    block_id: str = msgspec.field(default="", name="blockID")
    block_header: BlockHeader = BlockHeader()
    transactions: msgspec.Raw = msgspec.Raw(b"[]")


_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_INCALCULABLE = (*_UNREADABLE, ValueError, TypeError, AttributeError, OverflowError)


def hashed_header(body: bytes) -> BlockHeader:
    """Return the header whose hash is the id that the body states.

    Raises `Incomplete` where it is another one's, `Untold` where it cannot be computed.
    """
    return _hashed(body).block_header


def committed(body: bytes) -> dict[str, bool | None]:
    """Return how every transaction of the block ended whose id the body states, in their order.

    None stands for a result that the block does not say. Raises `Incomplete` where the id does
    not commit to this list, `Untold` where JSON does not show whether it does.
    """
    block = _hashed(body)
    number, stated = block.block_header.raw_data.number, block.block_header.raw_data.root
    try:
        listed = msgspec.json.decode(block.transactions, type=tuple[Listed, ...])
        root = transactions_root([each.serialized() for each in listed])
        names = [sha256(bytes.fromhex(each.raw_data_hex)).hexdigest() for each in listed]
        ends = [_succeeded(each) for each in listed]
    except _INCALCULABLE as trouble:
        raise Untold(f"block {number}: its root cannot be computed: {trouble}") from trouble
    if root.hex() != stated:
        raise Incomplete(f"block {number}: its root is not that of its transactions")
    for name, each in zip(names, listed, strict=True):
        if name != each.tx_id:
            raise Incomplete(f"{each.tx_id} is not the hash of its bytes")
    return dict(zip(names, ends, strict=True))


def _hashed(body: bytes) -> _Headed:
    try:
        block = msgspec.json.decode(body, type=_Headed)
        header = block.block_header.raw_data
        found = header.block_id()
    except _INCALCULABLE as trouble:
        raise Untold(f"a block's id cannot be computed: {trouble}") from trouble
    if found != block.block_id:
        raise Incomplete(f"block {header.number}: its id is not the hash of its header")
    return block


def _succeeded(transaction: Listed) -> bool | None:
    """Tell what the block says of its end: the first result is the one that counts."""
    said = transaction.ret[0].get("contractRet") if transaction.ret else None
    return None if said in {None, CONTRACT_RESULTS[0]} else said == SUCCESS


def transactions_root(serialized: Iterable[bytes]) -> bytes:
    """Return the Merkle root: pairs are hashed together, an odd one moves up as it is."""
    level: Sequence[bytes] = [sha256(each).digest() for each in serialized]
    while len(level) > 1:
        odd = level[len(level) & ~1 :]
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [*(sha256(left + right).digest() for left, right in pairs), *odd]
    return level[0] if level else EMPTY_ROOT


def _result(told: dict[str, Any]) -> bytes:
    known = {
        "fee": (1, int(told.get("fee", 0))),
        "ret": (2, CODES.index(told.get("ret", CODES[0]))),
        "contractRet": (3, CONTRACT_RESULTS.index(told.get("contractRet", "DEFAULT"))),
    }
    if strange := told.keys() - known:
        raise ValueError(f"a result with {sorted(strange)}")
    return b"".join(_field(*each) for each in known.values() if each[1])


def _field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3 | VARINT) + _varint(value)
    return _varint(number << 3 | LENGTH_DELIMITED) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    if value < 0:
        raise ValueError(f"a number below zero: {value}")
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)
