"""Sweeps on Tron: coins on free bandwidth, tokens on lent energy, else on TRX sent ahead.

The gas wallet stakes TRX for energy and lends as much as one transfer takes, for as long as the
transfer takes; that costs bandwidth only. Without a stake the energy is burned: the gas wallet
sends exactly what it can cost. An address that never had TRX is activated on the way.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.settings import NetworkSettings
from watchers.network import NATIVE, Incomplete, Refused, Slot
from watchers.networks.tron.answers import Account, Resources
from watchers.networks.tron.fees import (
    NATIVE_BYTES,
    TOKEN_BYTES,
    Prices,
    bandwidth_burn,
    energy_burn_at_most,
    energy_limit,
    prices_of,
)
from watchers.networks.tron.lending import Lending
from watchers.networks.tron.node import TronNode, call_failure
from watchers.networks.tron.times import times_of
from watchers.networks.tron.transaction import transfer_words
from watchers.rpc import Endpoints
from watchers.sweep.hands import STEPS, Job, Step, Underfunded, require_held

USUAL_ENERGY = 78_000
"""A TRC-20 transfer with its margin, before a simulation is at hand."""
COST_MIN = 1_000
"""Sun; free bandwidth comes back once a day, and a few sun are not worth it."""
PURPOSES: Mapping[Step, str] = {
    "funding": "top_up",
    "lending": "resource",
    "moving": "sweep",
    "returning": "resource",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a token transfer from one address needs and finds there."""

    account: Account
    resources: Resources
    prices: Prices
    fee_limit: int
    lendable: int
    """Staked sun that the gas wallet could lend, 0 where it is too little for this transfer."""

    @property
    def burn(self) -> int:
        """Return the sun that the transfer may burn, as things stand."""
        bandwidth = bandwidth_burn(TOKEN_BYTES, self.resources, self.prices)
        return energy_burn_at_most(self.fee_limit, self.resources, self.prices) + bandwidth


