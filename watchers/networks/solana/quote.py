"""What a payment on Solana costs in lamports: a signature, the priority, perhaps a token account."""

from dataclasses import dataclass

from gateway.settings import NetworkSettings
from watchers.network import NATIVE
from watchers.networks.solana import fees
from watchers.networks.solana.accounts import (
    TOKEN_ACCOUNT_BYTES,
    TOKEN_PROGRAMS,
    associated_token_account,
)
from watchers.networks.solana.wire import accounts, recent_prices, rent_minimum
from watchers.quotes import FeeQuoter, Quote
from watchers.rpc import Endpoints, JsonRpc

_COMMITMENT = "confirmed"


@dataclass(frozen=True, slots=True)
class SolanaQuoter:
    """`FeeQuoter` of one Solana cluster."""

    rpc: JsonRpc

    async def quote(self, asset: str, source: str) -> Quote:
        """Return signature and priority; at most, with the rent of a new token account."""
        if asset == NATIVE:
            price = await self._price([source])
            units, most, rent = fees.UNITS_NATIVE, fees.UNITS_NATIVE, 0
        else:
            own, size = await self._own(asset, source)
            price = await self._price([source, *own])
            units, most = fees.UNITS_TOKEN, fees.UNITS_TOKEN_AND_ACCOUNT
            rent = await rent_minimum(self.rpc, size)
        parts = {
            "signature": str(fees.SIGNATURE_LAMPORTS),
            "compute_units": str(units),
            "micro_lamports_per_unit": str(price),
            "token_account_rent": str(rent),
        }
        return Quote(fees.lamports(units, price), fees.lamports(most, price) + rent, parts)

    async def _own(self, mint: str, source: str) -> tuple[list[str], int]:
        """Return our account of the mint and its size, which another's will have too."""
        [found] = await accounts(self.rpc, [mint], _COMMITMENT)
        if found is None or found.owner not in TOKEN_PROGRAMS:
            return [], TOKEN_ACCOUNT_BYTES
        address = associated_token_account(source, mint, found.owner)
        [ours] = await accounts(self.rpc, [address], _COMMITMENT)
        return [address], TOKEN_ACCOUNT_BYTES if ours is None else len(ours.content())

    async def _price(self, written: list[str]) -> int:
        return fees.unit_price(await recent_prices(self.rpc, written))


def quoter(settings: NetworkSettings, endpoints: Endpoints) -> FeeQuoter:
    """Build what knows the costs through these endpoints."""
    del settings
    return SolanaQuoter(JsonRpc(endpoints))
