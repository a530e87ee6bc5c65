"""Reading a body: JSON into the struct that the handler names, strictly, or a pointer to the fault.

Litestar itself would convert leniently (`"60"` for 60) and report without pointers.
"""

import re
from typing import Any

import msgspec
from litestar import Request
from litestar.exceptions import InternalServerException

from gateway.domain.errors import FieldFault, Invalid, Refusal

BODY_BYTES_MAX = 65_536
DEPTH_MAX = 32
# One that has no end is taken to the body's end: else each of its quotes would begin a search anew.
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKETS = re.compile(rb"[][{}]")

_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_PLACE = re.compile(r" - at `(?:key in )?\$(.*)`$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")


class UnsupportedMediaType(Refusal):
    """The body is not announced as JSON."""

    status = 415
    code = "unsupported_media_type"


class ClientLeft(Refusal):
    """The connection ended before the body did; nobody reads the answer."""

    code = "client_left"


class JsonRequest(Request[Any, Any, Any]):
    """A request whose body is read strictly into the type of the handler's `data`."""

    async def body(self) -> bytes:
        """Return the whole body; a client that left in the middle is no fault of ours."""
        try:
            return await super().body()
        except InternalServerException as fault:
            if "disconnected" not in fault.detail:
                raise
            raise ClientLeft("the connection ended within the body") from fault

    async def json(self) -> Any:
        """Return the decoded body; 400, 415 or 422 otherwise."""
        field = self.route_handler.parsed_data_field
        kind = Any if field is None else field.annotation
        if self.content_type[0] != "application/json":
            raise UnsupportedMediaType("the body must be application/json")
        return decoded(await self.body(), kind)


def decoded(body: bytes, kind: Any) -> Any:
    """Decode JSON into `kind`; refuse what is not JSON, then what does not fit."""
    if too_deep(body):
        raise Refusal("the body is nested too deeply", code="malformed_json")
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise Refusal(f"the body is not JSON: {fault}", code="malformed_json") from fault
    if b"\\u0000" in body:
        _refuse_nul(document, "")
    try:
        return msgspec.convert(document, kind, strict=True)
    except msgspec.ValidationError as fault:
        refused = _fault(str(fault))
        raise Invalid(refused.detail, code="invalid", faults=[refused]) from fault


def too_deep(body: bytes) -> bool:
    """Tell whether JSON opens more levels than any request of ours has.

    Decoders recurse in C; where a library raised Python's limit they would end the process.
    """
    depth = 0
    for mark in _BRACKETS.findall(_STRINGS.sub(b"", body)):
        depth += 1 if mark in b"[{" else -1
        if depth > DEPTH_MAX:
            return True
    return False


def _refuse_nul(value: Any, pointer: str) -> None:
    """No text of PostgreSQL can hold U+0000."""
    if isinstance(value, str) and "\x00" in value:
        raise Invalid.field(pointer, "invalid_text", "text cannot contain U+0000")
    if isinstance(value, dict):
        for name, inner in value.items():
            _refuse_nul(name, pointer)
            _refuse_nul(inner, f"{pointer}/{escaped(name)}")
    if isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_nul(inner, f"{pointer}/{index}")


def _fault(message: str) -> FieldFault:
    """Turn msgspec's sentence and `$.a[0]` path into a JSON Pointer and a stable code."""
    place = _PLACE.search(message)
    pointer = _pointer(place.group(1)) if place else ""
    sentence = message[: place.start()] if place else message
    if unknown := _UNKNOWN.fullmatch(sentence):
        name = unknown.group(1)
        return FieldFault(
            f"{pointer}/{escaped(name)}", "unknown_field", f"{name}: unknown field"
        )
    if missing := _MISSING.fullmatch(sentence):
        name = missing.group(1)
        return FieldFault(f"{pointer}/{name}", "missing", f"{name}: the field is required")
    code = "type" if ", got " in sentence else "invalid"
    where = pointer.removeprefix("/") or "body"
    return FieldFault(pointer, code, f"{where}: {sentence}")


def _pointer(path: str) -> str:
    """Return `/a/0` for `.a[0]`; msgspec writes `[...]` for a key it does not name."""
    steps = (name or index for name, index in _STEP.findall(path))
    return "".join(f"/{escaped(step)}" for step in steps if step != "...")


def escaped(name: str) -> str:
    """Escape one reference token (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
