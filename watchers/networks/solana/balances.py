"""Balances in the newest finalized state, a hundred accounts at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from gateway.settings import NetworkSettings
from watchers.network import NATIVE, NodeUnavailable
from watchers.networks.solana.accounts import associated_token_account, token_holding
from watchers.networks.solana.wire import AccountDocument, ask
from watchers.reconcile.balances import Holding, Observation
from watchers.rpc import Endpoints, JsonRpc

ACCOUNTS_MAX = 100
STALE_SLOTS = 32
"""One address may stand for several nodes, of which one answers from an older state, or from
within the slot that it names."""


class _Context(msgspec.Struct, gc=False):
    slot: int


class _Accounts(msgspec.Struct, gc=False):
    context: _Context
    value: list[AccountDocument | None]


@dataclass(slots=True)
class SolanaBalances:
    """`BalanceReader` of one Solana cluster; `tokens` maps each listed mint to its program.

    Every arrival is in the blocks' balance differences already, so nothing is credited here.
    """

    rpc: JsonRpc
    tokens: Mapping[str, str]
    historic: bool = field(default=False, init=False)
    credits: bool = field(default=False, init=False)
    fee_is_alone: bool = field(default=False, init=False)

    async def observe(self, wanted: Sequence[Holding], height: int) -> Observation:
        """Return what is held between the slots of the first and the last answer."""
        del height
        slots: list[int] = []
        units: dict[Holding, int] = {}
        for first in range(0, len(wanted), ACCOUNTS_MAX):
            portion = wanted[first : first + ACCOUNTS_MAX]
            answer = await self._accounts([self._account(holding) for holding in portion])
            slots.append(answer.context.slot)
            for holding, account in zip(portion, answer.value, strict=True):
                units[holding] = self._units(holding, account)
        low = max(0, min(slots, default=0) - STALE_SLOTS)
        return Observation(low, max(slots, default=0), units)

    async def beneficiary(self, height: int) -> str:
        """Return nobody: nothing is credited here."""
        del height
        return ""

    async def _accounts(self, addresses: Sequence[str]) -> _Accounts:
        config = {"encoding": "base64", "commitment": "finalized"}
        params = [list(addresses), config]
        answer = await ask(self.rpc, "getMultipleAccounts", params, _Accounts)
        if len(answer.value) != len(addresses):
            raise NodeUnavailable(f"{len(answer.value)} of {len(addresses)} accounts answered")
        return answer

    def _account(self, holding: Holding) -> str:
        if holding.asset == NATIVE:
            return holding.address
        return associated_token_account(
            holding.address, holding.asset, self.tokens[holding.asset]
        )

    def _units(self, holding: Holding, account: AccountDocument | None) -> int:
        if account is None:
            return 0
        if holding.asset == NATIVE:
            return account.lamports
        if account.owner != self.tokens[holding.asset]:
            return 0
        held = token_holding(account.content())
        return held.units if held is not None and held.owner == holding.address else 0


def balances(settings: NetworkSettings, endpoints: Endpoints) -> SolanaBalances:
    """Build the reader of balances for these endpoints."""
    tokens = {
        asset.contract: asset.token_program or ""
        for asset in settings.assets
        if asset.contract is not None
    }
    return SolanaBalances(JsonRpc(endpoints), tokens)
