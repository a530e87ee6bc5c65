"""Hears of new deliveries wherever they are committed, so that the sender need not look all the time."""

from collections.abc import Callable

from gateway.db import Database
from gateway.webhooks.outbox import DELIVERIES_CHANNEL
from gateway.webhooks.sender import Sender


async def hear(database: Database, sender: Sender, hears: Callable[[], None]) -> None:
    """Wake the sender whenever a delivery is committed anywhere, until the connection breaks.

    `hears` is called as soon as there is one. A payload is the id of an endpoint that was repaired.
    """
    async with database.listening(DELIVERIES_CHANNEL) as driver:
        hears()
        sender.wake.set()  # for what was committed while nobody listened
        async for told in driver.notifies():
            if told.payload:
                sender.forgive(told.payload)
            sender.wake.set()
