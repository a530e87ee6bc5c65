"""A software authenticator: makes passkeys and signs with them as a browser would hand it over.

Each thing that an attacker might change is an argument.
"""

import hashlib
import itertools
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

ORIGIN = "http://127.0.0.1:8080"
RP_ID = "127.0.0.1"
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40

_numbers = itertools.count(1)
Key = ec.EllipticCurvePrivateKey | Ed25519PrivateKey


def base64url(raw: bytes) -> str:
    """Return bytes as WebAuthn's JSON writes them."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def es256(number: int = 1234567) -> Key:
    """Return a P-256 key."""
    return ec.derive_private_key(number, ec.SECP256R1())


def ed25519(number: int = 7) -> Key:
    """Return an Ed25519 key."""
    return Ed25519PrivateKey.from_private_bytes(bytes([number] * 32))


def cose(key: Key) -> dict[int, Any]:
    """Return the public key as COSE has it (RFC 9053)."""
    if isinstance(key, Ed25519PrivateKey):
        return {1: 1, 3: -8, -1: 6, -2: key.public_key().public_bytes_raw()}
    point = key.public_key().public_numbers()
    return {
        1: 2,
        3: -7,
        -1: 1,
        -2: point.x.to_bytes(32, "big"),
        -3: point.y.to_bytes(32, "big"),
    }


@dataclass
class Authenticator:
    """One device with one credential; `count` is its counter, 0 for one that keeps none."""

    key: Key = field(default_factory=es256)
    credential_id: bytes = field(default_factory=lambda: b"credential %d" % next(_numbers))
    origin: str = ORIGIN
    rp_id: str = RP_ID
    flags: int = PRESENT | VERIFIED
    count: int = 0
    extra: dict[str, Any] = field(default_factory=dict)
    """More members of the client data."""
    public: dict[int, Any] | None = None
    """The public key to tell, where it is not the key's own."""
    form: str = "none"
    attest: Callable[["Authenticator", bytes], dict[str, Any]] = lambda _, __: {}
    """From what is attested to the statement in this `form`."""

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """Answer `navigator.credentials.create`."""
        public = cbor2.dumps(self.public or cose(self.key))
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big")
        data = self._data(self.flags | ATTESTED)
        data += attested + self.credential_id + public
        client = self._client("webauthn.create", options)
        statement = self.attest(self, data + hashlib.sha256(client).digest())
        attestation = cbor2.dumps({"fmt": self.form, "attStmt": statement, "authData": data})
        response = {
            "clientDataJSON": base64url(client),
            "attestationObject": base64url(attestation),
            "transports": ["internal"],
        }
        return self._credential(response)

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """Answer `navigator.credentials.get`."""
        client, data = self._client("webauthn.get", options), self._data(self.flags)
        response = {
            "clientDataJSON": base64url(client),
            "authenticatorData": base64url(data),
            "signature": base64url(self.sign(data + hashlib.sha256(client).digest())),
        }
        return self._credential(response)

    def sign(self, message: bytes) -> bytes:
        """Sign with the passkey's own key."""
        if isinstance(self.key, Ed25519PrivateKey):
            return self.key.sign(message)
        return self.key.sign(message, ec.ECDSA(SHA256()))

    def _data(self, flags: int) -> bytes:
        site = hashlib.sha256(self.rp_id.encode()).digest()
        return site + bytes([flags]) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, options: dict[str, Any]) -> bytes:
        said = {"type": kind, "challenge": options["challenge"], "origin": self.origin}
        return json.dumps({**said, **self.extra}).encode()

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        name = base64url(self.credential_id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
        }
