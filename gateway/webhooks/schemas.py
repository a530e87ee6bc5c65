"""Request bodies and query parameters about webhooks."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from litestar.params import Parameter
from msgspec import UNSET, UnsetType

from gateway.webhooks.catalogue import EVERYTHING

Url = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
EventName = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Events = Annotated[list[EventName], msgspec.Meta(min_length=1, max_length=50)]

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
IdParameter = Annotated[str | None, Parameter(max_length=64)]
Order = Literal["newest", "oldest"]
DeliveryStatus = Literal["scheduled", "succeeded", "retrying", "exhausted", "skipped"]


class CreateEndpoint(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A new endpoint; without `events` it hears everything.

    With `ed25519` it gets `v1a` signatures (Ed25519) beside the others.
    """

    url: Url
    events: Events = msgspec.field(default_factory=lambda: [EVERYTHING])
    ed25519: bool = False


class ChangeEndpoint(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to change; fields that are left out stay."""

    url: Url | UnsetType = UNSET
    events: Events | UnsetType = UNSET
    status: Literal["enabled", "disabled"] | UnsetType = UNSET
    ed25519: bool | UnsetType = UNSET


class RotateSecret(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How long the old secret signs beside the new one."""

    overlap_hours: Annotated[int, msgspec.Meta(ge=0, le=72)] = 24


class ReplayEvents(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which events to send again: `since` up to and without `until` (now where it is left out).

    `status` is `failed` for those that never arrived there, `any` for all.
    """

    since: Instant
    until: Instant | None = None
    types: Annotated[list[EventName], msgspec.Meta(max_length=50)] = []
    status: Literal["failed", "any"] = "failed"
