"""One of the sender's slots: given back once, by whoever comes first."""

import asyncio


class Slot:
    """A place that was taken from a semaphore."""

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots: asyncio.Semaphore | None = slots

    def release(self) -> None:
        """Give it back; a second time nothing happens."""
        if self._slots is not None:
            self._slots.release()
            self._slots = None
