"""What a payment on an EVM chain costs: gas at the market's price.

A token's gas is estimated for a transfer to an address that holds none, which is the dearer one,
and asked again only now and then.
"""

from dataclasses import dataclass, field
from hashlib import sha256

from gateway.settings import NetworkSettings
from watchers.network import NATIVE, NodeUnavailable
from watchers.networks.ethereum.erc20 import transfer_call
from watchers.networks.ethereum.fees import (
    HISTORY_BLOCKS,
    PLAIN_TRANSFER_GAS,
    REWARD_PERCENTILE,
    RawFeeHistory,
    gas_limit_for,
    market_fees,
)
from watchers.networks.ethereum.node import Node
from watchers.networks.ethereum.wire import quantity
from watchers.quotes import FeeQuoter, Quote
from watchers.rpc import Endpoints, JsonRpc, RpcError

TOKEN_GAS = 65_000
"""What a transfer usually takes, where the payer holds nothing that could be tried."""
ROUNDS_PER_ESTIMATE = 60


@dataclass(slots=True)
class EthereumQuoter:
    """`FeeQuoter` of one EVM chain."""

    rpc: JsonRpc
    _node: Node = field(init=False)
    _gas: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Per token: its gas, and for how many more rounds that is taken."""

    def __post_init__(self) -> None:
        self._node = Node(self.rpc)

    async def quote(self, asset: str, source: str) -> Quote:
        """Return gas times the next base fee and a usual tip; at most, times what is offered."""
        gas = PLAIN_TRANSFER_GAS if asset == NATIVE else await self._token_gas(asset, source)
        params = [hex(HISTORY_BLOCKS), "latest", [REWARD_PERCENTILE]]
        history = await self._node.ask("eth_feeHistory", params, RawFeeHistory)
        try:
            base = quantity(history.base_fee_per_gas[-1])
            tips = [quantity(block[0]) for block in history.reward or ()]
        except (ValueError, IndexError) as trouble:
            raise NodeUnavailable(f"eth_feeHistory: {trouble}") from trouble
        fees, limit = market_fees(base, tips), gas_limit_for(gas)
        parts = {
            "gas": str(gas),
            "gas_limit": str(limit),
            "base_fee_per_gas": str(base),
            "priority_fee_per_gas": str(fees.tip_wei),
            "max_fee_per_gas": str(fees.max_fee_wei),
        }
        return Quote(gas * (base + fees.tip_wei), limit * fees.max_fee_wei, parts)

    async def _token_gas(self, asset: str, source: str) -> int:
        gas, rounds = self._gas.get(asset, (0, 0))
        if not rounds:
            gas, rounds = await self._estimated(asset, source), ROUNDS_PER_ESTIMATE
        self._gas[asset] = gas, rounds - 1
        return gas

    async def _estimated(self, asset: str, source: str) -> int:
        held = await self._node.balance(source, asset)
        if held == 0:
            return TOKEN_GAS
        nobody = "0x" + sha256(source.encode()).hexdigest()[:40]
        data = "0x" + transfer_call(nobody, 1).hex()
        call = {"from": source, "to": asset, "data": data}
        try:
            return quantity(await self.rpc.call("eth_estimateGas", [call], str))
        except RpcError:
            return TOKEN_GAS  # paused, or out of gas: the payer meets it, a quote need not
        except ValueError as trouble:
            raise NodeUnavailable(f"eth_estimateGas: {trouble}") from trouble


def quoter(settings: NetworkSettings, endpoints: Endpoints) -> FeeQuoter:
    """Build what knows the costs through these endpoints."""
    del settings
    return EthereumQuoter(JsonRpc(endpoints))
