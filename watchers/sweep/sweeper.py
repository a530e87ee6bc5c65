"""Pool addresses emptied, one committed step after the other; safe to kill anywhere.

A step's intent is committed together with the row that says which step it is; the payer signs
and sends it, the settler ends it at finality, and its keeper frees the row for the next step.
Whatever dies in between, the next run finds the row where it stood.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import update

from gateway.db import CROSS_TENANT, Database
from gateway.models import Currency, Sweep
from gateway.settings import NetworkSettings
from watchers import crash, store
from watchers.chain import Chain
from watchers.clock import now
from watchers.network import Incomplete, NodeUnavailable, Refused
from watchers.pay.slots import Slots, SlotTaken
from watchers.pay.transactions import HouseOrder, begin
from watchers.store import Position
from watchers.sweep import rows
from watchers.sweep.hands import STEPS, Hands, Held, Step, Underfunded, units_of
from watchers.sweep.jobs import Jobs, groups

log = structlog.get_logger()
BLOCKED_RETRY = timedelta(seconds=10)
GIVE_UP = timedelta(minutes=10)
"""A sweep whose money is not on its way makes room for others when it was refused for so long."""
REST = timedelta(minutes=30)
"""How long an address rests then, or after a failure."""
STEPS_MAX = 12
"""Transactions of one sweep: something that comes back more often needs a person."""
REASON_MAX = 300
RETURNING: Step = "returning"
BEFORE_MOVING = ("planned", "funding", "lending")


@dataclass(slots=True)
class Sweeper:
    """Carries one network's sweeps forward."""

    name: str
    settings: NetworkSettings
    chain: Chain
    currencies: Sequence[Currency]
    hands: Hands
    database: Database
    position: Position
    fee_is_alone: bool
    blocked_retry: timedelta = BLOCKED_RETRY
    give_up: timedelta = GIVE_UP
    slots: Slots = field(init=False)
    jobs: Jobs = field(init=False)
    _waited: dict[str, datetime] = field(default_factory=dict)
    """When a sweep was last seen to wait for what is no fault of its own."""

    def __post_init__(self) -> None:
        self.slots = Slots(self.name, self.chain, self.database)
        self.jobs = Jobs(
            self.name,
            self.settings,
            self.currencies,
            self.database,
            self.position,
            self.fee_is_alone,
        )

    async def round(self) -> bool:
        """Begin the next step of every sweep that waits for none; tell whether one was begun."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            sweeps = await rows.live(session, self.name)
            live = {each.id for each in sweeps}
            self._waited = {id_: at for id_, at in self._waited.items() if id_ in live}
            due = now().at - self.blocked_retry
            idle = [
                each
                for each in sweeps
                if each.order_id is None
                and (each.blocked_reason is None or each.updated_at < due)
            ]
            addresses = {each.address for each in idle}
            alone = await rows.failed_before(session, self.name, addresses) if idle else set()
        moved = False
        for group in groups(idle, alone, lambda each: self.hands.batch(self.jobs.asset(each))):
            moved |= await self._advance(group)
        return moved

    async def _advance(self, group: list[Sweep]) -> bool:
        """Find the step that comes next and commit it; an ended sweep rests."""
        for sweep in [each for each in group if each.steps >= STEPS_MAX]:
            await self._end(sweep, "it comes back again and again: needs a person")
            group.remove(sweep)
        if not group:
            return False
        try:
            return await self._next_step(group)
        except Underfunded as trouble:
            await self._back(group, str(trouble))
        except Refused as refusal:
            if len(group) == 1 and isinstance(refusal, Held):
                await self._wait(group, str(refusal))
            elif len(group) == 1:
                await self._block(group[0], str(refusal))
            # One that cannot be moved keeps nobody else back.
            return len(group) > 1 and any([await self._advance([each]) for each in group])
        except (SlotTaken, Incomplete, NodeUnavailable) as trouble:
            await self._wait(group, str(trouble))
        return False

    async def _next_step(self, group: Sequence[Sweep]) -> bool:
        failed = any(sweep.failure_reason is not None for sweep in group)
        for step in self._steps_after(group[0].state, failed=failed):
            job = await self.jobs.job(group, step)
            slot = await self.slots.next(self.hands.sender(step, job))
            if slot is None:
                return False
            order_id = now().id("swo")
            intent = await self.hands.prepare(step, job, order_id, slot)
            if intent is not None:
                purpose, sender = self.hands.purpose(step), self.hands.sender(step, job)
                order = HouseOrder(order_id, purpose, intent, sender, slot)
                return await self._begin(group, step, order)
        for sweep in group:
            await self._end(sweep, sweep.failure_reason)
        return False

    async def _begin(self, group: Sequence[Sweep], step: Step, order: HouseOrder) -> bool:
        """Commit the intent with the rows that it is for, unless they have moved on."""
        moment = now()
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            crash.around_commit(session, "sweep.prepared")
            sweeps = await rows.locked(session, Sweep.id.in_([sweep.id for sweep in group]))
            was = [(each.state, each.steps) for each in group]
            if [(each.state, each.steps) for each in sweeps] != was:
                return False
            await begin(session, self.name, order, moment)
            units = units_of(order.intent)
            for place, sweep in enumerate(sweeps):
                sweep.state, sweep.order_id, sweep.steps = step, order.order_id, sweep.steps + 1
                setattr(sweep, f"{step}_order", order.order_id)
                sweep.blocked_reason, sweep.updated_at = None, moment.at
                if step == "moving":
                    sweep.units = units[place]
        return True

    async def _back(self, group: Sequence[Sweep], reason: str) -> None:
        """Fund once more."""
        await self._write(group, state="planned", blocked_reason=None)
        log.info("sweep funded again", network=self.name, reason=reason)

    async def _wait(self, group: Sequence[Sweep], reason: str) -> None:
        """Say what it waits for, however long: it is no fault of its own."""
        self._waited |= dict.fromkeys([sweep.id for sweep in group], now().at)
        await self._write(group, blocked_reason=reason[:REASON_MAX])

    async def _block(self, sweep: Sweep, reason: str) -> None:
        """Say why it is refused; what does not come to move its money makes room after a while.

        One that began takes home first what was lent to it; what was sent ahead waits at its
        address for the next one.
        """
        if sweep.state in BEFORE_MOVING and await self._stood(sweep):
            if sweep.steps:
                await self._write([sweep], failure_reason=reason[:REASON_MAX])
            else:
                await self._end(sweep, reason)
        await self._write([sweep], blocked_reason=reason[:REASON_MAX])

    async def _stood(self, sweep: Sweep) -> bool:
        """Tell whether nothing of it was under way for long, and nothing of ours kept it back."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            idle = await rows.idle_since(session, sweep)
        since = max(idle, self._waited.get(sweep.id, idle))
        return since < now().at - self.give_up

    async def _write(self, group: Sequence[Sweep], **values: Any) -> None:
        ids = [sweep.id for sweep in group]
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            await session.execute(
                update(Sweep)
                .where(Sweep.id.in_(ids), Sweep.state.in_(rows.LIVE))
                .values(updated_at=now().at, **values)
            )

    async def _end(self, sweep: Sweep, failure: str | None) -> None:
        """End a sweep; what it did not move waits again."""
        moment = now()
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            crash.around_commit(session, "sweep.ended")
            [row] = await rows.locked(session, Sweep.id == sweep.id)
            if row.state not in rows.LIVE or row.order_id is not None:
                return
            row.state = "done" if failure is None else "failed"
            row.failure_reason, row.blocked_reason = failure, None
            row.ended_at = row.updated_at = moment.at
            if failure is not None:
                later = moment.at + REST
                await rows.leave(
                    session, row, moment.at, not_before=later, reason=failure[:REASON_MAX]
                )
        log.info(
            "sweep ended",
            network=self.name,
            sweep=sweep.id,
            cost=str(row.cost_units),
            failure=failure,
        )

    def _steps_after(self, state: str, *, failed: bool) -> Sequence[Step]:
        """Return the steps that are left; after a failure only what was lent is taken back.

        Taking back is repeated until the chain says that nothing is lent.
        """
        begun = STEPS.index(RETURNING) if state == RETURNING or failed else _place(state)
        return [step for step in STEPS[begun:] if step in self.hands.steps]


def _place(state: str) -> int:
    """Return how many steps a state has behind it."""
    return next((place + 1 for place, step in enumerate(STEPS) if step == state), 0)