@dataclass(slots=True)
class TronSweeps:
    """`Hands` of one Tron network; `clock_ms` returns Unix milliseconds."""

    endpoints: Endpoints
    network: str
    clock_ms: Callable[[], int]
    steps: tuple[Step, ...] = STEPS
    node: TronNode = field(init=False)
    lending: Lending = field(init=False)

    def __post_init__(self) -> None:
        self.node = TronNode(self.endpoints)
        self.lending = Lending(self.node, self.network, self.clock_ms)

    def batch(self, asset: str) -> int:
        """Return one: every address signs for itself."""
        del asset
        return 1

    def sender(self, step: Step, job: Job) -> str:
        """Return the address itself for what leaves it, the gas wallet for the rest."""
        return job.source.address if step == "moving" else job.gas

    def purpose(self, step: Step) -> str:
        """Return the attempt's purpose."""
        return PURPOSES[step]

    async def gas_price(self) -> int:
        """Return 0: prices change by vote only."""
        return 0

    async def cost(self, asset: str, address: str, gas: str) -> int:
        """Return the sun that a sweep burns: next to nothing on free bandwidth and lent energy."""
        prices = prices_of(await self.node.parameters())
        account, resources = await self._standing(address)
        if asset == NATIVE:
            return max(COST_MIN, bandwidth_burn(NATIVE_BYTES, resources, prices))
        lent = await self.lending.lendable(gas, USUAL_ENERGY) > 0
        burn = COST_MIN if lent else USUAL_ENERGY * prices.energy
        return burn + (0 if account.address else prices.activation)

    async def prepare(
        self, step: Step, job: Job, order_id: str, slot: Slot
    ) -> Mapping[str, Any] | None:
        """Return the intent of a step; a slot means nothing here."""
        del slot
        if step == "returning":
            return await self._returning(job, order_id)
        if job.asset == NATIVE:
            return await self._coin(job, order_id) if step == "moving" else None
        facts = await self._facts(job)
        if step == "funding":
            return await self._funding(job, order_id, facts)
        if step == "lending":
            return await self._lending(job, order_id, facts)
        return await self._token(job, order_id, facts)

    async def stake(self, units: int, order_id: str) -> Mapping[str, Any]:
        """Return the intent that stakes TRX of the gas wallet for energy."""
        return await self.lending.stake(units, order_id)

    async def borrowers(self, gas: str) -> list[str]:
        """Return the addresses that the gas wallet lends to."""
        return await self.lending.borrowers(gas)

    async def _funding(self, job: Job, order_id: str, facts: Facts) -> Mapping[str, Any] | None:
        needed = facts.burn
        if facts.lendable:
            needed = bandwidth_burn(TOKEN_BYTES, facts.resources, facts.prices)
        _require_affordable(job, needed)
        units = needed - facts.account.balance
        if not facts.account.address:
            units = max(1, units)
        if units <= 0:
            return None
        fee = facts.prices.activation + NATIVE_BYTES * facts.prices.byte
        held = (await self.node.account(job.gas)).balance
        if held < units + fee:
            raise Refused(f"the gas wallet {job.gas} holds {held} sun, needs {units + fee}")
        intent = await self._payment(job.source.address, units, order_id)
        return {**intent, "source": "gas", "pool_index": job.source.index}

    async def _lending(self, job: Job, order_id: str, facts: Facts) -> Mapping[str, Any] | None:
        if not facts.lendable or not energy_burn_at_most(
            facts.fee_limit, facts.resources, facts.prices
        ):
            return None
        source = job.source
        return await self.lending.resource(
            "delegate", source.address, source.index, facts.lendable, order_id
        )

    async def _returning(self, job: Job, order_id: str) -> Mapping[str, Any] | None:
        source = job.source
        units = await self.lending.lent(job.gas, source.address)
        if not units:
            return None
        return await self.lending.resource(
            "undelegate", source.address, source.index, units, order_id
        )

    async def _coin(self, job: Job, order_id: str) -> Mapping[str, Any]:
        prices = prices_of(await self.node.parameters())
        account, resources = await self._standing(job.source.address)
        require_held(job, account.balance)
        fee = bandwidth_burn(NATIVE_BYTES, resources, prices)
        if not (await self.node.account(job.hot)).address:
            fee = prices.activation
        _require_affordable(job, fee)
        if account.balance <= fee:
            raise Refused(
                f"{job.source.address} holds {account.balance} sun, moving takes {fee}"
            )
        intent = await self._payment(job.hot, account.balance - fee, order_id)
        return {**intent, "source": f"pool/{job.source.index}"}

    async def _token(self, job: Job, order_id: str, facts: Facts) -> Mapping[str, Any]:
        if facts.account.balance < facts.burn:
            raise Underfunded(f"{job.source.address}: the transfer may burn {facts.burn} sun")
        _require_affordable(job, facts.burn)
        intent = await self._payment(job.hot, job.source.units, order_id)
        return {
            **intent,
            "asset": job.asset,
            "fee_limit": facts.fee_limit,
            "source": f"pool/{job.source.index}",
        }

    async def _facts(self, job: Job) -> Facts:
        parameters = await self.node.parameters()
        prices = prices_of(parameters)
        account, resources = await self._standing(job.source.address)
        if not account.address:
            # What activates it gives it the free bandwidth of every account.
            resources = Resources(free_net_limit=parameters.get("getFreeNetLimit", 0))
        require_held(job, await self.node.token_balance(job.asset, job.source.address))
        words = transfer_words(job.hot, job.source.units)
        call = await self.node.call(
            job.source.address, job.asset, "transfer(address,uint256)", words
        )
        if failure := call_failure(call):
            raise Refused(f"the transfer would fail: {failure}")
        if call.energy_used <= 0:
            raise Incomplete("the node simulates a transfer without energy")
        fee_limit = energy_limit(call.energy_used, prices)
        lendable = await self.lending.lendable(job.gas, fee_limit // prices.energy)
        return Facts(account, resources, prices, fee_limit, lendable)

    async def _standing(self, address: str) -> tuple[Account, Resources]:
        return await self.node.account(address), await self.node.resources(address)

    async def _payment(self, to: str, units: int, order_id: str) -> dict[str, Any]:
        return {
            "family": "tron",
            "withdrawal_id": order_id,
            "network": self.network,
            "asset": NATIVE,
            "to": to,
            "units": str(units),
            "fee_limit": 0,
            **await times_of(self.node, self.clock_ms),
        }


def hands(name: str, settings: NetworkSettings, endpoints: Endpoints) -> TronSweeps:
    """Build what sweeps through these endpoints."""
    del settings
    return TronSweeps(endpoints, name, lambda: time.time_ns() // 1_000_000)


def _require_affordable(job: Job, fee: int) -> None:
    if fee > job.cost_max:
        raise Refused(f"the network may take {fee} sun, a sweep may cost {job.cost_max}")
