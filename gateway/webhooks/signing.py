"""What goes over the wire: the body of an event and its Standard Webhooks signature. Pure.

The signed text is `id.timestamp.body`; a header carries one `v1,` entry per key that is valid
now, newest first, so that a receiver may change its secret while both are. `v1a,` entries are
Ed25519 over the same text.
"""

import base64
import hmac
from collections.abc import Sequence
from datetime import datetime

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.webhooks.documents import EventDocument
from gateway.webhooks.secrets import PREFIX


def body_of(document: EventDocument) -> bytes:
    """Return compact UTF-8 JSON in the document's own order: the same bytes at every attempt."""
    return msgspec.json.encode(document)


def key_of(secret: str) -> bytes:
    """Return the HMAC key behind a `whsec_` secret."""
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)


def headers(
    keys: Sequence[bytes],
    event_id: str,
    sent_at: datetime,
    body: bytes,
    signers: Sequence[Ed25519PrivateKey] = (),
) -> dict[str, str]:
    """Return the three headers of one attempt; the timestamp is the attempt's, not the event's."""
    seconds = int(sent_at.timestamp())
    signed = b"%b.%d.%b" % (event_id.encode(), seconds, body)
    symmetric = [("v1", hmac.digest(key, signed, "sha256")) for key in keys]
    ed25519 = [("v1a", signer.sign(signed)) for signer in signers]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(
            f"{kind},{base64.b64encode(signature).decode()}"
            for kind, signature in (*symmetric, *ed25519)
        ),
    }
