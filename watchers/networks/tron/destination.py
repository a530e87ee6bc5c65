"""Whether a Tron address can receive: contracts take no TRX, an unused address costs its activation.

A token payment is tried in the amount that the payer holds; only where the same payment to
ourselves works does its failure speak of the destination.
"""

from dataclasses import dataclass, field

from gateway.settings import NetworkSettings
from watchers.destination import (
    CONTRACT,
    NEW,
    WALLET,
    DestinationInspector,
    Finding,
    Kind,
    Prospect,
)
from watchers.network import NATIVE
from watchers.networks.tron.fees import prices_of
from watchers.networks.tron.node import TronNode, call_failure
from watchers.networks.tron.transaction import transfer_words
from watchers.rpc import Endpoints


@dataclass(frozen=True, slots=True)
class TronDestinations:
    """`DestinationInspector` of one Tron network."""

    endpoints: Endpoints
    _node: TronNode = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_node", TronNode(self.endpoints))

    async def inspect(self, prospect: Prospect) -> Finding:
        """Look at the account; try a token payment."""
        account = await self._node.account(prospect.destination)
        kind: Kind = WALLET if account.address else NEW
        if account.type == "Contract":
            kind = CONTRACT
        if prospect.asset != NATIVE:
            refused = await self._token_refuses(prospect)
            return (
                Finding(kind, "token_refuses", "the token refuses this address")
                if refused
                else Finding(kind)
            )
        if kind == CONTRACT:
            return Finding(kind, "cannot_receive", "a contract: the network sends it no TRX")
        if kind == WALLET:
            return Finding(kind)
        prices = prices_of(await self._node.parameters())
        return Finding(kind, creates="activation", create_units=prices.activation)

    async def _token_refuses(self, prospect: Prospect) -> bool:
        held = await self._node.token_balance(prospect.asset, prospect.source)
        units = min(held, prospect.units)
        if not await self._fails(prospect, prospect.destination, units):
            return False
        return not await self._fails(prospect, prospect.source, units)

    async def _fails(self, prospect: Prospect, to: str, units: int) -> bool:
        words = transfer_words(to, units)
        answer = await self._node.call(
            prospect.source, prospect.asset, "transfer(address,uint256)", words
        )
        return bool(call_failure(answer))


def inspector(settings: NetworkSettings, endpoints: Endpoints) -> DestinationInspector:
    """Build what looks at destinations through these endpoints."""
    del settings
    return TronDestinations(endpoints)
