"""The text of a token: its kind, then 256 random bits. Only SHA-256 of it is stored.

A fast hash is right here: nobody searches 256 bits, with whatever hardware.
"""

import base64
import hashlib
import re

SESSION = "gws_"
INVITATION = "gwi_"
PROOF = "gwp_"
RANDOM_BYTES = 32
_SHAPE = re.compile(r"gw[sip]_[0-9A-Za-z_-]{43}")


def new_token(kind: str, randomness: bytes) -> str:
    """Return a token of one kind, made of 32 random bytes."""
    return kind + base64.urlsafe_b64encode(randomness).rstrip(b"=").decode()


def is_token(text: str, kind: str) -> bool:
    """Tell whether a text looks like a token of this kind."""
    return text.startswith(kind) and bool(_SHAPE.fullmatch(text))


def hashed(token: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).digest()
