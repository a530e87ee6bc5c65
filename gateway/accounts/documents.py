"""What the world sees of an API key."""

from datetime import datetime

import msgspec

from gateway.models import ApiKey


class KeyDocument(msgspec.Struct, kw_only=True):
    """A key; `key` is the secret itself, shown once at creation and null ever after."""

    id: str
    object: str
    livemode: bool
    merchant_id: str | None
    name: str
    prefix: str
    scopes: list[str]
    allowed_ips: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    key: str | None


def key_document(row: ApiKey, *, secret: str | None = None) -> KeyDocument:
    """Shape one key from its row."""
    return KeyDocument(
        id=row.id,
        object="api_key",
        livemode=row.livemode,
        merchant_id=row.merchant_id,
        name=row.name,
        prefix=row.prefix,
        scopes=row.scopes,
        allowed_ips=row.allowed_ips,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        key=secret,
    )
