"""Whether a row still names the transaction that was signed for it.

Our scan goes by the hashes of rows. Whoever edits one has another transaction taken for ours, while
ours lands unseen: no end of it gives money back.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from gateway.models import Attempt

Verify = Callable[[Mapping[str, Any], bytes], str]
"""Returns the hash of bytes that say what an intent says, else raises `ValueError`."""
Edited = Callable[[Attempt], str | None]
"""Says in what a row is not its bytes; None: nothing."""
EDITED = "its row names another transaction than its signed bytes are: needs a person"
UNLIKE = "its row is not its signed bytes ({fault}): needs a person"


def by(verify: Verify | None) -> Edited:
    """Return who looks at a row; nobody does where bytes cannot be read."""
    return nothing if verify is None else partial(edited, verify)


def nothing(attempt: Attempt) -> None:
    """Believe the row."""
    del attempt


def edited(verify: Verify, attempt: Attempt) -> str | None:
    """Say in what a signed transaction's row is not its bytes."""
    try:
        named = verify(attempt.intent, attempt.raw or b"")
    except ValueError as fault:
        return UNLIKE.format(fault=fault)
    return None if named == attempt.tx_hash else EDITED
