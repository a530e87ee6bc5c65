"""Keep the durable-nonce accounts of a network that needs them (Solana) in being.

A payout stands on one lane until it is final, so lanes bound how many are under way. They are
made one after another, each once. A lane whose value was signed for, by something that will not
land, moves no more: another takes its turn.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select

from gateway.db import CROSS_TENANT, Database
from gateway.models import ApplicationWallet, Attempt
from watchers import crash, store
from watchers.chain import Chain
from watchers.clock import now
from watchers.network import NATIVE, NonceLanes, Refused
from watchers.pay.estranged import Estranged
from watchers.pay.slots import OPEN, free_lanes, spent_values
from watchers.store import Position

log = structlog.get_logger()
LANES_MAX = 16
"""As many as the keystore derives."""
BLOCKHASH_LIFE = timedelta(minutes=3)
DEAD_PAUSE = timedelta(seconds=30)
FEE_RESERVE_UNITS = 100_000
"""Lamports beyond the rent that the set-up's own fee may take."""


@dataclass(slots=True)
class Lanes:
    """Keeps the first `wanted` lanes of one network. A set-up that died is made anew."""

    name: str
    chain: Chain
    database: Database
    position: Position
    wanted: int = 1
    _standing: set[int] = field(default_factory=set)
    _dead: set[str] = field(default_factory=set)
    _looked_at: datetime | None = None
    _lost: list[str] = field(default_factory=list)
    estranged: Estranged = field(init=False)

    def __post_init__(self) -> None:
        self.estranged = Estranged(self.name, self.chain, self.database)

    async def round(self) -> None:
        """Prepare the next set-up when one is missing and the hot wallet can pay for it.

        Raises `Refused` in the end where a stranger moved a lane that an order of ours stands on.
        """
        lanes = self.chain.lanes
        if lanes is None:
            return
        await self._keep(lanes)
        if self._lost:
            raise Refused(self._lost[0])

    async def _keep(self, lanes: NonceLanes) -> None:
        if await self._under_way():
            return
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            query = select(ApplicationWallet.address).where(
                ApplicationWallet.network_id == self.name, ApplicationWallet.purpose == "hot"
            )
            hot = await session.scalar(query)
        if hot is None:
            return
        await self._bury(lanes)
        for lane in range(min(LANES_MAX, self.wanted + len(self._dead))):
            if lane not in self._standing and not await self._made(lanes, hot, lane):
                return

    async def _made(self, lanes: NonceLanes, hot: str, lane: int) -> bool:
        """Tell whether a lane stands; begin to make it where it does not."""
        address = lanes.lane_address(hot, lane)
        await self._know(address, lane)
        facts = await lanes.nonce_setup(hot, lane)
        if facts is None:
            self._standing.add(lane)
            return True
        balance = await self.chain.reader.balance(hot, NATIVE)
        if balance < int(facts["lamports"]) + FEE_RESERVE_UNITS:
            return False
        moment = now()
        attempt_id = moment.id("att")
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            crash.around_commit(session, "lane.prepared")
            session.add(
                Attempt(
                    id=attempt_id,
                    order_id=attempt_id,
                    network_id=self.name,
                    purpose="setup",
                    withdrawal_id=None,
                    intent={"family": "solana", **facts},
                    sender=hot,
                    nonce_account=address,
                    state="prepared",
                    broadcasts=0,
                    created_at=moment.at,
                )
            )
        return False

    async def _know(self, address: str, lane: int) -> None:
        """Write the lane's account among the wallets of the house."""
        moment = now()
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            known = select(ApplicationWallet.id).where(
                ApplicationWallet.network_id == self.name, ApplicationWallet.address == address
            )
            if await session.scalar(known) is None:
                session.add(
                    ApplicationWallet(
                        id=moment.id("awl"),
                        network_id=self.name,
                        purpose="nonce",
                        address=address,
                        path=f"gw-nonce-{lane}",
                        next_nonce=None,
                        created_at=moment.at,
                    )
                )

    async def _bury(self, lanes: NonceLanes) -> None:
        """Count the lanes whose value was signed for by what has ended or is not sent."""
        at = now().at
        if self._looked_at is not None and at < self._looked_at + DEAD_PAUSE:
            return
        self._looked_at = at
        self._lost = await self.estranged.look(lanes)
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            free = await free_lanes(session, self.name)
            spent = await spent_values(session, self.name)
            lost = select(Attempt.nonce_account).where(
                Attempt.network_id == self.name,
                Attempt.purpose == "lost",
                Attempt.state.in_(OPEN),
                Attempt.nonce_account.is_not(None),
            )
            held = {each for each in await session.scalars(lost) if each is not None}
        used = {account for account, _ in spent}
        dead = set(held)
        for lane in free:
            if lane in used and (lane, await lanes.nonce_account_state(lane)) in spent:
                dead.add(lane)
        for lane in sorted(dead - self._dead):
            log.warning("a lane stands still", network=self.name, lane=lane)
        self._dead = dead

    async def _under_way(self) -> bool:
        """Tell whether a lane is being made; give up a set-up whose blockhash died."""
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
            if last is None or last.state not in OPEN:
                return False
            dead = last.created_at < moment.at - BLOCKHASH_LIFE
            if last.state != "included" and dead:
                last.state, last.success, last.ended_at = "failed", False, moment.at
                return last.raw is None
            return True
