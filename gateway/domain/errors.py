"""Refusals: the caller's fault, each with the HTTP status and the stable code it has outside.

Refusal
|-- Invalid          422  fields of the request cannot be accepted
|-- Unauthenticated  401
|-- Forbidden        403  the key may not do this
|-- NotFound         404  also for another merchant's objects
|-- Conflict         409  the object's state does not allow it
|-- TooMany          429  slower, please
`-- Unavailable      503  a payment method or a network cannot serve now
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One refused field: JSON Pointer, stable code, sentence."""

    pointer: str
    code: str
    detail: str


class Refusal(Exception):
    """A request that is refused; nothing was changed."""

    status = 400
    code = "refused"

    def __init__(
        self, detail: str, *, code: str | None = None, faults: Sequence[FieldFault] = ()
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.faults = tuple(faults)


class Invalid(Refusal):
    """A field of the request cannot be accepted."""

    status = 422
    code = "invalid"

    @classmethod
    def field(cls, pointer: str, code: str, detail: str) -> "Invalid":
        """Refuse one field."""
        return cls(detail, code=code, faults=[FieldFault(pointer, code, detail)])


class Unauthenticated(Refusal):
    """No key, or one that is unknown, expired or revoked."""

    status = 401
    code = "unauthenticated"


class Forbidden(Refusal):
    """The key is known and may not do this."""

    status = 403
    code = "insufficient_scope"


class NotFound(Refusal):
    """There is no such object for this caller."""

    status = 404
    code = "not_found"


class Conflict(Refusal):
    """The object's state does not allow it."""

    status = 409
    code = "conflict"


class TooMany(Refusal):
    """More of this than one caller may have; later it is fine again."""

    status = 429
    code = "rate_limited"

    def __init__(
        self, detail: str, *, code: str | None = None, retry_after_seconds: int = 60
    ) -> None:
        super().__init__(detail, code=code)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(Refusal):
    """Try again later: nothing is wrong with the request."""

    status = 503
    code = "unavailable"
