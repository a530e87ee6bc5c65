"""What this gateway is made of, found in every request.

The routes hold nothing of a gateway, so one set of them, slow to build, serves all of a process.
"""

from collections.abc import MutableMapping
from typing import Any, cast

from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import Scope

from gateway.domain.moment import Moment

PARTS = "parts"
"""Key of the ASGI scope."""


def parts_of(connection: ASGIConnection[Any, Any, Any, Any]) -> State:
    """Return the parts of the gateway that is asked."""
    return cast("State", cast("MutableMapping[str, Any]", connection.scope)[PARTS])


def provide_moment(scope: Scope) -> Moment:
    """Give handlers the moment of this request."""
    return cast("Moment", cast("MutableMapping[str, Any]", scope)[PARTS].clock())


def part(name: str) -> Provide:
    """Give handlers one part by its name."""

    def provide(scope: Scope) -> Any:
        return cast("MutableMapping[str, Any]", scope)[PARTS][name]

    return Provide(provide, sync_to_thread=False)
