"""A strict proto3 codec driven by field tables: what it cannot write back it refuses to read.

Tron's transaction id is the hash of encoded bytes, hence a field that is dropped or reordered
unnoticed would change the identity of money. Unknown fields, repeated singular fields, other
wire types than the table's and truncated input are `Malformed`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Message = dict[str, Any]
"""Field name to int, bytes, str, `Message` or a list of these; absent fields are defaults."""

VARINT, LENGTH_DELIMITED = 0, 2
UINT64_MASK = (1 << 64) - 1
VARINT_BYTES_MAX = 10


class Malformed(ValueError):
    """Bytes that are not this message, or values that do not fit its fields."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `kind` is a scalar (`int bool bytes name address text`), an enum or a message."""

    number: int
    name: str
    kind: str
    repeated: bool


@dataclass(frozen=True, slots=True)
class Schema:
    """Messages and enums by name; a kind that is neither is a scalar."""

    messages: Mapping[str, tuple[Field, ...]]
    enums: Mapping[str, Mapping[int, str]]

    def is_varint(self, kind: str) -> bool:
        """Tell whether values of this kind are numbers on the wire."""
        return kind in {"int", "bool"} or kind in self.enums

    def encode(self, name: str, message: Message) -> bytes:
        """Write fields in the order of their numbers, leaving out singular defaults."""
        known = {field.name for field in self.messages[name]}
        if unknown := message.keys() - known:
            raise Malformed(f"{name} has no field {min(unknown)}")
        return b"".join(
            self._encode_field(field, message[field.name])
            for field in self.messages[name]
            if field.name in message
        )

    def decode(self, name: str, data: bytes) -> Message:
        """Read a message; fields that were not on the wire are absent from the result."""
        fields = {field.number: field for field in self.messages[name]}
        message: Message = {}
        for number, wire_type, value in _wire_fields(data):
            field = fields.get(number)
            if field is None:
                raise Malformed(f"{name}: unknown field {number}")
            if (wire_type == VARINT) != self.is_varint(field.kind):
                raise Malformed(f"{name}.{field.name}: wire type {wire_type}")
            item = self._decode_value(field.kind, value)
            if field.repeated:
                message.setdefault(field.name, []).append(item)
            elif field.name in message:
                raise Malformed(f"{name}.{field.name}: more than once")
            else:
                message[field.name] = item
        return message

    def _encode_field(self, field: Field, value: Any) -> bytes:
        items = value if field.repeated else [value]
        is_message = field.kind in self.messages
        parts = []
        for item in items:
            if self.is_varint(field.kind):
                if item or field.repeated:
                    parts.append(_tag(field, VARINT) + _varint(int(item)))
                continue
            body = self._encode_value(field.kind, item)
            if body or field.repeated or is_message:
                parts.append(_tag(field, LENGTH_DELIMITED) + _varint(len(body)) + body)
        return b"".join(parts)

    def _encode_value(self, kind: str, value: Any) -> bytes:
        if kind in self.messages:
            return self.encode(kind, value)
        return value.encode() if kind == "text" else bytes(value)

    def _decode_value(self, kind: str, value: int | bytes) -> Any:
        if isinstance(value, int):
            return value - (1 << 64) if value >> 63 else value
        if kind in self.messages:
            return self.decode(kind, value)
        if kind == "text":
            try:
                return value.decode()
            except UnicodeDecodeError as trouble:
                raise Malformed(f"text is not UTF-8: {trouble}") from trouble
        return value


def schema(messages: Mapping[str, str], enums: Mapping[str, Mapping[int, str]]) -> Schema:
    """Read field tables written as `1 owner_address address; 5 ret *Result`; `*` repeats."""
    return Schema(
        {
            name: tuple(sorted(map(_field, table.split(";")), key=lambda field: field.number))
            for name, table in messages.items()
        },
        enums,
    )


def _field(text: str) -> Field:
    number, name, kind = text.split()
    return Field(int(number), name, kind.removeprefix("*"), kind.startswith("*"))


def _tag(field: Field, wire_type: int) -> bytes:
    return _varint(field.number << 3 | wire_type)


def _varint(number: int) -> bytes:
    if not -(1 << 63) <= number < 1 << 63:
        raise Malformed(f"{number} does not fit 64 bits")
    number &= UINT64_MASK
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _wire_fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    position = 0
    while position < len(data):
        tag, position = _read_varint(data, position)
        number, wire_type = tag >> 3, tag & 7
        value, position = _read_varint(data, position)
        if wire_type == VARINT:
            yield number, wire_type, value
        elif wire_type == LENGTH_DELIMITED:
            end = position + value
            if end > len(data):
                raise Malformed("message ends inside a field")
            yield number, wire_type, data[position:end]
            position = end
        else:
            raise Malformed(f"wire type {wire_type}")


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    number = 0
    for index in range(VARINT_BYTES_MAX):
        if position + index >= len(data):
            raise Malformed("message ends inside a number")
        byte = data[position + index]
        number |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if number > UINT64_MASK:
                break
            return number, position + index + 1
    raise Malformed("a number is longer than 64 bits")
