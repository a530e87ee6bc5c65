"""Tron: TRX and TRC-20 payments, encoded here and hashed here, never by a node.

A Tron transaction is a protobuf message (java-tron's `core/Tron.proto`) whose id is SHA-256 of
its `raw_data`. There is no nonce: those bytes, valid until their expiration, are the slot.
The encoder below knows exactly the fields that our contracts need.
"""

import hashlib
import re
from functools import cache, lru_cache

import msgspec
from solders.pubkey import Pubkey

from keystore.intents import TronIntent, TronResourceIntent
from keystore.networks.scheme import Key, SignedBytes, whole, within
from keystore.networks.secp256k1 import recoverable
from keystore.refusal import Refused

_ADDRESS = re.compile(r"T[1-9A-HJ-NP-Za-km-z]{33}")
_BLOCK_ID = re.compile(r"[0-9a-f]{64}")
_TRANSFER = bytes.fromhex("a9059cbb")
"""Selector of `transfer(address,uint256)`."""
_TYPE_URL = "type.googleapis.com/protocol."
ADDRESS_PREFIX = 0x41
FEE_LIMIT_SUN_MAX = 15_000_000_000
"""The chain's own maximum (`getMaxFeeLimit`)."""
LIFETIME_MS_MAX = 24 * 60 * 60 * 1_000
"""java-tron refuses an expiration more than a day ahead."""
TIME_MS_MAX = 2**53
BURNT_SUN_MAX = 2_000_000
"""Outside `fee_limit`: bandwidth (about 345 bytes at 1,000 sun) and a new account (1.1 TRX)."""

ADDRESSES_REMEMBERED = 256
_ADDRESS_BYTES, _CHECK_BYTES = 21, 4
_PADDING = Pubkey.LENGTH - _ADDRESS_BYTES - _CHECK_BYTES
"""Zero bytes, in base58 a "1" each, up to the length that the quick codec takes."""

Value = int | bytes


class TronDraft(msgspec.Struct, frozen=True):
    """The encoded `raw_data` and its SHA-256, the transaction's id.

    That is the slot too: the chain accepts it once, so two withdrawals cannot share it.
    """

    raw_data: bytes
    digest: bytes
    slot: str

    def sign(self, *keys: Key) -> SignedBytes:
        """Sign the transaction id; the signature is r, s and 27 or 28."""
        (key,) = keys
        signature = recoverable(key, self.digest)
        proof = signature[:64] + bytes([27 + signature[64]])
        return SignedBytes(message((1, self.raw_data), (2, proof)), self.digest.hex())


def draft(intent: TronIntent, sender: str) -> TronDraft:
    """Build the payment; refuse what the chain would refuse or misread."""
    body = _transfer(intent, sender) if intent.asset == "native" else _call(intent, sender)
    return enveloped(intent, body, intent.fee_limit)


def enveloped(
    intent: TronIntent | TronResourceIntent, body: bytes, fee_limit: int
) -> TronDraft:
    """Put a contract beside its reference block and its times; refuse times without sense."""
    if _BLOCK_ID.fullmatch(intent.ref_block_id) is None:
        raise Refused("bad_field", "ref_block_id: must be 64 lower-case hex digits")
    block = bytes.fromhex(intent.ref_block_id)
    made = within(intent.timestamp_ms, "timestamp_ms", least=1, most=TIME_MS_MAX)
    dies = within(
        intent.expiration_ms, "expiration_ms", least=made + 1, most=made + LIFETIME_MS_MAX
    )
    raw_data = message(
        (1, block[6:8]), (4, block[8:16]), (8, dies), (11, body), (14, made), (18, fee_limit)
    )
    digest = hashlib.sha256(raw_data).digest()
    return TronDraft(raw_data, digest, f"tron:{digest.hex()}")


def address(text: str, field: str) -> bytes:
    """Return the 21 bytes of a base58 address of the main prefix, checksum verified.

    Every payment has one, and bip-utils takes several times as long. Raises `Refused`
    (`bad_destination`, `bad_asset`).
    """
    if _ADDRESS.fullmatch(text) is None:
        raise _not_an_address(field)
    try:
        decoded = bytes(Pubkey.from_string("1" * _PADDING + text))[_PADDING:]
    except ValueError as fault:
        raise _not_an_address(field) from fault
    value, check = decoded[:_ADDRESS_BYTES], decoded[_ADDRESS_BYTES:]
    again = hashlib.sha256(hashlib.sha256(value).digest()).digest()
    if value[0] != ADDRESS_PREFIX or again[:_CHECK_BYTES] != check:
        raise _not_an_address(field)
    return value


@lru_cache(ADDRESSES_REMEMBERED)
def known_address(text: str, field: str) -> bytes:
    """Do the same for senders and contracts: they come with every payment, and Base58 is slow."""
    return address(text, field)


def _not_an_address(field: str) -> Refused:
    code = "bad_asset" if field == "asset" else "bad_destination"
    return Refused(code, f"{field}: not a Tron address")


def _transfer(intent: TronIntent, sender: str) -> bytes:
    """TransferContract, type 1."""
    if intent.fee_limit:
        raise Refused("bad_field", "fee_limit: must be 0 for a native payment")
    units = whole(intent.units, "units", bits=63)
    body = message(
        (1, known_address(sender, "sender")), (2, address(intent.to, "to")), (3, units)
    )
    return contract(1, "TransferContract", body)


def _call(intent: TronIntent, sender: str) -> bytes:
    """TriggerSmartContract, type 31, calling `transfer` of a TRC-20 contract."""
    within(intent.fee_limit, "fee_limit", least=1, most=FEE_LIMIT_SUN_MAX)
    units = whole(intent.units, "units", bits=256)
    payee = address(intent.to, "to")[1:]
    data = _TRANSFER + payee.rjust(32, b"\0") + units.to_bytes(32, "big")
    body = message(
        (1, known_address(sender, "sender")),
        (2, known_address(intent.asset, "asset")),
        (4, data),
    )
    return contract(31, "TriggerSmartContract", body)


def contract(kind: int, name: str, body: bytes) -> bytes:
    """Encode one contract with its type's number and name."""
    return message((1, kind), (2, _type_url(name) + message((2, body))))


@cache
def _type_url(name: str) -> bytes:
    return message((1, (_TYPE_URL + name).encode()))


def fee_most(intent: TronIntent) -> int:
    """Return the energy limit and what bandwidth and a new account can burn, in sun."""
    return intent.fee_limit + BURNT_SUN_MAX


def message(*fields: tuple[int, Value]) -> bytes:
    """Encode fields in the given order as proto3 does: a zero or empty value is left out."""
    encoded = b""
    for place, value in fields:
        if not value:
            continue
        if isinstance(value, int):
            encoded += _SHORT[place << 3] + varint(value)
        else:
            encoded += _SHORT[place << 3 | 2] + varint(len(value)) + value
    return encoded


def varint(value: int) -> bytes:
    """Encode a whole number, 7 bits a byte, lowest first. Negative numbers do not occur here."""
    if 0 <= value < len(_SHORT):
        return _SHORT[value]
    return _grouped(value)


def _grouped(value: int) -> bytes:
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


_SHORT = tuple(_grouped(value) for value in range(1 << 10))
"""Tags and lengths, nearly all of them."""
