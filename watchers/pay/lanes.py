"""Make the durable-nonce account of a network that needs one (Solana), once."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from gateway.db import CROSS_TENANT, Database
from gateway.models import ApplicationWallet, Attempt
from watchers import store
from watchers.chain import Chain
from watchers.clock import now
from watchers.network import NATIVE
from watchers.store import Position

LANE = 0
BLOCKHASH_LIFE = timedelta(minutes=3)
FEE_RESERVE_UNITS = 100_000
"""Lamports beyond the rent that the set-up's own fee may take."""


@dataclass(slots=True)
class Lanes:
    """Keeps lane 0 of one network in being. A set-up that died with its blockhash is made anew."""

    name: str
    chain: Chain
    database: Database
    position: Position

    async def round(self) -> None:
        """Prepare the set-up when the account is missing and the hot wallet can pay for it."""
        if self.chain.lanes is None or await self._under_way():
            return
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            query = select(ApplicationWallet).where(
                ApplicationWallet.network_id == self.name, ApplicationWallet.purpose == "hot"
            )
            hot = (await session.scalars(query)).one_or_none()
        if hot is None:
            return
        facts = await self.chain.lanes.nonce_setup(hot.address, LANE)
        if facts is None:
            return
        balance = await self.chain.reader.balance(hot.address, NATIVE)
        if balance < int(facts["lamports"]) + FEE_RESERVE_UNITS:
            return
        moment = now()
        attempt_id = moment.id("att")
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            session.add(
                Attempt(
                    id=attempt_id,
                    order_id=attempt_id,
                    network_id=self.name,
                    purpose="setup",
                    withdrawal_id=None,
                    intent={"family": "solana", **facts},
                    sender=hot.address,
                    state="prepared",
                    broadcasts=0,
                    created_at=moment.at,
                )
            )

    async def _under_way(self) -> bool:
        """Tell whether the lane is made or being made; give up a set-up whose blockhash died."""
        moment = now()
        query = (
            select(Attempt)
            .where(Attempt.network_id == self.name, Attempt.purpose == "setup")
            .order_by(Attempt.id.desc())
            .limit(1)
            .with_for_update()
        )
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            last = (await session.scalars(query)).one_or_none()
            if last is None or last.state == "failed":
                return False
            dead = last.created_at < moment.at - BLOCKHASH_LIFE
            if last.state in ("prepared", "signed") and dead:
                last.state, last.success, last.ended_at = "failed", False, moment.at
                return last.raw is None
            return True
