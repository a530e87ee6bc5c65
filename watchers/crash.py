"""Named places where a campaign kills this process: `GATEWAY_CRASH_AT=payout.signed.before[:n]`.

Without that variable nothing here does anything. With it, the process dies by SIGKILL the `n`th
time it comes to the place, as in a power cut: nothing is rolled back, closed or said. Every
transaction, request and broadcast on the way of money out has such places; `tests/crash` goes
through all of them. A name that is not declared here stops the process at its start.
"""

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

VARIABLE = "GATEWAY_CRASH_AT"
COMMITS = (
    "payout.claim",
    "payout.prepared",
    "adoption.taken",
    "lane.prepared",
    "payout.signed",
    "payout.refused",
    "payout.noted",
    "payout.included",
    "payout.settled",
    "cancel.closed",
    "sweep.begun",
    "sweep.prepared",
    "sweep.ended",
    "house.prepared",
)
"""Transactions: each has a place before its commit and one after it."""
STEPS = (
    "adoption.reading",
    "keystore.asking",
    "keystore.answered",
    "lane.asking",
    "lane.answered",
    "broadcast.sending",
    "broadcast.sent",
)
"""Requests and answers."""
SIDES = ("before", "after")
POINTS = frozenset({*STEPS, *(f"{name}.{side}" for name in COMMITS for side in SIDES)})


class UnknownPoint(Exception):
    """The variable names a place that this program does not have."""


@dataclass(slots=True)
class Trigger:
    """Where to die, and how many times to pass there alive first."""

    point: str
    passes_left: int

    def reach(self, name: str) -> None:
        """Die where this is the place and the time has come."""
        if name != self.point:
            return
        if self.passes_left:
            self.passes_left -= 1
            return
        os.write(2, f"crash: {name}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)


def read(environment: Mapping[str, str]) -> Trigger | None:
    """Return what the environment asks for; None where it asks for nothing.

    Raises `UnknownPoint` with one line.
    """
    text = environment.get(VARIABLE, "")
    if not text:
        return None
    name, _, turn = text.partition(":")
    if name not in POINTS or not (turn or "1").isdecimal() or turn == "0":
        raise UnknownPoint(f"{VARIABLE}: {text!r} is not a declared point, or not name[:n]")
    return Trigger(name, int(turn or "1") - 1)


def _from_environment() -> Trigger | None:
    try:
        return read(os.environ)
    except UnknownPoint as fault:
        sys.exit(f"watchers: {fault}")


_trigger = _from_environment()


def reach(name: str) -> None:
    """Come to a place."""
    if _trigger is not None:
        _trigger.reach(name)


def around_commit(session: AsyncSession, name: str) -> None:
    """Come to `NAME.before` right before this transaction commits, to `NAME.after` after it."""
    if _trigger is None or session.info.get(__name__) == name:
        return
    session.info[__name__] = name
    _around(session.sync_session, name, _trigger)


def _around(session: Session, name: str, trigger: Trigger) -> None:
    # A savepoint's end is no commit, and is told to the same listeners.
    def before(committing: Session) -> None:
        if not committing.in_nested_transaction():
            trigger.reach(f"{name}.before")

    def after(committing: Session) -> None:
        if not committing.in_nested_transaction():
            trigger.reach(f"{name}.after")

    event.listen(session, "before_commit", before)
    event.listen(session, "after_commit", after)
