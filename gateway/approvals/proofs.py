"""What an approver signs, and whether a proof holds. Pure.

The keystore writes the same message and proves every proof again; `tests/vectors/order.json`
ties the two together.
"""

import hashlib
from base64 import urlsafe_b64encode
from typing import Annotated

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.domain.policy import PolicyApprover
from gateway.models import ApprovalOrder

CONTEXT = b"gw/approval/v1\n"
PRESENT_AND_VERIFIED = 0x05
RP_ID_HASH_BYTES = 32

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Hex = Annotated[str, msgspec.Meta(min_length=2, max_length=2048, pattern=r"^[0-9a-f]+$")]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A withdrawal in full, as the keystore compares it with the payment.

    Amounts are decimal strings in base units, the ceiling in the network's own coin; `merchant`
    is empty where the house refunds; `expires_ms` is Unix time.
    """

    withdrawal_id: str
    network: str
    asset: str
    to: str
    units: str
    fee_ceiling: str
    merchant: str
    requested_by: str
    expires_ms: int


class KeyProof(
    msgspec.Struct, frozen=True, kw_only=True, tag="key", tag_field="kind",
    forbid_unknown_fields=True,
):  # fmt: skip
    """An approver's Ed25519 signature over the order."""

    approver: Name
    signature: Hex


class PasskeyProof(
    msgspec.Struct, frozen=True, kw_only=True, tag="passkey", tag_field="kind",
    forbid_unknown_fields=True,
):  # fmt: skip
    """A WebAuthn assertion (ES256) whose challenge is SHA-256 of the order's message."""

    approver: Name
    authenticator_data: Hex
    client_data: Hex
    signature: Hex


Proof = KeyProof | PasskeyProof


class _ClientData(msgspec.Struct):
    type: str
    challenge: str


def order_of(row: ApprovalOrder) -> Order:
    """Return what a row says, as it is signed."""
    return Order(
        withdrawal_id=row.withdrawal_id,
        network=row.network_id,
        asset=row.asset,
        to=row.destination,
        units=str(row.units),
        fee_ceiling=str(row.fee_ceiling_units),
        merchant=row.merchant_id or "",
        requested_by=row.requested_by,
        expires_ms=row.expires_ms,
    )


def message(order: Order) -> bytes:
    """Return the bytes that approvers sign: sorted keys, domain separated."""
    return CONTEXT + msgspec.json.encode(order, order="sorted")


def holds(proof: Proof, approver: PolicyApprover, order: Order) -> bool:
    """Tell whether the approver proved this very order.

    Of a passkey the site is not compared: the keystore, which knows it, does that.
    """
    try:
        key = bytes.fromhex(approver.public_key)
        if isinstance(proof, KeyProof) and approver.kind == "key":
            signature = bytes.fromhex(proof.signature)
            Ed25519PublicKey.from_public_bytes(key).verify(signature, message(order))
            return True
        if isinstance(proof, PasskeyProof) and approver.kind == "passkey":
            return _asserted(proof, key, message(order))
    except (InvalidSignature, ValueError, RecursionError):
        return False
    return False


def _asserted(proof: PasskeyProof, key: bytes, signed: bytes) -> bool:
    authenticator = bytes.fromhex(proof.authenticator_data)
    client = bytes.fromhex(proof.client_data)
    said = msgspec.json.decode(client, type=_ClientData)
    challenge = urlsafe_b64encode(hashlib.sha256(signed).digest()).rstrip(b"=").decode()
    if (said.type, said.challenge) != ("webauthn.get", challenge):
        return False
    if len(authenticator) <= RP_ID_HASH_BYTES:
        return False
    flags = authenticator[RP_ID_HASH_BYTES]
    if flags & PRESENT_AND_VERIFIED != PRESENT_AND_VERIFIED:
        return False
    point = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), key)
    whole = authenticator + hashlib.sha256(client).digest()
    point.verify(bytes.fromhex(proof.signature), whole, ECDSA(SHA256()))
    return True
