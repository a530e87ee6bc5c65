"""The wall clock, as far as it can be believed: beside the time since boot, which nobody sets."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from keystore.refusal import Refused

APART = timedelta(minutes=5)
"""How far two clocks may differ: a time server that steps a healthy clock moves it by less."""


def since_boot() -> timedelta:
    """Return the time since the machine was started, also while it slept."""
    return timedelta(0, 0, time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000)


class Steady:
    """A wall clock that is not read while it runs ahead of the time since boot.

    Rows are final: one that was written under a date to come would let every approval expire.
    """

    def __init__(
        self, wall: Callable[[], datetime], boot: Callable[[], timedelta] = since_boot
    ) -> None:
        self._wall = wall
        self._boot = boot
        self._booted = wall() - boot()

    def __call__(self) -> datetime:
        """Return the wall clock's time; raise `Refused` (`clock_jumped`)."""
        at = self._wall()
        if at - self._boot() - self._booted > APART:
            raise Refused(
                "clock_jumped",
                "the clock was set forward since the start: nothing is signed until it is set "
                "right, or the keystore is started again under a clock that is right",
            )
        return at
