"""Some addresses compared with the books at a final block: what differs is credited or drifts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from gateway.db import CROSS_TENANT
from gateway.models import Currency
from watchers import store
from watchers.chain import asset_of
from watchers.clock import now
from watchers.network import NATIVE
from watchers.reconcile import books, outcome
from watchers.reconcile.balances import Holding, Observation
from watchers.reconcile.credit import Credits
from watchers.reconcile.rules import Difference, Tally, compare

log = structlog.get_logger()


@dataclass(slots=True)
class Comparison:
    """Compares addresses of one network; `tally` collects what was found.

    What was read from a state that our own scan has yet to reach waits for it.
    """

    credits: Credits
    tally: Tally = field(default_factory=Tally)
    _waiting: tuple[Sequence[str], Observation] | None = field(default=None, init=False)

    @property
    def currencies(self) -> dict[str, Currency]:
        """Return the network's currencies by asset."""
        return {asset_of(currency): currency for currency in self.credits.currencies}

    @property
    def waits(self) -> bool:
        """Tell whether something was read that is not compared yet."""
        return self._waiting is not None

    async def final(self) -> tuple[int, datetime] | None:
        """Return height and time of our newest final block; None where the network is halted.

        While the nodes contradict what was final, their balances are those of another chain.
        """
        name = self.credits.name
        async with self.credits.database.unit_of_work(CROSS_TENANT) as session:
            position = await store.position_of(session, name)
            height = 0 if position is None else position.final_height
            block = await store.block_at_or_below(session, name, height)
        if position is not None and position.halted is not None:
            self._waiting = None
            return None
        if block is None:
            raise LookupError(f"{name}: no final block is stored")
        # A node may lie about time: nothing is over before our own clock agrees.
        return block.height, min(block.block_time, now().at)

    async def read(self, addresses: Sequence[str], height: int) -> None:
        """Read what these addresses hold, in every asset."""
        wanted = self._holdings(addresses)
        self._waiting = addresses, await self.credits.observe(wanted, height)

    async def compare(self, height: int) -> bool:
        """Explain what was read, by our rows up to `height`; False where that has to wait."""
        if self._waiting is None:
            return True
        addresses, observation = self._waiting
        if observation.high > height:
            return False
        if not await self._judge(addresses, observation):
            return False
        self._waiting = None
        return True

    def _holdings(self, addresses: Sequence[str]) -> list[Holding]:
        return [Holding(address, asset) for address in addresses for asset in self.currencies]

    async def _judge(self, addresses: Sequence[str], observation: Observation) -> bool:
        """Explain what differs; False where that has to wait for the keystore's history.

        Before it is read, money without a transfer may be the change or the rent of a
        transaction of ours that a restored database forgot.
        """
        name, wanted = self.credits.name, self._holdings(addresses)
        async with self.credits.database.unit_of_work(CROSS_TENANT) as session:
            expected = await books.expectations(
                session,
                name,
                self.credits.currencies,
                addresses,
                (observation.low, observation.high),
                fee_is_alone=self.credits.balances.fee_is_alone,
            )
            compared = compare(wanted, observation, expected)
            arrived = any(self._silent(each) for each in compared.differences)
            if arrived and not self.credits.history_known():
                return False
            await outcome.forget(session, name, self.currencies, compared.right)
        for difference in compared.differences:
            await self._explain(difference, observation.high)
        self.tally.open |= compared.open
        self.tally.addresses += len(addresses)
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
                await outcome.forget(session, self.credits.name, self.currencies, [holding])
                return
            log.warning("drift", address=holding.address, units=str(left), reason=reason)
            await outcome.note(session, currency, holding.address, left, reason)
        self.tally.drifts[holding] = left
