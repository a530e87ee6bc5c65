"""Request bodies about API keys."""

from datetime import datetime
from typing import Annotated

import msgspec

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Scopes = Annotated[list[str], msgspec.Meta(min_length=1, max_length=32)]
Networks = Annotated[list[str], msgspec.Meta(max_length=64)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class CreateKey(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A new key. `livemode` is the calling key's own unless an operator says otherwise."""

    name: Name
    scopes: Scopes
    allowed_ips: Networks = []
    expires_at: Instant | None = None
    livemode: bool | None = None
