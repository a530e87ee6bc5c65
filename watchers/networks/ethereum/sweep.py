"""Sweeps on an EVM chain: exact prices, so that an address is left with nothing that could move.

A transaction whose fee cap and tip are both P costs exactly its gas times P. A coin sweep
therefore empties its address to 0 wei. A token transfer is sent its gas ahead by the gas wallet;
what the estimate's margin leaves behind is less than the 21,000 gas of moving it, and pays part
of the next one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.settings import NetworkSettings
from watchers.network import NATIVE, NodeUnavailable, Refused, Slot
from watchers.networks.ethereum.address import canonical
from watchers.networks.ethereum.erc20 import transfer_call
from watchers.networks.ethereum.fees import (
    HISTORY_BLOCKS,
    PLAIN_TRANSFER_GAS,
    REWARD_PERCENTILE,
    TIP_WEI_MIN,
    RawFeeHistory,
    gas_limit_for,
)
from watchers.networks.ethereum.node import Node, reverted
from watchers.networks.ethereum.wire import quantity
from watchers.rpc import Endpoints, JsonRpc, RpcError
from watchers.sweep.hands import Job, Step, Underfunded, require_held

TOKEN_GAS = 78_000
"""A usual ERC-20 transfer with its margin, before a real estimate is at hand."""
PURPOSES: Mapping[Step, str] = {"funding": "top_up", "moving": "sweep"}


@dataclass(frozen=True, slots=True)
class Market:
    """Wei per gas: the next block's base fee, and the tip that recent blocks took."""

    base: int
    tip: int

    @property
    def least(self) -> int:
        """Return the price that the next block still takes."""
        return self.base + self.tip

    @property
    def exact(self) -> int:
        """Return a price that stays good while the base fee rises by half."""
        return max(-(-self.base * 3 // 2), self.least)


@dataclass(frozen=True, slots=True)
class EthereumSweeps:
    """`Hands` of one EVM chain."""

    rpc: JsonRpc
    chain_id: int
    network: str
    steps: tuple[Step, ...] = ("funding", "moving")

    def batch(self, asset: str) -> int:
        """Return one: every address signs for itself."""
        del asset
        return 1

    def sender(self, step: Step, job: Job) -> str:
        """Return the gas wallet for what is sent ahead, else the address itself."""
        return job.gas if step == "funding" else job.source.address

    def purpose(self, step: Step) -> str:
        """Return the attempt's purpose."""
        return PURPOSES[step]

    async def gas_price(self) -> int:
        """Return the next block's base fee."""
        return (await self._market()).base

    async def cost(self, asset: str, address: str, gas: str) -> int:
        """Return gas times price: one transfer, for a token one more that funds it."""
        del address, gas
        units = PLAIN_TRANSFER_GAS if asset == NATIVE else PLAIN_TRANSFER_GAS + TOKEN_GAS
        return units * (await self._market()).exact

    async def prepare(
        self, step: Step, job: Job, order_id: str, slot: Slot
    ) -> Mapping[str, Any] | None:
        """Return the intent of a step; there is nothing to lend."""
        if step not in PURPOSES or (step == "funding" and job.asset == NATIVE):
            return None
        market = await self._market()
        if step == "funding":
            return await self._funding(job, order_id, slot, market)
        if job.asset == NATIVE:
            return await self._coin(job, order_id, slot, market)
        return await self._token(job, order_id, slot, market)

    async def _funding(
        self, job: Job, order_id: str, slot: Slot, market: Market
    ) -> Mapping[str, Any] | None:
        wanted = await self._gas(job) * market.exact
        _require_affordable(job, wanted)
        units = wanted - await self._balance(job.source.address, NATIVE)
        if units <= 0:
            return None
        held = await self._balance(job.gas, NATIVE)
        needed = units + PLAIN_TRANSFER_GAS * market.exact
        if held < needed:
            raise Refused(f"the gas wallet {job.gas} holds {held} wei, needs {needed}")
        intent = self._intent(job.source.address, units, order_id, slot, market.exact)
        return {**intent, "source": "gas", "pool_index": job.source.index}

    async def _coin(
        self, job: Job, order_id: str, slot: Slot, market: Market
    ) -> Mapping[str, Any]:
        held = await self._balance(job.source.address, NATIVE)
        fee = PLAIN_TRANSFER_GAS * market.exact
        require_held(job, held)
        _require_affordable(job, fee)
        if held <= fee:
            raise Refused(f"{job.source.address} holds {held} wei, moving it takes {fee}")
        intent = self._intent(job.hot, held - fee, order_id, slot, market.exact)
        return {**intent, "source": f"pool/{job.source.index}"}

    async def _token(
        self, job: Job, order_id: str, slot: Slot, market: Market
    ) -> Mapping[str, Any]:
        require_held(job, await self._balance(job.source.address, canonical(job.asset)))
        gas = await self._gas(job)
        price = min(market.exact, await self._balance(job.source.address, NATIVE) // gas)
        if price < market.least:
            raise Underfunded(f"{job.source.address}: {price} wei per gas are no longer enough")
        _require_affordable(job, gas * price)
        intent = self._intent(job.hot, job.source.units, order_id, slot, price)
        return {
            **intent,
            "asset": canonical(job.asset),
            "gas_limit": gas,
            "source": f"pool/{job.source.index}",
        }

    def _intent(
        self, to: str, units: int, order_id: str, slot: Slot, price: int
    ) -> dict[str, Any]:
        return {
            "family": "ethereum",
            "withdrawal_id": order_id,
            "network": self.network,
            "asset": NATIVE,
            "to": to,
            "units": str(units),
            "chain_id": self.chain_id,
            "nonce": slot.nonce,
            "gas_limit": PLAIN_TRANSFER_GAS,
            "max_fee_per_gas": str(price),
            "max_priority_fee_per_gas": str(price),
        }

    async def _gas(self, job: Job) -> int:
        """Return the gas limit of the token transfer, from a simulation that succeeded."""
        data = transfer_call(job.hot, job.source.units)
        call = {
            "from": job.source.address,
            "to": canonical(job.asset),
            "data": "0x" + data.hex(),
        }
        try:
            estimate = quantity(await self.rpc.call("eth_estimateGas", [call], str))
        except RpcError as refusal:
            if reverted(refusal):
                raise Refused(f"simulation: {refusal.message}") from refusal
            raise NodeUnavailable(f"simulation: {refusal}") from refusal
        except ValueError as trouble:
            raise NodeUnavailable(f"eth_estimateGas: {trouble}") from trouble
        return gas_limit_for(estimate, data)

    async def _balance(self, address: str, asset: str) -> int:
        return await Node(self.rpc).balance(address, asset)

    async def _market(self) -> Market:
        params = [hex(HISTORY_BLOCKS), "latest", [REWARD_PERCENTILE]]
        history = await Node(self.rpc).ask("eth_feeHistory", params, RawFeeHistory)
        try:
            base = quantity(history.base_fee_per_gas[-1])
            tips = sorted(quantity(block[0]) for block in history.reward or ())
        except (ValueError, IndexError) as trouble:
            raise NodeUnavailable(f"eth_feeHistory: {trouble}") from trouble
        return Market(base, max(TIP_WEI_MIN, tips[len(tips) // 2] if tips else 0))


def hands(name: str, settings: NetworkSettings, endpoints: Endpoints) -> EthereumSweeps:
    """Build what sweeps through these endpoints."""
    return EthereumSweeps(JsonRpc(endpoints), int(settings.identity), name)


def _require_affordable(job: Job, fee: int) -> None:
    if fee > job.cost_max:
        raise Refused(f"the network asks up to {fee} wei, a sweep may cost {job.cost_max}")
