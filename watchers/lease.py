"""The lease that makes a network one watcher's alone: waited for, renewed, given back."""

import asyncio
import os
import socket
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import DBAPIError

from gateway.db import CROSS_TENANT, Database
from watchers import store
from watchers.loops import TROUBLE, Loops
from watchers.store import Position

WAIT_SECONDS = 1.0
RENEWAL_SECONDS = 2.0
RELEASE_SECONDS = 3.0
"""A database that hangs must not keep a process that was told to stop."""
UNHEARD_SECONDS = 5.0
"""How long a watcher that froze within a transaction keeps the rows that the next one waits for."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Lease:
    """One network's lease row, seen by this process."""

    network: str
    database: Database
    loops: Loops
    release_seconds: float = RELEASE_SECONDS

    async def take(self) -> Position:
        """Wait until this network is ours alone."""
        holder = f"{socket.gethostname()}:{os.getpid()}"
        waiting = False
        while True:
            try:
                async with self.database.unit_of_work(CROSS_TENANT) as session:
                    position = await store.take_lease(session, self.network, holder)
            except TROUBLE as trouble:
                self.loops.report("lease", trouble)
                position = None
            if position is not None:
                return position
            if not waiting:
                log.info("another watcher holds the lease", network=self.network)
                waiting = True
            await asyncio.sleep(WAIT_SECONDS)

    async def renew(self, position: Position) -> None:
        """Hold it for another while."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.renew_lease(session, position)

    async def release(self, position: Position) -> None:
        """Give it back, so that the next watcher need not wait until it runs out."""
        try:
            async with (
                asyncio.timeout(self.release_seconds),
                self.database.unit_of_work(CROSS_TENANT) as session,
            ):
                await store.release_lease(session, position)
        except (DBAPIError, OSError) as trouble:
            cause = str(trouble) or type(trouble).__name__
            log.warning("lease kept until it runs out", network=self.network, cause=cause)
