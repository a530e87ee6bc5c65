"""Where the database is and who we are there.

`database.url` names the server without user and password; each process adds its own role.
"""

from pathlib import Path
from typing import Literal

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from gateway.settings import Settings, SettingsError

Role = Literal["owner", "api", "worker", "watcher", "admin"]
RUNTIME_ROLES: tuple[Role, ...] = ("api", "worker", "watcher")

EMBEDDED_DATABASE = "gateway"
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_BYTES_MAX = 107
"""`sun_path` of Linux holds 108 bytes with the closing zero."""
_DRIVER = "postgresql+psycopg"


def is_embedded(settings: Settings) -> bool:
    """Tell whether `gateway database` serves these settings."""
    return settings.database.url == "embedded"


def user_name(settings: Settings, role: Role) -> str:
    """Name the database user behind a role: `gw_api`; the administrator has their own name."""
    if role == "admin":
        return "postgres" if is_embedded(settings) else settings.database.admin_user
    return f"gw_{role}"


def role_url(settings: Settings, role: Role, *, database: str | None = None) -> URL:
    """Build the full address of a role, password included (its `str()` masks it).

    `database` replaces the name in the configuration: administration starts in `postgres`.
    """
    url = _server_url(settings).set(
        username=user_name(settings, role),
        password=settings.secret(f"database.{role}_password_file"),
    )
    return url.set(database=database) if database else url


def database_name(settings: Settings) -> str:
    """Name the database that holds our tables."""
    return _server_url(settings).database or EMBEDDED_DATABASE


def place(settings: Settings) -> str:
    """Describe the server in an error line, without user and password."""
    if is_embedded(settings):
        return f"embedded at {socket_directory(settings)}"
    return _server_url(settings).set(drivername="postgresql").render_as_string()


def socket_directory(settings: Settings) -> Path:
    """Folder of the embedded server's socket; refuses a path that no socket can have."""
    folder = settings.data_dir / "pg" / "run"
    if len(bytes(folder / SOCKET_NAME)) > SOCKET_PATH_BYTES_MAX:
        raise SettingsError(
            f"data_dir: {settings.data_dir} is too long for the database socket "
            f"({SOCKET_PATH_BYTES_MAX} bytes with /pg/run/{SOCKET_NAME})"
        )
    if "," in str(folder):
        raise SettingsError(f"data_dir: {settings.data_dir} has a comma, which libpq splits at")
    return folder


def _server_url(settings: Settings) -> URL:
    if is_embedded(settings):
        # In the query, because a path in the host's place does not survive being written out;
        # with the port, because PGPORT must not lead elsewhere.
        where = {"host": str(socket_directory(settings)), "port": "5432"}
        return URL.create(_DRIVER, database=EMBEDDED_DATABASE, query=where)
    return _external_url(settings.database.url)


def _external_url(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as fault:
        # The text itself stays out of the line: it may hold a password.
        raise SettingsError("database.url: not a postgresql://host[:port]/name URL") from fault
    if url.drivername not in {"postgresql", "postgres", _DRIVER} or not url.database:
        raise SettingsError('database.url: "embedded" or postgresql://host[:port]/name')
    if url.username or url.password:
        raise SettingsError("database.url: users and passwords do not belong in the URL")
    return url.set(drivername=_DRIVER)
