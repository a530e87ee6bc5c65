"""Who approved an order, proved here and not believed from anybody: keys and passkeys. Pure.

A passkey signs authenticator data and the hash of client data (WebAuthn Level 2, 7.2). Its
challenge is the hash of the order, so an assertion made for another order, another site or
without the person present proves nothing.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keystore.api import Approval, KeyApproval, Order, PasskeyApproval, order_message
from keystore.refusal import Refused

USER_PRESENT_AND_VERIFIED = 0x05
RP_ID_HASH_BYTES = 32
APPROVALS_MAX = 8
BRACKETS_MAX = 32


@dataclass(frozen=True, slots=True)
class Passkey:
    """A P-256 public key and the site it belongs to."""

    key: EllipticCurvePublicKey
    relying_party: str
    origin: str


@dataclass(frozen=True, slots=True)
class Approver:
    """A person, or a merchant's own system, whose word the policy counts.

    `subjects` are the person's ids in the gateway, keys too: who asked never approves.
    """

    name: str
    proof: Ed25519PublicKey | Passkey
    subjects: tuple[str, ...] = ()
    merchant: str | None = None

    @property
    def public_key(self) -> bytes:
        """Return the key in its one spelling: Ed25519, or an uncompressed P-256 point."""
        if isinstance(self.proof, Ed25519PublicKey):
            return self.proof.public_bytes_raw()
        return self.proof.key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


class _ClientData(msgspec.Struct):
    type: str
    challenge: str
    origin: str
    crossOrigin: bool = False  # noqa: N815 - WebAuthn's own field names


def approved_by(
    order: Order, approvals: Iterable[Approval], known: Mapping[str, Approver]
) -> frozenset[str]:
    """Return the names of the approvers whose proof holds.

    Raises `Refused` (`unknown_approver`, `bad_approval`, `own_request`): one false proof spoils
    the request, for somebody is trying something.
    """
    proved: set[str] = set()
    for place, approval in enumerate(approvals):
        if place == APPROVALS_MAX:
            raise Refused("bad_approval", f"approvals: at most {APPROVALS_MAX}")
        approver = known.get(approval.approver)
        if approver is None:
            raise Refused("unknown_approver", "approvals: not one of the policy's approvers")
        if order.requested_by in {approver.name, *approver.subjects}:
            raise Refused("own_request", f"approvals: {approver.name} asked for this payment")
        if not _holds(approval, approver, order_message(order)):
            raise Refused("bad_approval", f"approvals: the proof of {approver.name} is false")
        proved.add(approver.name)
    return frozenset(proved)


def _holds(approval: Approval, approver: Approver, message: bytes) -> bool:
    try:
        if isinstance(approval, KeyApproval) and isinstance(approver.proof, Ed25519PublicKey):
            approver.proof.verify(bytes.fromhex(approval.signature), message)
            return True
        if isinstance(approval, PasskeyApproval) and isinstance(approver.proof, Passkey):
            return _assertion_holds(approval, approver.proof, message)
    except (InvalidSignature, ValueError):
        return False
    return False


def _assertion_holds(approval: PasskeyApproval, passkey: Passkey, message: bytes) -> bool:
    authenticator = bytes.fromhex(approval.authenticator_data)
    client = bytes.fromhex(approval.client_data)
    if client.count(b"{") + client.count(b"[") > BRACKETS_MAX:
        return False  # no browser nests it, and decoders recurse in C
    said = msgspec.json.decode(client, type=_ClientData)
    challenge = urlsafe_b64encode(hashlib.sha256(message).digest()).rstrip(b"=").decode()
    party = hashlib.sha256(passkey.relying_party.encode()).digest()
    if (said.type, said.challenge, said.origin, said.crossOrigin) != (
        "webauthn.get",
        challenge,
        passkey.origin,
        False,
    ):
        return False
    if len(authenticator) <= RP_ID_HASH_BYTES or not authenticator.startswith(party):
        return False
    flags = authenticator[RP_ID_HASH_BYTES]
    if flags & USER_PRESENT_AND_VERIFIED != USER_PRESENT_AND_VERIFIED:
        return False
    signed = authenticator + hashlib.sha256(client).digest()
    passkey.key.verify(bytes.fromhex(approval.signature), signed, ECDSA(SHA256()))
    return True


def ed25519_key(text: str) -> Ed25519PublicKey:
    """Read 64 hex digits; raise `ValueError` for anything else."""
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))


def p256_key(text: str) -> EllipticCurvePublicKey:
    """Read an uncompressed or compressed point in hex (SEC 1); raise `ValueError`."""
    return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), bytes.fromhex(text))
