"""Request bodies and query parameters about pauses."""

from typing import Annotated

import msgspec

from gateway.http.parts import MethodId

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Why = Annotated[str, msgspec.Meta(min_length=1, max_length=300, pattern=r"\S")]


class CreatePause(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to stop paying out; without any of the three, everything of the key's mode."""

    network: Id | None = None
    payment_method: MethodId | None = None
    merchant_id: Id | None = None
    reason: Why
