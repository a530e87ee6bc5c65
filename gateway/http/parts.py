"""Parts of request bodies that several rooms share."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from litestar.params import Parameter
from msgspec import UNSET

Amount = Annotated[str, msgspec.Meta(max_length=80)]
"""A decimal string; the service reads it, because the decimals depend on the currency."""
MethodId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
MetadataKey = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
MetadataValue = Annotated[str, msgspec.Meta(max_length=500)]
Metadata = Annotated[dict[MetadataKey, MetadataValue], msgspec.Meta(max_length=50)]
"""What a caller wants to find again: up to 50 short texts."""
Email = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[^@\s\x00-\x1f\x7f-\x9f]+@[^@\s\x00-\x1f\x7f-\x9f]+$(?!\n)", max_length=254
    ),
]
"""An address as far as its form tells: one `@`, no space, no control character."""


CreatedFrom = Annotated[datetime | None, Parameter(query="created[gte]")]
CreatedBefore = Annotated[datetime | None, Parameter(query="created[lt]")]
"""Query parameters: the times between which something was made; `in_utc` reads them."""


def given(data: msgspec.Struct) -> dict[str, Any]:
    """Return the fields that a body sets."""
    every = ((name, getattr(data, name)) for name in data.__struct_fields__)
    return {name: value for name, value in every if value is not UNSET}


def in_utc(at: datetime | None) -> datetime | None:
    """Return a time of a query; one without an offset is UTC, whatever the database's zone is."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
