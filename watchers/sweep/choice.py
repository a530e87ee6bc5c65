"""Looking at what waits at pool addresses, and beginning what is worth a sweep."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.addresses.signature import SignedAddress, is_genuine
from gateway.db import CROSS_TENANT, Database
from gateway.domain.moment import Moment
from gateway.models import AddressPool, Currency, Sweep, Unswept
from gateway.settings import NetworkSettings
from watchers import crash, store
from watchers.chain import asset_of
from watchers.clock import now
from watchers.network import NATIVE
from watchers.pay import holds, pauses
from watchers.reconcile.balances import Holding
from watchers.reconcile.rules import NOTHING
from watchers.store import Position
from watchers.sweep import rows
from watchers.sweep.hands import Hands
from watchers.sweep.plan import Candidate, Decision, Standing, plan
from watchers.sweep.worth import Worth, prices_now

log = structlog.get_logger()
LOOK_AGAIN = timedelta(seconds=30)


@dataclass(slots=True)
class Choice:
    """Chooses for one network; `public_key` is the keystore's, which signed every pool row."""

    name: str
    settings: NetworkSettings
    currencies: Sequence[Currency]
    hands: Hands
    database: Database
    position: Position
    public_key: str
    fee_is_alone: bool
    look_again: timedelta = LOOK_AGAIN
    worth: Worth = field(init=False)

    def __post_init__(self) -> None:
        self.worth = Worth(self.settings, self.currencies)

    async def round(self) -> int:
        """Begin what is worth it; return how many sweeps were begun."""
        moment = now()
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            waiting = await rows.waiting(session, self.name, moment.at, self.look_again)
            if not waiting:
                return 0
            candidates = await self._candidates(session, waiting, moment)
            standing = await self._standing(session, moment)
            gas = (await rows.wallets(session, self.name)).get("gas", "")
        candidates = [await self._priced(each, gas) for each in candidates]
        price = self.settings.sweeping.gas_price_max
        if price is not None and await self.hands.gas_price() > price:
            standing = replace(standing, dear=True)
        decisions = plan(candidates, self.worth.terms(), standing)
        return await self._begin(decisions, moment)

    async def _candidates(
        self, session: AsyncSession, waiting: Sequence[Unswept], moment: Moment
    ) -> list[Candidate]:
        """Compare what waits with the books; what is not there or not genuine is left out."""
        addresses = {row.address for row in waiting}
        genuine = await self._genuine(session, addresses)
        balances = await rows.final_balances(
            session, self.name, self.currencies, addresses, fee_is_alone=self.fee_is_alone
        )
        known = await prices_now(session, moment)
        by_id = {currency.id: currency for currency in self.currencies}
        found = []
        for row in waiting:
            currency = by_id.get(row.currency_id)
            if currency is None or row.address not in genuine:
                continue
            held = balances.get(Holding(row.address, asset_of(currency)), NOTHING)
            found.append(
                Candidate(
                    currency_id=row.currency_id,
                    address=row.address,
                    index=genuine[row.address],
                    units=held.base,
                    since=row.since,
                    native=currency.contract is None,
                    value=self.worth.value(currency, held.base, known),
                    cost=0,
                    unsettled=rows.unsettled(balances, row.address, self.currencies),
                )
            )
        return found

    async def _genuine(self, session: AsyncSession, addresses: set[str]) -> dict[str, int]:
        """Return the pool index of addresses whose rows the keystore signed."""
        query = select(AddressPool).where(
            AddressPool.network_id == self.name, AddressPool.address.in_(addresses)
        )
        return {
            row.address: row.index
            for row in await session.scalars(query)
            if is_genuine(
                SignedAddress(row.network_id, row.index, row.path, row.address, row.signature),
                self.public_key,
            )
        }

    async def _standing(self, session: AsyncSession, moment: Moment) -> Standing:
        held = await holds.of_network(session, self.name)
        frozen = {(hold.currency_id, hold.address) for hold in held if hold.address}
        assets = {hold.currency_id for hold in held if not hold.address}
        for currency in self.currencies:
            if await pauses.reason_against(session, self.name, currency.id, None) is not None:
                assets.add(currency.id)
        keeping = {each.id for each in self.currencies if each.fee_on_transfer}
        awaited = await rows.awaited(session, self.name)
        # What is held in the middle of its way waits as long as it takes, and takes no place.
        kept_back = [
            sweep
            for sweep in await rows.live(session, self.name)
            if sweep.order_id is None
            and (
                sweep.currency_id in assets | keeping
                or sweep.address in awaited
                or (sweep.currency_id, sweep.address) in frozen
            )
        ]
        return Standing(
            now=moment.at,
            live=await rows.busy(session, self.name),
            held=assets,
            frozen=frozen,
            at_once=self.settings.sweeping.at_once + len(kept_back),
            keeping=keeping,
        )

    async def _priced(self, candidate: Candidate, gas: str) -> Candidate:
        """Add what moving it takes, where it may move at all."""
        if candidate.units <= 0 or candidate.unsettled:
            return candidate
        currency = next(each for each in self.currencies if each.id == candidate.currency_id)
        cost = await self.hands.cost(currency.contract or NATIVE, candidate.address, gas)
        return replace(candidate, cost=cost)

    async def _begin(self, decisions: Sequence[Decision], moment: Moment) -> int:
        """Write the sweeps, and on the others why they wait."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            if any(decision.sweep for decision in decisions):
                crash.around_commit(session, "sweep.begun")
            wallets = await rows.wallets(session, self.name)
            live = await rows.busy(session, self.name)
            for decision in decisions:
                each = decision.candidate
                row = await session.get(
                    Unswept, (each.currency_id, each.address), with_for_update=True
                )
                if row is None:
                    continue
                if each.units <= 0 and not each.unsettled:
                    await session.delete(row)
                elif decision.sweep and each.address not in live:
                    session.add(self._sweep(decision, wallets["hot"], moment))
                    await session.delete(row)
                else:
                    row.reason, row.looked_at = decision.reason, moment.at
        begun = [decision for decision in decisions if decision.sweep]
        for decision in begun:
            log.info(
                "sweep begun",
                network=self.name,
                address=decision.candidate.address,
                payment_method=decision.candidate.currency_id,
                units=str(decision.candidate.units),
                reason=decision.reason,
            )
        return len(begun)

    def _sweep(self, decision: Decision, hot: str, moment: Moment) -> Sweep:
        each = decision.candidate
        return Sweep(
            id=moment.id("swp"),
            network_id=self.name,
            currency_id=each.currency_id,
            address=each.address,
            pool_index=each.index,
            destination=hot,
            units=each.units,
            since=each.since,
            reason=decision.reason,
            state="planned",
            steps=0,
            cost_limit_units=decision.cost_limit,
            cost_units=0,
            returned_units=0,
            created_at=moment.at,
            updated_at=moment.at,
        )
