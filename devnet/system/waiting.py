"""Waiting for something to become true, with a name for what was waited for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE_SECONDS_FIRST, PAUSE_SECONDS_MAX = 0.03, 0.3


class Overdue(Exception):
    """What was waited for did not come; the message names it."""


async def until(
    probe: Callable[[], Awaitable[T | None]], what: str, *, seconds_max: float = 60.0
) -> T:
    """Ask until `probe` returns something other than None; raise `Overdue` naming `what`."""
    pause = PAUSE_SECONDS_FIRST
    try:
        async with asyncio.timeout(seconds_max):
            while (found := await probe()) is None:
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, PAUSE_SECONDS_MAX)
            return found
    except TimeoutError as late:
        raise Overdue(f"waited {seconds_max:g} s for {what}") from late
