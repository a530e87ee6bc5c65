"""Whether an EVM address can receive: code that turns the payment away is found by trying it.

Only a refusal that comes from the destination counts. What the payer lacks is granted by a state
override (native) or asked for in a smaller amount (tokens), and a token that refuses even a
payment to ourselves is in trouble by itself: that is for the payer to meet, later.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.settings import NetworkSettings
from watchers.destination import CONTRACT, WALLET, DestinationInspector, Finding, Prospect
from watchers.network import NATIVE
from watchers.networks.ethereum.erc20 import transfer_call
from watchers.networks.ethereum.node import Node
from watchers.rpc import Endpoints, JsonRpc, RpcError

DELEGATION = "0xef0100"
"""EIP-7702: a wallet with a key that lends code from elsewhere."""
REVERTED_CODE = 3
REVERTED_WORDS = ("revert", "opcode", "out of gas", "outofgas", "stack underflow", "evm error")
GRANTED = hex(2**128)
EMPTY = "0x"
TRUE_WORD = "0x" + "1".rjust(64, "0")
"""Older tokens answer nothing where they succeed."""


@dataclass(frozen=True, slots=True)
class EthereumDestinations:
    """`DestinationInspector` of one EVM chain."""

    rpc: JsonRpc
    _node: Node = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_node", Node(self.rpc))

    async def inspect(self, prospect: Prospect) -> Finding:
        """Look at the code there, and try the payment where it could be turned away."""
        code = await self._node.ask("eth_getCode", [prospect.destination, "latest"], str)
        wallet = code == EMPTY or code.startswith(DELEGATION)
        kind = Finding(WALLET if wallet else CONTRACT)
        if prospect.asset == NATIVE:
            refused = code != EMPTY and await self._turned_away(prospect)
            detail = "the contract at this address turns the payment away"
            return Finding(CONTRACT, "cannot_receive", detail) if refused else kind
        if await self._token_refuses(prospect):
            return Finding(kind.kind, "token_refuses", "the token refuses this address")
        return kind

    async def _turned_away(self, prospect: Prospect) -> bool:
        call = {
            "from": prospect.source,
            "to": prospect.destination,
            "value": hex(prospect.units),
        }
        granted = {prospect.source: {"balance": GRANTED}}
        return await self._fails([call, "latest", granted])

    async def _token_refuses(self, prospect: Prospect) -> bool:
        held = await self._node.balance(prospect.source, prospect.asset)
        units = min(held, prospect.units)
        if not await self._fails([_transfer(prospect, prospect.destination, units), "latest"]):
            return False
        return not await self._fails([_transfer(prospect, prospect.source, units), "latest"])

    async def _fails(self, params: list[Any]) -> bool:
        """Tell whether a call reverts, or answers anything but success; other troubles do not count."""
        try:
            answer = await self.rpc.call("eth_call", params, str)
        except RpcError as refusal:
            words = refusal.message.lower()
            return refusal.code == REVERTED_CODE or any(
                each in words for each in REVERTED_WORDS
            )
        return len(params) == 2 and answer not in {EMPTY, TRUE_WORD}


def inspector(settings: NetworkSettings, endpoints: Endpoints) -> DestinationInspector:
    """Build what looks at destinations through these endpoints."""
    del settings
    return EthereumDestinations(JsonRpc(endpoints))


def _transfer(prospect: Prospect, to: str, units: int) -> Mapping[str, str]:
    data = "0x" + transfer_call(to, units).hex()
    return {"from": prospect.source, "to": prospect.asset, "data": data}
