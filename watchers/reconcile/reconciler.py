"""Comparing the chain with our books, round by round, at final blocks only.

A native difference above zero is money that arrived without a transfer: it is traced to its
block and credited there. Everything else that is not as it should be is a drift: payouts of the
asset wait until it is gone or an operator bears it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.dialects.postgresql import insert

from gateway.db import CROSS_TENANT
from gateway.models import ReconciliationMark
from watchers.clock import now
from watchers.reconcile import books, outcome
from watchers.reconcile.comparison import Comparison
from watchers.reconcile.credit import Credits
from watchers.reconcile.rules import Tally

PORTION = 400
"""Addresses of one observation; each is read in every asset."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Addresses that are compared together.

    `turn` is the last pool row of a portion that belongs to the turn; `expired` is how far
    expired invoices are done after it.
    """

    addresses: Sequence[str]
    turn: int | None = None
    expired: datetime | None = None


@dataclass(slots=True)
class Reconciler:
    """Compares one network's live addresses and wallets with the books, turn after turn.

    A turn takes the house's wallets and what drifts, then every pool address that has an open
    invoice or ever received anything. Addresses of invoices that expired come first, several times.
    """

    credits: Credits
    pause_seconds: int
    rest: datetime | None = field(default=None, init=False)
    """When the next turn is due; None at once."""
    _comparison: Comparison = field(init=False)
    _portion: Portion | None = field(default=None, init=False)
    """What was read and is not compared yet."""
    _last: int | None = field(default=None, init=False)
    """Last pool row of the turn so far; None between two turns."""

    def __post_init__(self) -> None:
        self._comparison = Comparison(self.credits)

    @property
    def name(self) -> str:
        """Return the network."""
        return self.credits.name

    @property
    def waits_for_scan(self) -> bool:
        """Tell whether a state was read that our own scan has yet to reach."""
        return self._comparison.waits

    async def round(self) -> bool:
        """Compare one portion; return whether there is more right away."""
        final = await self._comparison.final()
        if final is None:
            return False
        height, time = final
        if not self._comparison.waits:
            self._portion = await self._next_portion(time)
            if self._portion is None:
                return False
            await self._comparison.read(self._portion.addresses, height)
        if self._portion is None or not await self._comparison.compare(height):
            return False
        await self._advance(self._portion)
        return True

    async def _next_portion(self, time: datetime) -> Portion | None:
        """Return what is compared next: expired invoices first, then the turn where it is due."""
        expired = await self._expired(time)
        if expired is not None:
            return expired
        async with self.credits.database.unit_of_work(CROSS_TENANT) as session:
            if self._last is None:
                if self.rest is not None and now().at < self.rest:
                    return None
                self._last = 0
                drifting = await outcome.drifting(session, self.name)
                wallets = await books.application_wallets(session, self.name)
                first = {*wallets, *(drift.address for drift in drifting)}
                if first:
                    return Portion(sorted(first), turn=0)
            live = await books.live_addresses(session, self.name, self._last, PORTION)
        return Portion([address for _, address in live], turn=live[-1][0] if live else None)

    async def _expired(self, time: datetime) -> Portion | None:
        """Return addresses whose invoice expired before the final block's time, once each."""
        async with self.credits.database.unit_of_work(CROSS_TENANT) as session:
            mark = await books.mark_of(session, self.name)
            if mark is not None and mark >= time:
                return None
            found = (
                []
                if mark is None
                else await books.expired_addresses(session, self.name, mark, time, PORTION)
            )
        through = found[-1][0] if len(found) >= PORTION else time
        if not found:
            await self._mark(through)
            return None
        return Portion(sorted({address for _, address in found}), expired=through)

    async def _advance(self, portion: Portion) -> None:
        if portion.expired is not None:
            await self._mark(portion.expired)
            return
        if portion.turn is not None:
            self._last = portion.turn
            return
        credits_ = self.credits
        await outcome.conclude(
            credits_.database,
            self.name,
            credits_.currencies,
            self._comparison.tally,
            fee_is_alone=credits_.balances.fee_is_alone,
        )
        self._comparison.tally, self._last = Tally(), None
        self.rest = now().at + timedelta(seconds=self.pause_seconds)

    async def _mark(self, through: datetime) -> None:
        values = {"expiries_through": through}
        async with self.credits.database.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                insert(ReconciliationMark)
                .values(network_id=self.name, **values)
                .on_conflict_do_update(index_elements=["network_id"], set_=values)
            )
