"""Every refusal and fault as an RFC 9457 problem document.

Ours and Litestar's exceptions end here; what nobody foresaw is logged with the request's id and
told as a 500 without detail.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.params import ParameterKwarg
from litestar.types import ExceptionHandlersMap
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.domain.errors import FieldFault, Invalid, NotFound, Refusal, TooMany, Unavailable
from gateway.http.parameters import missing

PROBLEM_JSON = "application/problem+json"
REQUEST_ID = "gateway_request_id"
"""Key of the request's id in the ASGI scope."""
BUDGET = "gateway_budget"
"""Key of what the caller's key may still ask, for the answer's headers."""
CALLER = "gateway_caller"
"""Where a scope holds the actor as soon as it is known, whatever becomes of the request."""

_CODES = {
    400: "malformed_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
    500: "internal",
}
_DETAILS = {
    404: "there is no such route",
    405: "this route does not know the method",
    413: "a body is at most 64 KiB",
    500: "this is our fault; the request id finds it in our logs",
}
_NO_SUCH_YEAR = "year 10000 is out of range"
_RETRY_AFTER_SECONDS = {409: "1", 503: "5"}


class Fault(msgspec.Struct, kw_only=True):
    """One refused field of the request."""

    pointer: str
    code: str
    detail: str


class Problem(msgspec.Struct, kw_only=True):
    """RFC 9457; `code` is stable and meant for programs, `detail` for people."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: list[Fault]


def problem(
    scope: Mapping[str, Any],
    status: int,
    code: str,
    detail: str,
    faults: Sequence[FieldFault] = (),
) -> Problem:
    """Shape one problem about one request."""
    return Problem(
        type=f"urn:cryptic-gateway:problem:{code}",
        title=code.replace("_", " ").capitalize(),
        status=status,
        detail=detail,
        instance=scope["path"],
        code=code,
        request_id=scope.get(REQUEST_ID, ""),
        errors=[Fault(pointer=f.pointer, code=f.code, detail=f.detail) for f in faults],
    )


def _response(request: Request[Any, Any, Any], refusal: Refusal) -> Response[bytes]:
    headers = {}
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(refusal, TooMany):
        headers["Retry-After"] = str(refusal.retry_after_seconds)
    elif refusal.code.endswith("in_flight") or isinstance(refusal, Unavailable):
        headers["Retry-After"] = _RETRY_AFTER_SECONDS[refusal.status]
    return _document(
        problem(request.scope, refusal.status, refusal.code, refusal.detail, refusal.faults),
        headers,
    )


def _document(document: Problem, headers: Mapping[str, str]) -> Response[bytes]:
    return Response(
        msgspec.json.encode(document),
        status_code=document.status,
        media_type=PROBLEM_JSON,
        headers=headers,
    )


def _library(request: Request[Any, Any, Any], fault: HTTPException) -> Response[bytes]:
    """Tell what Litestar refused: unknown routes, methods, parameters, sizes."""
    status = fault.status_code
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _unforeseen(request, fault)
    code = _CODES.get(status, "refused")
    detail = _DETAILS.get(status, fault.detail)
    return _document(problem(request.scope, status, code, detail), fault.headers or {})


def _parameters(request: Request[Any, Any, Any], fault: ValidationException) -> Response[bytes]:
    messages = fault.extra if isinstance(fault.extra, list) else []
    if any(message.get("key") == "data" for message in messages):
        return _response(request, Refusal("a JSON body is needed", code="malformed_json"))
    faults = [
        FieldFault(
            pointer=f"/{name}", code="invalid_parameter", detail=f"{name}: {message['message']}"
        )
        for message in messages
        for name in [_written(request, str(message.get("key", "")))]
    ]
    faults += [
        FieldFault(f"/{name}", "missing", f"{name}: the parameter is required")
        for name in missing(request)
    ]
    return _response(
        request, Invalid("a parameter cannot be accepted", code="invalid", faults=faults)
    )


def _written(request: Request[Any, Any, Any], key: str) -> str:
    """Return the name that callers write for a parameter: Python's may be another one."""
    name, _, _ = key.partition(".")
    handler = request.route_handler
    signatures = [
        handler.parsed_fn_signature,
        *(each.parsed_fn_signature for each in handler.resolve_dependencies().values()),
    ]
    for signature in signatures:
        field = signature.parameters.get(name)
        if field is not None and isinstance(field.kwarg_definition, ParameterKwarg):
            return field.kwarg_definition.query or key
    return key


def _odd_value(request: Request[Any, Any, Any], fault: ValueError) -> Response[bytes]:
    """Tell that there is no such time: msgspec reads seconds up to the year 10000 and falls over it."""
    if str(fault) != _NO_SUCH_YEAR:
        return _unforeseen(request, fault)
    return _response(
        request, Invalid("a parameter cannot be accepted: no such time", code="invalid")
    )


def _no_database(request: Request[Any, Any, Any], fault: Exception) -> Response[bytes]:
    """Tell that the database is away, full or in a deadlock: the caller may try again."""
    # One line: while it is away every request says so.
    cause = next(iter(str(fault).splitlines()), type(fault).__name__)
    structlog.get_logger().error("database trouble", cause=cause)
    return _response(
        request, Unavailable("the database cannot answer now", code="database_unavailable")
    )


def _unforeseen(request: Request[Any, Any, Any], fault: Exception) -> Response[bytes]:
    structlog.get_logger().error("unexpected fault", exc_info=fault)
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return _document(problem(request.scope, status.value, _CODES[status], _DETAILS[status]), {})


def absent(what: str, object_id: str) -> NotFound:
    """Say that an object does not exist for this caller, whoever else may have it."""
    return NotFound(f"there is no {what} {object_id[:64]}")


HANDLERS: ExceptionHandlersMap = {
    Refusal: _response,
    ValidationException: _parameters,
    HTTPException: _library,
    OperationalError: _no_database,
    InterfaceError: _no_database,
    PoolTimeout: _no_database,
    ValueError: _odd_value,
    Exception: _unforeseen,
}
