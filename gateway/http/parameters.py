"""Which query parameters a route knows: a filter that it does not know would let everything through.

Who asks for `?orderId=7` and gets every invoice takes the first for the one that was meant.
"""

from functools import lru_cache
from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.routes import HTTPRoute

from gateway.domain.errors import FieldFault, Invalid


def require_known(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Refuse a query with a parameter that this route does not read."""
    scope: Any = connection.scope
    if not scope["query_string"]:
        return
    known = _known(connection.app)[scope["path_template"], scope["method"]]
    faults = [
        FieldFault(f"/{name}", "invalid_parameter", f"{name}: this route does not know it")
        for name in dict.fromkeys(connection.query_params)
        if name not in known
    ]
    if faults:
        raise Invalid("a parameter cannot be accepted", code="invalid", faults=faults)


@lru_cache(maxsize=1)
def _known(app: Litestar) -> dict[tuple[str, str], frozenset[str]]:
    """Return the parameters' names as callers write them, by path and method."""
    return {
        (route.path_format, method): frozenset(
            each.field_alias for each in model.expected_query_params
        )
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method, (_, model) in route.route_handler_map.items()
    }
