"""What can go wrong, as exceptions: the gateway's refusals by status, each with its stable `code`.

GatewayError
|-- NoAnswer          the connection failed, or time ran out; a retry with the same key is safe
|-- Unintelligible    what answered does not speak as the gateway does (a proxy's page)
`-- Problem           RFC 9457
    |-- Unauthenticated 401, Forbidden 403, NotFound 404, Conflict 409, Invalid 422
    `-- TooMany 429, ServerFault 500 and above, of which Unavailable 503
"""

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """One refused field: JSON Pointer, stable code, sentence."""

    pointer: str
    code: str
    detail: str


class ProblemDocument(msgspec.Struct, frozen=True):
    """The body of a refusal (RFC 9457)."""

    status: int
    code: str
    detail: str = ""
    title: str = ""
    type: str = "about:blank"
    instance: str = ""
    request_id: str = ""
    errors: tuple[Fault, ...] = ()


class GatewayError(Exception):
    """Whatever the client raises about a request."""


class NoAnswer(GatewayError):
    """The gateway could not be reached, or did not answer in time."""


class Unintelligible(GatewayError):
    """The answer is not one of the gateway's."""


class Problem(GatewayError):
    """The gateway refused; `code` is stable and for programs, `detail` is for people."""

    def __init__(self, document: ProblemDocument, *, retry_after: int | None = None) -> None:
        super().__init__(f"{document.status} {document.code}: {document.detail}")
        self.document = document
        self.status = document.status
        self.code = document.code
        self.detail = document.detail
        self.errors = document.errors
        self.request_id = document.request_id
        self.retry_after = retry_after
        """Seconds after which the gateway asks to be tried again."""


class Unauthenticated(Problem):
    """401: the key is unknown, expired, revoked, or its signature is missing or wrong."""


class Forbidden(Problem):
    """403: the key may not do this."""


class NotFound(Problem):
    """404: there is no such object for this key."""


class Conflict(Problem):
    """409: the object's state does not allow it."""


class Invalid(Problem):
    """422: `errors` points at the fields."""


class TooMany(Problem):
    """429: slower, please."""


class ServerFault(Problem):
    """500 and above: the gateway's fault."""


class Unavailable(ServerFault):
    """503: nothing is wrong with the request; try again later."""


_BY_STATUS: dict[int, type[Problem]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: Invalid,
    429: TooMany,
    503: Unavailable,
}


def problem_of(status: int, body: bytes, retry_after: str | None) -> GatewayError:
    """Read a refusal; one that is no problem document is told by its status alone."""
    try:
        document = msgspec.json.decode(body, type=ProblemDocument)
    except msgspec.DecodeError:
        return Unintelligible(f"{status}, and no problem document")
    kind = _BY_STATUS.get(status, Problem if status < 500 else ServerFault)
    seconds = int(retry_after) if retry_after is not None and retry_after.isdigit() else None
    return kind(document, retry_after=seconds)
