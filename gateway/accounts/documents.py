"""What the world sees of an API key."""

import base64
from collections.abc import Sequence
from datetime import datetime

import msgspec

from gateway.models import ApiKey


class KeyDocument(msgspec.Struct, kw_only=True):
    """A key; `key` is the secret itself, shown once when it is made and null ever after.

    `outlives_maker`: the key is in force and may do what its maker may not (any more), who left,
    is suspended, has another role or was revoked. After a roll the secret that begins with `previous_prefix` is in force until
    `previous_until`. `public_key` is Ed25519 in base64. `created_by` is the person or the first key
    behind it, `made_with` the key that asked for it. `ended` are the keys that were made with it, and
    with those, and that its revocation ended: in the answer to that alone.
    """

    id: str
    object: str
    livemode: bool
    merchant_id: str | None
    name: str
    prefix: str
    previous_prefix: str | None
    previous_until: datetime | None
    scopes: list[str]
    allowed_ips: list[str]
    requests_per_minute: int | None
    public_key: str | None
    created_by: str | None
    made_with: str | None
    outlives_maker: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    last_used_address: str | None
    key: str | None
    ended: list[str]


def key_document(
    row: ApiKey,
    *,
    secret: str | None = None,
    outlives: bool = False,
    ended: Sequence[str] = (),
) -> KeyDocument:
    """Shape one key from its row."""
    return KeyDocument(
        id=row.id,
        object="api_key",
        livemode=row.livemode,
        merchant_id=row.merchant_id,
        name=row.name,
        prefix=row.prefix,
        previous_prefix=row.previous_prefix,
        previous_until=row.previous_until,
        scopes=row.scopes,
        allowed_ips=row.allowed_ips,
        requests_per_minute=row.requests_per_minute,
        public_key=shown_public_key(row.public_key),
        created_by=row.created_by,
        made_with=row.made_with,
        outlives_maker=outlives,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        last_used_address=row.last_used_address,
        key=secret,
        ended=list(ended),
    )


def shown_public_key(raw: bytes | None) -> str | None:
    """Return the 32 bytes as base64."""
    return None if raw is None else base64.b64encode(raw).decode()
