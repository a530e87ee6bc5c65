"""A strict reader of protobuf messages: it accepts one spelling only and no field it was not told.

Signed bytes are checked with it before they leave the house, so whatever a lenient reader would
skip or normalise (unknown fields, repeated fields, padded numbers, spelled-out defaults) is an
error here. Serializers in use write exactly this form.
"""

from collections.abc import Mapping

VARINT = 0
LENGTH_DELIMITED = 2
VARINT_BITS_MAX = 64


def read_message(
    name: str, body: bytes, integers: Mapping[int, str], octets: Mapping[int, str]
) -> tuple[dict[str, int], dict[str, bytes]]:
    """Return the integer and the byte fields that are present, by name.

    `integers` and `octets` map the allowed field numbers to names; each may appear once, in
    ascending order. Raises `ValueError` that names the message and the field.
    """
    numbers: dict[str, int] = {}
    blobs: dict[str, bytes] = {}
    position, last = 0, 0
    while position < len(body):
        tag, position = _varint(name, body, position)
        field, wire = tag >> 3, tag & 7
        label = integers.get(field) or octets.get(field) or f"field {field}"
        if field <= last:
            raise ValueError(f"{name}: {label} repeated or out of order")
        last = field
        value, position = _varint(name, body, position)
        if wire == VARINT and field in integers:
            numbers[integers[field]] = value
        elif wire == LENGTH_DELIMITED and field in octets:
            blobs[octets[field]] = body[position : position + value]
            position += value
        else:
            raise ValueError(f"{name}: {label} (wire type {wire}) is not allowed")
        if not value or position > len(body):
            raise ValueError(f"{name}: {label} is a spelled-out default or cut short")
    return numbers, blobs


def _varint(name: str, body: bytes, position: int) -> tuple[int, int]:
    """Return one minimally written unsigned number of 64 bits and the position after it."""
    value = shift = 0
    while True:
        if position >= len(body) or shift >= VARINT_BITS_MAX:
            raise ValueError(f"{name}: cut short or number too long")
        octet = body[position]
        position += 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            break
        shift += 7
    if (shift and not octet) or value >> VARINT_BITS_MAX:
        raise ValueError(f"{name}: number not in its shortest form")
    return value, position
