"""The watcher's composition root for time and randomness."""

import secrets
from datetime import UTC, datetime

from gateway.domain.moment import Moment


def now() -> Moment:
    """Return this instant with the system's randomness."""
    return Moment(datetime.now(UTC), secrets.token_bytes)
