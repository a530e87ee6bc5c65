"""Request bodies and query parameters about webhooks."""

from typing import Annotated, Literal

import msgspec
from litestar.params import Parameter
from msgspec import UNSET, UnsetType

from gateway.webhooks.catalogue import EVERYTHING

Url = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
EventName = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Events = Annotated[list[EventName], msgspec.Meta(min_length=1, max_length=50)]

IdParameter = Annotated[str | None, Parameter(max_length=64)]
DeliveryStatus = Literal["scheduled", "succeeded", "retrying", "exhausted", "skipped"]


class CreateEndpoint(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A new endpoint; without `events` it hears everything."""

    url: Url
    events: Events = msgspec.field(default_factory=lambda: [EVERYTHING])


class ChangeEndpoint(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to change; fields that are left out stay."""

    url: Url | UnsetType = UNSET
    events: Events | UnsetType = UNSET
    status: Literal["enabled", "disabled"] | UnsetType = UNSET
