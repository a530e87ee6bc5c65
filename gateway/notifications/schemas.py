"""Request bodies and query parameters about messages and targets."""

from typing import Annotated, Literal

import msgspec
from litestar.params import Parameter

Status = Literal["scheduled", "retrying", "sent", "failed"]
KindParameter = Annotated[str | None, Parameter(max_length=64)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$(?!\n)")]
Address = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class CreateTarget(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A place for SMS or chat: `address` as Apprise writes it, `tgram://TOKEN/CHAT` for one."""

    name: Name
    address: Address
