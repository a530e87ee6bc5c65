"""Which query parameters a route knows: a filter that it does not know would let everything through.

Who asks for `?orderId=7` and gets every invoice takes the first for the one that was meant. Who
gives one twice would be answered for one of them only.
"""

from functools import lru_cache
from typing import Any, NamedTuple

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.routes import HTTPRoute

from gateway.domain.errors import FieldFault, Invalid


def require_known(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Refuse a query with a parameter that this route does not read, or would read one of."""
    scope: Any = connection.scope
    if not scope["query_string"]:
        return
    known = _known(connection.app)[scope["path_template"], scope["method"]]
    given = connection.query_params
    faults = [
        FieldFault(
            f"/{name}",
            "invalid_parameter",
            f"{name}: {'give it once' if name in known else 'this route does not know it'}",
        )
        for name, values in given.dict().items()
        if name not in known or (len(values) > 1 and not known[name].is_list)
    ]
    if faults:
        raise Invalid("a parameter cannot be accepted", code="invalid", faults=faults)


def missing(connection: ASGIConnection[Any, Any, Any, Any]) -> list[str]:
    """Return the parameters that this route cannot do without and that the query does not have."""
    scope: Any = connection.scope
    known = _known(connection.app)[scope["path_template"], scope["method"]]
    return sorted(
        name
        for name, each in known.items()
        if each.is_required and name not in connection.query_params
    )


class _Parameter(NamedTuple):
    is_list: bool
    is_required: bool


@lru_cache(maxsize=1)
def _known(app: Litestar) -> dict[tuple[str, str], dict[str, _Parameter]]:
    """Return, by path and method, the parameters as callers write them."""
    return {
        (route.path_format, method): {
            each.field_alias: _Parameter(each.is_sequence, each.is_required)
            for each in model.expected_query_params
        }
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method, (_, model) in route.route_handler_map.items()
    }
