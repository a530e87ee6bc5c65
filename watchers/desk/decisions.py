"""Carries out what operators approved about this network's unattributed deposits."""

from dataclasses import dataclass

from gateway.db import CROSS_TENANT, Database
from gateway.deposits.service import Desk
from gateway.desk.carrying import carry_out
from watchers import store
from watchers.clock import now
from watchers.store import Position


@dataclass(slots=True)
class Decisions:
    """One network's approved resolutions, under its lease; `public_key` is the keystore's."""

    network: str
    database: Database
    position: Position
    public_url: str
    public_key: str

    async def round(self) -> bool:
        """Carry out what is approved; tell whether anything moved."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            desk = Desk(session, now(), self.public_url)
            return await carry_out(desk, self.network, self.public_key)
