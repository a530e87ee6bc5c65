"""What an approver's request says about itself: name, time, and a signature over all of it. Pure.

`Authorization: Approver name=NAME,at=UNIX_SECONDS,signature=HEX`, an Ed25519 signature over
method, path with query, SHA-256 of the body and time.
"""

import hashlib
import re
from dataclasses import dataclass

from gateway.domain.errors import Unauthenticated

CONTEXT = b"gw/approver/v1\n"
SCHEME = "approver"
ACTOR = "approver:"
"""What an approver's name begins with where an operator's key id otherwise stands."""

_HEADER = re.compile(
    r"name=([A-Za-z0-9._-]{1,64}),at=([0-9]{1,12}),signature=([0-9a-f]{128})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Signed:
    """What the header of an approver's request says."""

    name: str
    at: int
    signature: str


def signed(header: str) -> Signed:
    """Read the header; raise `Unauthenticated` where it is not ours."""
    scheme, _, credentials = header.partition(" ")
    found = _HEADER.fullmatch(credentials.strip())
    if scheme.lower() != SCHEME or found is None:
        raise Unauthenticated(
            "send `Authorization: Approver name=...,at=...,signature=...`, "
            "or a key of an operator"
        )
    return Signed(found[1], int(found[2]), found[3])


def request_message(method: str, target: str, body: bytes, at: int) -> bytes:
    """Return the bytes that an approver signs; `target` is the path with its query."""
    digest = hashlib.sha256(body).hexdigest()
    return CONTEXT + f"{method}\n{target}\n{digest}\n{at}".encode()
