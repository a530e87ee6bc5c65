"""The house's own wallets: gas refilled, TRX staked, what is too much sent to cold storage.

Final balances only: what may still be undone is not spent twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy import select

from gateway.db import CROSS_TENANT, Database
from gateway.domain.money import to_units
from gateway.models import AddressDrift, AddressPool, Currency
from gateway.settings import NetworkSettings
from watchers.chain import Chain, asset_key, asset_of
from watchers.clock import now
from watchers.network import NATIVE, Incomplete, NodeUnavailable, Refused, Slot
from watchers.pay import promises
from watchers.pay.slots import SlotTaken
from watchers.pay.transactions import HouseOrder
from watchers.reconcile.balances import Holding
from watchers.reconcile.inside import STAKE
from watchers.reconcile.rules import NOTHING, Expectation
from watchers.store import Position
from watchers.sweep import rows
from watchers.sweep.hands import Hands, Job, Lender, Source
from watchers.sweep.payments import Payments
from watchers.sweep.plan import shortage, surplus
from watchers.sweep.worth import Worth

log = structlog.get_logger()
LOW_FEES, HIGH_FEES = 2, 10
"""Marks of the gas wallet in fee ceilings, where the operator names none."""
DIFFERS = (
    "the node says the gas wallet {gas} holds {told}, our own rows say {ours}: nothing is sent there "
    "while they differ; where the node is right: watchers reconcile {network} --resume {asset}"
)


class Differs(Refused):
    """Node and rows tell different balances of the gas wallet: only a person may bear that."""


@dataclass(slots=True)
class Upkeep:
    """Keeps one network's hot and gas wallet between their marks."""

    name: str
    settings: NetworkSettings
    chain: Chain
    currencies: Sequence[Currency]
    hands: Hands
    database: Database
    position: Position
    fee_is_alone: bool
    differs: str | None = field(default=None, init=False)
    """Why the gas wallet is not filled until a person has looked."""
    _told: dict[str, str] = field(default_factory=dict, init=False)

    async def round(self) -> None:
        """Look at each mark; what one of them lacks holds up no other."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            wallets = await rows.wallets(session, self.name)
        if "hot" not in wallets:
            return
        works = []
        if self.chain.lanes is None and "gas" in wallets:
            works = [("refill", self._refill), ("resource", self._resources)]
        works.append(("cold", self._cold))
        differs = None
        for purpose, work in works:
            async with self.database.unit_of_work(CROSS_TENANT) as session:
                busy = await rows.under_way(session, self.name, purpose)
            try:
                if not busy:
                    await work(wallets)
                self._told.pop(purpose, None)
            except (Refused, SlotTaken, Incomplete, NodeUnavailable) as trouble:
                differs = str(trouble) if isinstance(trouble, Differs) else differs
                self._tell(purpose, str(trouble))
        self.differs = differs

    async def _refill(self, wallets: dict[str, str]) -> None:
        """Send the gas wallet what it lacks, where tokens are listed that need it.

        It lacks nothing that our own rows find there, but for what an operator bears as missing:
        a node that calls it empty gets nothing more from the hot wallet.
        """
        if len(self.currencies) == 1:
            return
        worth, sweeping = self._worth(), self.settings.sweeping
        ceiling = self.payments.fee_ceiling
        low, high = worth.coins(sweeping.gas_low), worth.coins(sweeping.gas_high)
        low = ceiling * LOW_FEES if low is None else low
        high = ceiling * HIGH_FEES if high is None else high
        gas = wallets["gas"]
        told = await self.chain.reader.balance(gas, NATIVE)
        if told >= low:
            return
        found = (await self._expected(gas, NATIVE)).least
        ours = found - await self._missing(gas, worth.native)
        if ours >= low:
            said = {"gas": gas, "told": told, "ours": ours}
            raise Differs(DIFFERS.format(network=self.name, asset=worth.native.id, **said))
        units = shortage(max(told, ours), low, high)
        await self.payments.pay("refill", worth.native, wallets["hot"], gas, units)

    async def _cold(self, wallets: dict[str, str]) -> None:
        """Send to cold storage what the hot wallet holds above a ceiling, one asset at a time.

        What is refused of one asset keeps no other back.
        """
        worth, cold = self._worth(), self.settings.cold_address
        refusal: Refused | None = None
        for currency in self.currencies:
            asset = worth.asset(currency)
            if cold is None or asset.hot_ceiling is None:
                continue
            ceiling = to_units(asset.hot_ceiling, currency.decimals)
            target = ceiling // 2
            if asset.hot_target is not None:
                target = to_units(asset.hot_target, currency.decimals)
            units = surplus(await self._final(wallets["hot"], currency), ceiling, target)
            if units <= 0:
                continue
            try:
                hot, to = wallets["hot"], asset_key(cold)
                await self.payments.pay("cold", currency, hot, to, units)
            except Refused as trouble:
                refusal = refusal or trouble
            else:
                return
        if refusal is not None:
            raise refusal

    async def _final(self, address: str, currency: Currency) -> int:
        """Return what is final at the hot wallet, less what is promised of it."""
        asset = asset_of(currency)
        expected = await self._expected(address, asset)
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            taken = await promises.of_wallet(
                session, self.name, address, self.payments.fee_ceiling
            )
            waiting = await promises.approved(session, self.name, currency.id)
        return expected.least - taken[asset] - waiting

    async def _missing(self, address: str, currency: Currency) -> int:
        """Return what an operator bears as gone from an address, though our rows find it there."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            drift = await session.get(AddressDrift, (currency.id, address))
        return 0 if drift is None else max(0, -drift.acknowledged_units)

    async def _expected(self, address: str, asset: str) -> Expectation:
        """Return what our own rows find at an address."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            held = await rows.final_balances(
                session, self.name, self.currencies, [address], fee_is_alone=self.fee_is_alone
            )
        return held.get(Holding(address, asset), NOTHING)

    async def _resources(self, wallets: dict[str, str]) -> None:
        """Stake what the operator wants staked; take back loans that no sweep knows."""
        lender, gas = self.hands, wallets["gas"]
        if not isinstance(lender, Lender):
            return
        order_id = now().id("hou")
        forgotten = await self._forgotten(lender, gas)
        if forgotten is not None:
            job = Job(NATIVE, 0, wallets["hot"], gas, 0, (forgotten,))
            intent = await self.hands.prepare("returning", job, order_id, Slot())
            if intent is not None:
                await self.payments.begin(HouseOrder(order_id, "resource", intent, gas, Slot()))
            return
        wanted = self._worth().coins(self.settings.sweeping.stake) or 0
        lacking = wanted - await self._staked() if wanted else 0
        if lacking <= 0:
            return
        held = await self.chain.reader.balance(gas, NATIVE)
        if held < lacking:
            raise Refused(f"the gas wallet {gas} holds {held}, {lacking} are to be staked")
        intent = await lender.stake(lacking, order_id)
        await self.payments.begin(HouseOrder(order_id, "resource", intent, gas, Slot()))

    async def _staked(self) -> int:
        """Return what our own transactions staked, whether it is lent, used or neither."""
        found = await self._expected(STAKE, NATIVE)
        return found.base + found.gained

    async def _forgotten(self, lender: Lender, gas: str) -> Source | None:
        """Return a pool address that borrows although no sweep is under way there."""
        borrowers = await lender.borrowers(gas)
        if not borrowers:
            return None
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            live = {sweep.address for sweep in await rows.live(session, self.name)}
            query = select(AddressPool).where(
                AddressPool.network_id == self.name,
                AddressPool.address.in_(set(borrowers) - live),
            )
            row = (await session.scalars(query.order_by(AddressPool.id).limit(1))).first()
        return None if row is None else Source(row.index, row.address, 0)

    @property
    def payments(self) -> Payments:
        """Return what begins the orders of this network."""
        native = self._worth().native
        mine = (self.name, self.settings, self.chain, native)
        return Payments(*mine, self.database, self.position)

    def _worth(self) -> Worth:
        return Worth(self.settings, self.currencies)

    def _tell(self, purpose: str, reason: str) -> None:
        """Say once why a mark is not kept."""
        if self._told.get(purpose) != reason:
            log.warning("waiting", network=self.name, task=purpose, reason=reason)
        self._told[purpose] = reason
