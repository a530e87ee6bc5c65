"""Signed Stake 2.0 transactions read back: TRX staked by the gas wallet, lent energy, its return."""

from collections.abc import Mapping
from typing import Any

import msgspec

from keystore.api import TronResourceIntent
from watchers.networks.tron.address import to_base58
from watchers.networks.tron.protobuf import read_message
from watchers.networks.tron.transaction import decode_envelope, present, unwrapped

RESOURCES = {"BANDWIDTH": 0, "ENERGY": 1}
KINDS = {
    "stake": (54, "FreezeBalanceV2Contract"),
    "delegate": (57, "DelegateResourceContract"),
    "undelegate": (58, "UnDelegateResourceContract"),
}
STAKE_FIELDS = {2: "units", 3: "resource"}
LOAN_FIELDS = {2: "resource", 3: "units"}


def verify(intent: Mapping[str, Any], raw: bytes) -> str:
    """Compare every field of signed bytes with the intent; return the transaction id.

    Raises `ValueError` that names the field. A loan for a fixed time is refused by the strict
    reader: it could not be taken back.
    """
    try:
        wanted = msgspec.convert(dict(intent), TronResourceIntent)
    except msgspec.ValidationError as trouble:
        raise ValueError(f"intent: {trouble}") from trouble
    envelope = decode_envelope(raw)
    kind, name, value = unwrapped(envelope.contract)
    fields = STAKE_FIELDS if wanted.action == "stake" else LOAN_FIELDS
    places = {1: "owner_address"} | ({} if wanted.action == "stake" else {4: "receiver"})
    if (kind, name) != KINDS[wanted.action]:
        raise ValueError(f"action: signed {name}, intended {wanted.action}")
    numbers, octets = read_message(name, value, fields, places)
    receiver = octets.get("receiver")
    reference = bytes.fromhex(wanted.ref_block_id)
    pairs: dict[str, tuple[object, object]] = {
        "owner": (to_base58(present(name, octets, "owner_address")), envelope.signer),
        "resource": (numbers.get("resource", 0), RESOURCES[wanted.resource]),
        "units": (numbers.get("units", 0), int(wanted.units)),
        "to": ("" if receiver is None else to_base58(receiver), wanted.to),
        "ref_block_id": (
            envelope.ref_block_bytes + envelope.ref_block_hash,
            reference[6:8] + reference[8:16],
        ),
        "expiration_ms": (envelope.expiration_ms, wanted.expiration_ms),
        "timestamp_ms": (envelope.timestamp_ms, wanted.timestamp_ms),
        "fee_limit": (envelope.fee_limit, 0),
    }
    for field, (found, expected) in pairs.items():
        if found != expected:
            raise ValueError(f"{field}: signed bytes say {found!r}, expected {expected!r}")
    return envelope.tx_hash
