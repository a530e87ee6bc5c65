"""Signed requests (RFC 9421, Ed25519) for merchants that demand them; needs `cryptography`."""

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit


class PrivateKey(Protocol):
    """`Ed25519PrivateKey` of `cryptography`, or a hardware key that signs as it does."""

    def sign(self, data: bytes, /) -> bytes:
        """Return the 64 bytes of the signature."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class Signer:
    """Signs every request with the private half of the key `key_id`'s `public_key`."""

    key_id: str
    private_key: PrivateKey

    def __repr__(self) -> str:
        return f"Signer(key_id={self.key_id!r})"

    def headers(
        self, method: str, url: str, body: bytes, idempotency_key: str | None
    ) -> dict[str, str]:
        """Return what goes out beside the other headers; the nonce is new at every attempt."""
        target = urlsplit(url)
        covered = {"@method": method, "@path": target.path, "@query": f"?{target.query}"}
        if body:
            digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
            covered["content-digest"] = f"sha-256=:{digest}:"
        if idempotency_key is not None:
            covered["idempotency-key"] = idempotency_key
        names = " ".join(f'"{name}"' for name in covered)
        nonce = secrets.token_urlsafe(16)
        line = (
            f'({names});created={int(time.time())};keyid="{self.key_id}";nonce="{nonce}"'
            ';alg="ed25519"'
        )
        lines = [f'"{name}": {value}' for name, value in covered.items()]
        base = "\n".join([*lines, f'"@signature-params": {line}'])
        signature = base64.b64encode(self.private_key.sign(base.encode())).decode()
        headers = {name: value for name, value in covered.items() if name == "content-digest"}
        return {
            **headers,
            "signature-input": f"sig1={line}",
            "signature": f"sig1=:{signature}:",
        }
