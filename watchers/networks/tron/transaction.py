"""Pure: signed Tron bytes back into the payment they make.

Two shapes exist here and no third: one `TransferContract`, or one `TriggerSmartContract` that
calls `transfer(address,uint256)` and carries no TRX. Memo, permission id, call value and every
other field are refused by the strict reader.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from coincurve import PublicKey
from sha3 import keccak_256

from watchers.network import NATIVE
from watchers.networks.tron.address import PREFIX, from_base58, to_base58
from watchers.networks.tron.protobuf import read_message

TRANSFER_CONTRACT = 1
TRIGGER_SMART_CONTRACT = 31
TYPE_URL = "type.googleapis.com/protocol."
TRANSFER_SELECTOR = bytes.fromhex("a9059cbb")
WORD = 32
SIGNATURE_BYTES = 65
RECOVERY_IDS = {0: 0, 1: 1, 27: 0, 28: 1}
UNITS_LIMIT = 1 << 256

_RAW_INTEGERS = {8: "expiration", 14: "timestamp", 18: "fee_limit"}
_RAW_OCTETS = {1: "ref_block_bytes", 4: "ref_block_hash", 11: "contract"}


@dataclass(frozen=True, slots=True)
class SignedPayment:
    """What signed bytes say. `owner` is the account they spend from, `signer` who signed."""

    tx_hash: str
    owner: str
    signer: str
    asset: str
    to: str
    units: int
    ref_block_bytes: bytes
    ref_block_hash: bytes
    expiration_ms: int
    timestamp_ms: int
    fee_limit: int


@dataclass(frozen=True, slots=True)
class Envelope:
    """What signed bytes say around their one contract."""

    tx_hash: str
    signer: str
    contract: bytes
    ref_block_bytes: bytes
    ref_block_hash: bytes
    expiration_ms: int
    timestamp_ms: int
    fee_limit: int


def decode_signed(raw: bytes) -> SignedPayment:
    """Read a serialized `protocol.Transaction`; raise `ValueError` naming what is wrong."""
    envelope = decode_envelope(raw)
    owner, asset, to, units = _payment(envelope.contract)
    return SignedPayment(
        tx_hash=envelope.tx_hash,
        owner=owner,
        signer=envelope.signer,
        asset=asset,
        to=to,
        units=units,
        ref_block_bytes=envelope.ref_block_bytes,
        ref_block_hash=envelope.ref_block_hash,
        expiration_ms=envelope.expiration_ms,
        timestamp_ms=envelope.timestamp_ms,
        fee_limit=envelope.fee_limit,
    )


def decode_envelope(raw: bytes) -> Envelope:
    """Read what stands around the contract, and who signed it."""
    _, parts = read_message("transaction", raw, {}, {1: "raw_data", 2: "signature"})
    raw_data = present("transaction", parts, "raw_data")
    numbers, fields = read_message("raw_data", raw_data, _RAW_INTEGERS, _RAW_OCTETS)
    digest = sha256(raw_data).digest()
    return Envelope(
        tx_hash=digest.hex(),
        signer=signer_of(digest, present("transaction", parts, "signature")),
        contract=present("raw_data", fields, "contract"),
        ref_block_bytes=fields.get("ref_block_bytes", b""),
        ref_block_hash=fields.get("ref_block_hash", b""),
        expiration_ms=numbers.get("expiration", 0),
        timestamp_ms=numbers.get("timestamp", 0),
        fee_limit=numbers.get("fee_limit", 0),
    )


def transfer_words(to: str, units: int) -> str:
    """Return the two ABI words of `transfer(address,uint256)` in hex, without the selector."""
    if not 0 <= units < UNITS_LIMIT:
        raise ValueError(f"units: {units} does not fit uint256")
    return (from_base58(to)[1:].rjust(WORD, b"\0") + units.to_bytes(WORD, "big")).hex()


def unwrapped(contract: bytes) -> tuple[int, str, bytes]:
    """Return the number, the name and the message of a contract."""
    numbers, fields = read_message("contract", contract, {1: "type"}, {2: "parameter"})
    parameter = present("contract", fields, "parameter")
    _, wrapped = read_message("parameter", parameter, {}, {1: "type_url", 2: "value"})
    url = wrapped.get("type_url", b"").decode("ascii", "replace")
    if not url.startswith(TYPE_URL):
        raise ValueError(f"type_url: {url!r}")
    value = present("parameter", wrapped, "value")
    return numbers.get("type", 0), url.removeprefix(TYPE_URL), value


def _payment(contract: bytes) -> tuple[str, str, str, int]:
    kind, found, value = unwrapped(contract)
    readers: dict[int, tuple[str, Callable[[bytes], tuple[str, str, str, int]]]] = {
        TRANSFER_CONTRACT: ("TransferContract", _native),
        TRIGGER_SMART_CONTRACT: ("TriggerSmartContract", _token),
    }
    if kind not in readers:
        raise ValueError(f"contract type: {kind} is not a payment")
    name, reader = readers[kind]
    if found != name:
        raise ValueError(f"type_url: not that of {name}")
    return reader(value)


def _native(value: bytes) -> tuple[str, str, str, int]:
    name = "TransferContract"
    numbers, fields = read_message(
        name, value, {3: "amount"}, {1: "owner_address", 2: "to_address"}
    )
    owner = to_base58(present(name, fields, "owner_address"))
    to = to_base58(present(name, fields, "to_address"))
    return owner, NATIVE, to, numbers.get("amount", 0)


def _token(value: bytes) -> tuple[str, str, str, int]:
    name = "TriggerSmartContract"
    allowed = {1: "owner_address", 2: "contract_address", 4: "data"}
    _, fields = read_message(name, value, {}, allowed)
    owner = to_base58(present(name, fields, "owner_address"))
    contract = to_base58(present(name, fields, "contract_address"))
    data = present(name, fields, "data")
    selector, recipient, units = data[:4], data[4 : 4 + WORD], data[4 + WORD :]
    if selector != TRANSFER_SELECTOR or len(data) != 4 + 2 * WORD or any(recipient[:12]):
        raise ValueError("data: not a call of transfer(address,uint256)")
    return owner, contract, to_base58(PREFIX + recipient[12:]), int.from_bytes(units, "big")


def signer_of(digest: bytes, signature: bytes) -> str:
    """Return who signed a digest; `ValueError` for what is no signature."""
    if len(signature) != SIGNATURE_BYTES or signature[64] not in RECOVERY_IDS:
        raise ValueError("signature: not 65 bytes with a recovery id")
    recoverable = signature[:64] + bytes([RECOVERY_IDS[signature[64]]])
    try:
        key = PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
    except Exception as unusable:  # coincurve raises bare Exception for a point off the curve
        raise ValueError(f"signature: {unusable}") from unusable
    account = keccak_256(key.format(compressed=False)[1:]).digest()[12:]
    return to_base58(PREFIX + account)


def present(message: str, fields: dict[str, bytes], name: str) -> bytes:
    """Return a field that has to be there."""
    if name not in fields:
        raise ValueError(f"{message}: {name} is missing")
    return fields[name]
