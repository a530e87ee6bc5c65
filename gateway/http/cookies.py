"""A person's session as a cookie, for pages in a browser; other sites cannot act by it.

`__Host-` binds it to this very host over TLS (RFC 6265bis 4.1.3); requests that change something
must say that they come from our own origin.
"""

from typing import Any, cast
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie

from gateway.domain.errors import Forbidden
from gateway.http.message_signatures import authority_of
from gateway.http.request_signing import READING
from gateway.http.wiring import parts_of

SESSION_COOKIE = "__Host-session"


def session_of_cookie(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    """Return the token of the cookie; refuse a change that another site asks for."""
    token = connection.cookies.get(SESSION_COOKIE)
    method = cast("dict[str, Any]", connection.scope)["method"]
    if token is not None and method not in READING:
        require_own_origin(connection)
    return token


def require_own_origin(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Refuse what does not come from a page of this gateway."""
    own = origin_of(parts_of(connection).public_url)
    if connection.headers.get("Origin", "").lower() != own:
        raise Forbidden("this comes from another site", code="foreign_origin")


def origin_of(url: str) -> str:
    """Return scheme, host and port of an address, as browsers send them (RFC 6454 6.2)."""
    return f"{urlsplit(url).scheme}://{authority_of(url)}"


def session_cookie(token: str, *, seconds: int) -> Cookie:
    """Return the cookie that holds a session; an empty one of 0 seconds removes it."""
    return Cookie(
        key=SESSION_COOKIE,
        value=token,
        max_age=seconds,
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )
