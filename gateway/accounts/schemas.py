"""Request bodies about API keys."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Scopes = Annotated[list[str], msgspec.Meta(min_length=1, max_length=32)]
Networks = Annotated[list[str], msgspec.Meta(max_length=64)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
PerMinute = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
PublicKey = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9+/]{43}=$(?!\n)")]
"""32 bytes in base64: the raw public half of an Ed25519 key."""
OverlapSeconds = Annotated[int, msgspec.Meta(ge=0, le=604_800)]


class CreateKey(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A new key. `livemode` is the calling key's own unless an operator says otherwise."""

    name: Name
    scopes: Scopes
    allowed_ips: Networks = []
    expires_at: Instant | None = None
    livemode: bool | None = None
    requests_per_minute: PerMinute | None = None
    public_key: PublicKey | None = None


class ChangeKey(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to change; a key never gains rights by it."""

    name: Name | UnsetType = UNSET
    scopes: Scopes | UnsetType = UNSET
    allowed_ips: Networks | UnsetType = UNSET
    expires_at: Instant | UnsetType = UNSET
    requests_per_minute: PerMinute | UnsetType = UNSET
    public_key: PublicKey | UnsetType | None = UNSET


class RollKey(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How long the old secret stays in force beside the new one."""

    overlap_seconds: OverlapSeconds = 86_400
