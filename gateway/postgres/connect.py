"""One plain connection for a start-up check or an administrator's step.

The processes' pools live in `gateway.db`; nothing here is on a hot path.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.exc import OperationalError

from gateway.postgres import Unusable
from gateway.postgres.url import Role, is_embedded, place, role_url, user_name
from gateway.settings import Settings

CONNECT_SECONDS_MAX = 5


@contextmanager
def connected(
    settings: Settings, role: Role, *, database: str | None = None, autocommit: bool = False
) -> Iterator[Connection]:
    """Open a connection as `role`; an unreachable server is one line naming `database.url`."""
    engine = create_engine(
        role_url(settings, role, database=database),
        poolclass=NullPool,
        connect_args={"connect_timeout": CONNECT_SECONDS_MAX},
        isolation_level="AUTOCOMMIT" if autocommit else "READ COMMITTED",
    )
    try:
        connection = engine.connect()
    except OperationalError as fault:
        raise unreachable(settings, role, fault) from fault
    with connection:
        yield connection


def unreachable(settings: Settings, role: Role, fault: OperationalError) -> Unusable:
    """Turn a failed connect into the one line that an operator can act on."""
    reason = str(fault.orig).strip().splitlines()[0].removeprefix("connection is bad: ")
    hint = " (is `gateway database` running?)" if is_embedded(settings) else ""
    if "authentication failed" in reason or "does not exist" in reason:
        hint = f" ({_way_in(settings, role)})"
    return Unusable(
        f"database.url: cannot connect to {place(settings)} "
        f"as {user_name(settings, role)}: {reason}{hint}"
    )


def _way_in(settings: Settings, role: Role) -> str:
    """Say what to do where the server is there and does not know us: its users come with the schema."""
    if role == "admin":
        return "look at database.admin_user and database.admin_password_file"
    if is_embedded(settings) or settings.database.admin_password_file is not None:
        return "run `gateway migrate`"
    return "run `gateway migrate` with database.admin_password_file"
