"""What goes over the wire: the body of an event and its Standard Webhooks signature. Pure.

The signed text is `id.timestamp.body`; a header carries one `v1,` entry per key that is valid
now, newest first, so that a receiver may change its secret while both are. `v1a,` entries are
Ed25519 over the same text.
"""

import base64
from collections.abc import Sequence
from datetime import datetime

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from gateway.webhooks.documents import EventDocument
from gateway.webhooks.secrets import PREFIX


def body_of(document: EventDocument, data: str) -> bytes:
    """Return compact UTF-8 JSON in the document's own order: the same bytes at every attempt.

    `data` is the event's as PostgreSQL writes it, whose spaces go: reading it only to write it
    again would cost several times as much.
    """
    compact = msgspec.Raw(msgspec.json.format(data.encode(), indent=-1))
    return msgspec.json.encode(msgspec.structs.replace(document, data=compact))


def key_of(secret: str) -> HMAC:
    """Return HMAC-SHA256 under the key behind a `whsec_` secret; `headers` works on copies."""
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    return HMAC(key, SHA256())


def headers(
    keys: Sequence[HMAC],
    event_id: str,
    sent_at: datetime,
    body: bytes,
    signers: Sequence[Ed25519PrivateKey] = (),
) -> dict[str, str]:
    """Return the three headers of one attempt; the timestamp is the attempt's, not the event's."""
    seconds = str(int(sent_at.timestamp()))
    head = f"{event_id}.{seconds}.".encode()
    symmetric = [_entry("v1", _code(key, head, body)) for key in keys]
    ed25519 = [_entry("v1a", signer.sign(head + body)) for signer in signers]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join((*symmetric, *ed25519)),
    }


def _code(key: HMAC, head: bytes, body: bytes) -> bytes:
    code = key.copy()
    code.update(head)
    code.update(body)
    return code.finalize()


def _entry(kind: str, signature: bytes) -> str:
    return f"{kind},{base64.b64encode(signature).decode()}"
