"""What somebody else has at this moment: once more by itself, or by whoever asked."""

from collections.abc import Awaitable, Callable

import psycopg
import structlog
from sqlalchemy.exc import DBAPIError

log = structlog.get_logger()
AGAIN = 75
"""Exit code of a command that may be typed again as it was: EX_TEMPFAIL of sysexits.h."""
TRIES = 5
CHOSEN = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
"""What PostgreSQL undoes so that somebody else can go on."""


class TryAgain(Exception):
    """Why nothing was done this time, in one line; nothing is wrong with what was asked."""


async def repeated(what: str, work: Callable[[], Awaitable[None]]) -> None:
    """Do a transaction, and do it anew where PostgreSQL undid it for somebody else's.

    `work` opens the transaction, and looks at its rows again. Raises `TryAgain` after five.
    """
    for _ in range(TRIES):
        try:
            return await work()
        except DBAPIError as fault:
            if not isinstance(fault.orig, CHOSEN):
                raise
            log.warning("undone for somebody else, once more", what=what)
    raise TryAgain(f"{what}: the database is busy")
