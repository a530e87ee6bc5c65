"""Comparing the chain with our books, round by round, at final blocks only.

A native difference above zero is money that arrived without a transfer: it is traced to its
block and credited there. Everything else that is not as it should be is a drift: payouts of the
asset wait until it is gone or an operator bears it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy.dialects.postgresql import insert

from gateway.db import CROSS_TENANT
from gateway.models import Currency, ReconciliationMark
from watchers import store
from watchers.chain import asset_of
from watchers.clock import now
from watchers.network import NATIVE
from watchers.reconcile import books, outcome
from watchers.reconcile.balances import Holding, Observation
from watchers.reconcile.credit import Credits
from watchers.reconcile.rules import Difference, Tally, compare

log = structlog.get_logger()
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
    _tally: Tally = field(default_factory=Tally, init=False)
    _last: int | None = field(default=None, init=False)
    """Last pool row of the turn so far; None between two turns."""
    rest: datetime | None = field(default=None, init=False)
    """When the next turn is due; None at once."""
    _waiting: tuple[Portion, Observation] | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        """Return the network."""
        return self.credits.name

    @property
    def currencies(self) -> dict[str, Currency]:
        """Return the network's currencies by asset."""
        return {asset_of(currency): currency for currency in self.credits.currencies}

    @property
    def waits_for_scan(self) -> bool:
        """Tell whether a state was read that our own scan has yet to reach."""
        return self._waiting is not None

    async def round(self) -> bool:
        """Compare one portion; return whether there is more right away.

        While the nodes contradict what was final, their balances are those of another chain.
        """
        final = await self._final()
        if final is None:
            return False
        height, time = final
        if self._waiting is None:
            portion = await self._next_portion(time)
            if portion is None:
                return False
            wanted = self._holdings(portion)
            self._waiting = portion, await self.credits.observe(wanted, height)
        portion, observation = self._waiting
        if observation.high > height:
            return False  # read from a state that our own scan has yet to reach
        if not await self._judge(portion, observation):
            return False
        self._waiting = None
        await self._advance(portion)
        return True

    async def _final(self) -> tuple[int, datetime] | None:
        """Return height and time of our newest final block; None where the network is halted."""
        async with self.credits.database.unit_of_work(CROSS_TENANT) as session:
            position = await store.position_of(session, self.name)
            height = 0 if position is None else position.final_height
            block = await store.block_at_or_below(session, self.name, height)
        if position is not None and position.halted is not None:
            self._waiting = None
            return None
        if block is None:
            raise LookupError(f"{self.name}: no final block is stored")
        # A node may lie about time: nothing is over before our own clock agrees.
        return block.height, min(block.block_time, now().at)

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

    def _holdings(self, portion: Portion) -> list[Holding]:
        return [
            Holding(address, asset)
            for address in portion.addresses
            for asset in self.currencies
        ]

    async def _judge(self, portion: Portion, observation: Observation) -> bool:
        """Explain what differs; False where that has to wait for the keystore's history.

        Before it is read, money without a transfer may be the change or the rent of a
        transaction of ours that a restored database forgot.
        """
        wanted = self._holdings(portion)
        async with self.credits.database.unit_of_work(CROSS_TENANT) as session:
            expected = await books.expectations(
                session,
                self.name,
                self.credits.currencies,
                portion.addresses,
                (observation.low, observation.high),
                fee_is_alone=self.credits.balances.fee_is_alone,
            )
            compared = compare(wanted, observation, expected)
            arrived = any(self._silent(each) for each in compared.differences)
            if arrived and not self.credits.history_known():
                return False
            await outcome.forget(session, self.name, self.currencies, compared.right)
        for difference in compared.differences:
            await self._explain(difference, observation.high)
        self._tally.open |= compared.open
        self._tally.addresses += len(portion.addresses)
        return True

    def _silent(self, difference: Difference) -> bool:
        """Tell whether a difference may be money that blocks do not show."""
        native = difference.holding.asset == NATIVE
        return difference.units > 0 and native and self.credits.balances.credits

    async def _explain(self, difference: Difference, height: int) -> None:
        """Credit what arrived silently; note as a drift what did not."""
        holding, held, left = difference.holding, difference.held, difference.units
        if self._silent(difference):
            left, reason = await self.credits.credit(holding, height, held)
        else:
            moves = await self.credits.moves(holding)
            found = await self.credits.trace(holding, height, held, moves)
            reason = f"since block {found.height}"
        async with self.credits.database.unit_of_work(CROSS_TENANT) as session:
            currency = self.currencies[holding.asset]
            if not left:
                await outcome.forget(session, self.name, self.currencies, [holding])
                return
            log.warning("drift", address=holding.address, units=str(left), reason=reason)
            await outcome.note(session, currency, holding.address, left, reason)
        self._tally.drifts[holding] = left

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
            self._tally,
            fee_is_alone=credits_.balances.fee_is_alone,
        )
        self._tally, self._last = Tally(), None
        self.rest = now().at + timedelta(seconds=self.pause_seconds)

    async def _mark(self, through: datetime) -> None:
        values = {"expiries_through": through}
        async with self.credits.database.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                insert(ReconciliationMark)
                .values(network_id=self.name, **values)
                .on_conflict_do_update(index_elements=["network_id"], set_=values)
            )
