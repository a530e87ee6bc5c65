"""OpenAPI at /schema/openapi.json: what Litestar derives, completed with what our door answers.

Litestar knows paths, parameters and statuses. The bodies are described by msgspec, which reads
them; problems, keys and headers are the same for every operation and are added here.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from litestar import Litestar, MediaType, Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.routes import HTTPRoute

from gateway.http.auth import requires
from gateway.http.errors import PROBLEM_JSON, Problem
from gateway.http.idempotency import KEY_LENGTH_MAX, needs_key

_REFERENCE = "#/components/schemas/{name}"
_CHANGES = {"post", "patch", "put", "delete"}
_MEANINGS = {
    400: "The request is not HTTP or JSON as it should be.",
    401: "No key, or one that is unknown, expired or revoked.",
    403: "The key lacks the scope, or may not be used from this address.",
    404: "There is no such object for this key.",
    409: "The state of the object, or a request in flight, does not allow it.",
    413: "The body is larger than 64 KiB.",
    415: "The body is not application/json.",
    422: "Fields or parameters cannot be accepted; `errors` points at them.",
    429: "Too many such requests; see Retry-After.",
    500: "Our fault.",
    503: "Try again later.",
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key with the same body changes things once and answers the same.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": KEY_LENGTH_MAX,
        "pattern": "^[ -~]+$",
    },
}
_HEADERS = {
    name: {"schema": {"type": "string"}, "description": meaning}
    for name, meaning in {
        "X-Request-Id": "Finds this request in the gateway's logs.",
        "Gateway-Version": "Version of the documents.",
    }.items()
}


class CompletedJson(JsonRenderPlugin):
    """Renders the completed document, made on first use."""

    _rendered: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the document as JSON."""
        if self._rendered is None:
            self._rendered = msgspec.json.encode(completed(openapi_schema, request.app))
        return self._rendered


def configuration() -> OpenAPIConfig:
    """Serve only the JSON document, under /schema."""
    return OpenAPIConfig(
        title="Cryptic Gateway",
        version="1",
        path="/schema",
        render_plugins=[CompletedJson(media_type=MediaType.JSON)],
        use_handler_docstrings=True,
    )


def completed(document: dict[str, Any], app: Litestar) -> dict[str, Any]:
    """Add bodies, problems, keys and headers to every operation."""
    operations = list(_operations(document, app))
    kinds = {kind for _, _, handler in operations for kind in _bodies(handler)}
    ordered = sorted(kinds | {Problem}, key=str)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=_REFERENCE)
    by_kind = dict(zip(ordered, schemas, strict=True))
    for method, operation, handler in operations:
        _describe_bodies(operation, handler, by_kind)
        _describe_instants(operation)
        _describe_refusals(method, operation, handler, by_kind[Problem])
        if scopes := _scopes(handler):
            operation["security"] = [{"key": []}]
            operation["x-scope"] = scopes[0] or "any"
            if _is_shared(handler):
                operation["x-live-key"] = True
            if method == "post":
                header = {**_IDEMPOTENCY_KEY, "required": needs_key(handler.opt)}
                operation.setdefault("parameters", []).append(header)
    document["components"] = {
        "schemas": components,
        "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
    }
    return document


def _operations(
    document: dict[str, Any], app: Litestar
) -> Iterator[tuple[str, dict[str, Any], HTTPRouteHandler]]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        path = document["paths"].get(route.path_format or "/", {})
        for handler in route.route_handlers:
            for method in handler.http_methods:
                if operation := path.get(method.lower()):
                    yield method.lower(), operation, handler


def _bodies(handler: HTTPRouteHandler) -> list[Any]:
    return [kind for kind in (_request_kind(handler), _answer_kind(handler)) if kind]


def _request_kind(handler: HTTPRouteHandler) -> Any:
    field = handler.parsed_data_field
    return None if field is None else field.annotation


def _answer_kind(handler: HTTPRouteHandler) -> Any:
    """Return the struct that is answered, None for pages of text and for no content."""
    field = handler.parsed_return_field
    if field.is_subclass_of(Response):
        if not field.inner_types:
            return None
        field = field.inner_types[0]
    return field.annotation if field.is_subclass_of(msgspec.Struct) else None


def _describe_bodies(
    operation: dict[str, Any], handler: HTTPRouteHandler, by_kind: dict[Any, dict[str, Any]]
) -> None:
    if kind := _request_kind(handler):
        content = {"application/json": {"schema": by_kind[kind]}}
        field = handler.parsed_data_field
        required = field is not None and not field.has_default
        operation["requestBody"] = {"required": required, "content": content}
    success = operation["responses"][str(handler.status_code)]
    success["headers"] = _HEADERS
    if types := handler.opt.get("media_types"):
        success["content"] = {each: {"schema": {"type": "string"}} for each in types}
    if kind := _answer_kind(handler):
        success["content"] = {"application/json": {"schema": by_kind[kind]}}


def _describe_instants(operation: dict[str, Any]) -> None:
    """Say what a time in a query may be: with an offset, else in UTC, or seconds since 1970."""
    for parameter in operation.get("parameters", []):
        options = [parameter["schema"], *parameter["schema"].get("oneOf", [])]
        if any(each.get("format") == "date-time" for each in options):
            parameter["schema"] = {"anyOf": [parameter["schema"], {"type": "number"}]}
            parameter.setdefault("description", "Without an offset it is UTC.")


def _describe_refusals(
    method: str, operation: dict[str, Any], handler: HTTPRouteHandler, schema: dict[str, Any]
) -> None:
    for status in sorted(_statuses(method, operation, handler)):
        operation["responses"][str(status)] = {
            "description": _MEANINGS[status],
            "headers": _HEADERS,
            "content": {PROBLEM_JSON: {"schema": schema}},
        }


def _statuses(method: str, operation: dict[str, Any], handler: HTTPRouteHandler) -> set[int]:
    statuses = {400, 500, 503, *handler.opt.get("refusals", ())}
    if _scopes(handler):
        # A key's request is read as a whole: any can be too large, or have an unknown parameter.
        statuses |= {401, 403, 413, 422, 429}
    if _request_kind(handler):
        statuses |= {413, 415, 422}
    parameters = {parameter["in"] for parameter in operation.get("parameters", [])}
    if "path" in parameters:
        statuses.add(404)
    if "query" in parameters or method in _CHANGES:
        statuses.add(422)
    if method in _CHANGES:
        statuses.add(409)
    return statuses


def _is_shared(handler: HTTPRouteHandler) -> bool:
    """Tell whether a test key is refused where a network is real."""
    guards = handler.resolve_guards()
    return any(guard.shared for guard in guards if isinstance(guard, requires))


def _scopes(handler: HTTPRouteHandler) -> list[str | None]:
    return [guard.scope for guard in handler.resolve_guards() if isinstance(guard, requires)]
