"""One withdrawal, one intent, one slot: what is decided from rows that were signed before. Pure."""

from collections.abc import Callable, Sequence

from keystore.entries import Answer, Taken
from keystore.refusal import Refused

Replaces = Callable[[bytes], bool]
"""Whether a new intent may stand in the place of the one given."""


def never(_: bytes) -> bool:
    """Say that one intent is all a withdrawal gets."""
    return False


def recalled(
    taken: Sequence[Taken], withdrawal_id: str, intent: bytes, replaces: Replaces
) -> Answer | None:
    """Return the answer to this very intent; None where it is new.

    Raises `Refused` (`intent_conflict`) where it may not stand in the place of the newest.
    """
    for each in taken:
        if each.intent == intent:
            return each.answer
    if taken and not replaces(taken[-1].intent):
        raise Refused(
            "intent_conflict", f"{withdrawal_id} was signed already with another intent"
        )
    return None


def require_same_past(newest: int, known: int | None) -> None:
    """Refuse a caller who knows of more or fewer payments than were signed; None is not asked."""
    if known is not None and known < newest:
        raise Refused(
            "database_behind",
            f"known: {newest} payments were signed, not {known}: read them",
        )
    if known is not None and known > newest:
        raise Refused(
            "journal_behind",
            f"known: this journal has {newest} payments, not {known}: keystore merge takes in "
            "what it lacks",
        )


def require_free(
    slot: str, owner: str | None, withdrawal_id: str, taken: Sequence[Taken]
) -> None:
    """Refuse a slot that belongs to another withdrawal, and a second slot for one."""
    if owner is not None and owner != withdrawal_id:
        raise Refused("slot_taken", f"{withdrawal_id}: {slot} already belongs to {owner}")
    if taken and taken[0].slot != slot:
        raise Refused("slot_taken", f"{withdrawal_id}: has its slot already: {taken[0].slot}")
