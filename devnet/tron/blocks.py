"""Blocks: identity, transaction root, witness signature. Pure.

A block's id is its height in 8 bytes followed by the last 24 bytes of the header's SHA-256.
"""

from dataclasses import dataclass
from hashlib import sha256

from devnet.tron import address
from devnet.tron.messages import RESULTS, TRON
from devnet.tron.protobuf import Message
from devnet.tron.receipt import Receipt

WITNESS_KEY = address.constant_key("witness")
BLOCK_VERSION = 31
GENESIS_MS = 1_704_067_200_000
"""1 January 2024: fixed, so that the genesis id is the same on every start."""
EMPTY_HASH = bytes(32)


@dataclass(frozen=True, slots=True)
class Block:
    """One sealed block."""

    id: bytes
    header: Message
    signature: bytes
    receipts: tuple[Receipt, ...]

    @property
    def height(self) -> int:
        """Return the block's number."""
        height: int = self.header["number"]
        return height

    @property
    def time_ms(self) -> int:
        """Return the block's timestamp in Unix milliseconds."""
        time_ms: int = self.header["timestamp"]
        return time_ms


def block_id(header: Message) -> bytes:
    """Return the id of the block with this `BlockHeaderRaw`."""
    digest = sha256(TRON.encode("BlockHeaderRaw", header)).digest()
    number: int = header.get("number", 0)
    return number.to_bytes(8, "big") + digest[8:]


def transaction_leaf(raw: bytes, signatures: tuple[bytes, ...], result: str) -> bytes:
    """Hash a transaction together with its result, as the transaction root counts it."""
    whole = {
        "raw_data": TRON.decode("Raw", raw),
        "signature": list(signatures),
        "ret": [{"contractRet": RESULTS.index(result)}],
    }
    return sha256(TRON.encode("Transaction", whole)).digest()


def transaction_root(leaves: list[bytes]) -> bytes:
    """Return the Merkle root; an odd node moves up unchanged, no leaves give zeros."""
    level = leaves or [EMPTY_HASH]
    while len(level) > 1:
        pairs = [level[index : index + 2] for index in range(0, len(level), 2)]
        level = [
            sha256(pair[0] + pair[1]).digest() if len(pair) == 2 else pair[0] for pair in pairs
        ]
    return level[0]


def seal(parent: Block | None, time_ms: int, receipts: tuple[Receipt, ...]) -> Block:
    """Close a block on top of `parent`; without one it is the genesis block."""
    leaves = [
        transaction_leaf(
            receipt.transaction.raw, receipt.transaction.signatures, receipt.result
        )
        for receipt in receipts
    ]
    header: Message = {
        "timestamp": time_ms,
        "txTrieRoot": transaction_root(leaves),
        "parentHash": parent.id if parent else EMPTY_HASH,
        "number": parent.height + 1 if parent else 0,
        "witness_address": address.of_key(WITNESS_KEY),
        "version": BLOCK_VERSION,
    }
    digest = sha256(TRON.encode("BlockHeaderRaw", header)).digest()
    signature = WITNESS_KEY.sign_recoverable(digest, hasher=None)
    return Block(block_id(header), header, signature, receipts)
