"""What a step of a sweep is about: which addresses go together, what is final there, what it may cost."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.domain.money import to_units
from gateway.models import Currency, Sweep
from gateway.settings import NetworkSettings
from watchers import store
from watchers.chain import asset_of
from watchers.network import NATIVE, Refused
from watchers.pay import holds, pauses
from watchers.reconcile.balances import Holding
from watchers.reconcile.rules import NOTHING
from watchers.store import Position
from watchers.sweep import rows
from watchers.sweep.hands import Held, Job, Source, Step


@dataclass(frozen=True, slots=True)
class Jobs:
    """Reads the jobs of one network from our rows."""

    name: str
    settings: NetworkSettings
    currencies: Sequence[Currency]
    database: Database
    position: Position
    fee_is_alone: bool

    async def job(self, group: Sequence[Sweep], step: Step) -> Job:
        """Say what is swept, by our rows at the final height.

        Raises `Held`, and `Refused` for what is not final.
        """
        addresses = [sweep.address for sweep in group]
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            wallets = await rows.wallets(session, self.name)
            balances = await rows.final_balances(
                session, self.name, self.currencies, addresses, fee_is_alone=self.fee_is_alone
            )
            held = None
            if step != "returning":
                held = await self._held(session, group)
        currency = self.currency(group[0])
        if held is not None:
            raise Held(held)
        sources = []
        for sweep in group:
            if step != "returning" and rows.unsettled(balances, sweep.address, self.currencies):
                raise Refused(f"something at {sweep.address} is not final yet")
            found = balances.get(Holding(sweep.address, asset_of(currency)), NOTHING)
            sources.append(Source(sweep.pool_index, sweep.address, found.base))
        return Job(
            asset=currency.contract or NATIVE,
            decimals=currency.decimals,
            hot=wallets.get("hot", "") if is_beside(group[0]) else group[0].destination,
            gas=wallets.get("gas", ""),
            cost_max=self._cost_max(group),
            sources=tuple(sources),
            beside=is_beside(group[0]),
        )

    def currency(self, sweep: Sweep) -> Currency:
        """Return what a sweep moves."""
        return next(each for each in self.currencies if each.id == sweep.currency_id)

    def asset(self, sweep: Sweep) -> str:
        """Return what a sweep moves, as the chain names it."""
        return self.currency(sweep).contract or NATIVE

    def _cost_max(self, group: Sequence[Sweep]) -> int:
        """Return the most that one transaction may take: what all were chosen for, or the ceiling."""
        native = next(each for each in self.currencies if each.contract is None)
        ceiling = to_units(self.settings.fee_ceiling, native.decimals)
        limits = [each.cost_limit_units for each in group]
        return min(ceiling, sum(ceiling if each is None else each for each in limits))

    async def _held(self, session: AsyncSession, group: Sequence[Sweep]) -> str | None:
        """Return why these are left alone now: a hold on the asset or an address, a pause.

        Or what was sent ahead, or lent, and has to land once more since its chain was rewritten.
        """
        currency_id = group[0].currency_id
        awaited = await rows.awaited(session, self.name)
        for sweep in group:
            if sweep.address in awaited:
                return f"what was sent ahead to {sweep.address} is on its way"
            held = await holds.reason_against(session, currency_id, sweep.address)
            if held is not None:
                return held
        return await pauses.reason_against(session, self.name, currency_id, None)


def is_beside(sweep: Sweep) -> bool:
    """Tell whether a sweep brings tokens from beside its address's canonical account into it."""
    return sweep.destination == sweep.address


def groups(
    sweeps: Sequence[Sweep],
    alone: Collection[tuple[str, str]],
    size_of: Callable[[Sweep], int],
) -> Iterator[list[Sweep]]:
    """Put together what one transaction may empty: the same asset, the same step.

    `alone` are (currency, address) that failed before: one coin sent to such an address fails
    every transaction that it is part of. What stays at its address goes alone too.
    """

    def alike(sweep: Sweep) -> tuple[str, str, bool]:
        return sweep.currency_id, sweep.state, sweep.failure_reason is not None

    suspects = [
        each for each in sweeps if (each.currency_id, each.address) in alone or is_beside(each)
    ]
    yield from ([each] for each in suspects)
    others = [each for each in sweeps if each not in suspects]
    for _, each in groupby(sorted(others, key=alike), key=alike):
        together = list(each)
        size = size_of(together[0])
        for first in range(0, len(together), size):
            yield together[first : first + size]
