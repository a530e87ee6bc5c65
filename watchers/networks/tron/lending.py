"""Energy from staked TRX: what the gas wallet has staked, what it lends, and to whom."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from watchers.network import Incomplete
from watchers.networks.tron.address import to_base58, to_hex
from watchers.networks.tron.answers import Borrowers, Delegatable, Loans
from watchers.networks.tron.node import TronNode
from watchers.networks.tron.times import times_of

TRX = 1_000_000
ENERGY = 1
"""`ResourceCode` of energy."""


@dataclass(frozen=True, slots=True)
class Lending:
    """The gas wallet's side of lent energy on one network."""

    node: TronNode
    network: str
    clock_ms: Callable[[], int]

    async def stake(self, units: int, order_id: str) -> Mapping[str, Any]:
        """Return the intent that stakes TRX of the gas wallet for energy."""
        return await self.resource("stake", "", None, units, order_id)

    async def borrowers(self, gas: str) -> list[str]:
        """Return the addresses that the gas wallet lends to."""
        query = {"value": to_hex(gas)}
        path = "/wallet/getdelegatedresourceaccountindexv2"
        found = await self.node.ask(path, query, Borrowers)
        try:
            return [to_base58(bytes.fromhex(each)) for each in found.to_accounts]
        except ValueError as trouble:
            raise Incomplete(f"borrowers of {gas}: {trouble}") from trouble

    async def lent(self, gas: str, address: str) -> int:
        """Return the staked sun whose energy one address borrows from the gas wallet."""
        query = {"fromAddress": to_hex(gas), "toAddress": to_hex(address)}
        answer = await self.node.ask("/wallet/getdelegatedresourcev2", query, Loans)
        return sum(loan.frozen_balance_for_energy for loan in answer.loans)

    async def lendable(self, gas: str, energy: int) -> int:
        """Return the staked sun that yields this energy; 0 where the gas wallet lacks it.

        What borrowers used comes back with the loan, and is free again within a day.
        """
        network = await self.node.resources(gas)
        if not network.total_energy_limit:
            return 0
        per_trx = network.total_energy_limit, network.total_energy_weight
        # One TRX more: the chain rounds what is lent down.
        units = (-(-energy * per_trx[1] // per_trx[0]) + 1) * TRX
        query = {"owner_address": to_hex(gas), "type": ENERGY}
        free = await self.node.ask("/wallet/getcandelegatedmaxsize", query, Delegatable)
        return units if free.max_size >= units else 0

    async def resource(
        self, action: str, to: str, index: int | None, units: int, order_id: str
    ) -> dict[str, Any]:
        """Return an intent that stakes, lends or takes back."""
        return {
            "family": "tron_resource",
            "withdrawal_id": order_id,
            "network": self.network,
            "action": action,
            "resource": "ENERGY",
            "to": to,
            "pool_index": index,
            "units": str(units),
            **await times_of(self.node, self.clock_ms),
        }
