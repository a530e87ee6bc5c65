"""Parts of request bodies that several rooms share."""

from typing import Annotated

import msgspec

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
