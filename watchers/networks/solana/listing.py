"""What a mint says before and while it is listed, and whether its issuer has frozen our accounts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.settings import NetworkSettings
from watchers.assets.rules import Finding, Inspection
from watchers.networks.solana.accounts import (
    TOKEN_PROGRAMS,
    associated_token_account,
    token_holding,
)
from watchers.networks.solana.extensions import findings, fingerprint, read_mint
from watchers.networks.solana.wire import AccountDocument, accounts
from watchers.rpc import Endpoints, JsonRpc

COMMITMENT = "confirmed"
ACCOUNTS_MAX = 100


@dataclass(slots=True)
class SolanaInspector:
    """`AssetInspector` of one Solana cluster; `tokens` maps each listed mint to its program."""

    rpc: JsonRpc
    tokens: Mapping[str, str]

    async def inspect(self, asset: str, holders: Sequence[str]) -> Inspection:
        """Look at a mint."""
        [account] = await accounts(self.rpc, [asset], COMMITMENT)
        if account is None or account.owner not in TOKEN_PROGRAMS:
            return Inspection(
                None, {}, [Finding("no_mint", "no token program has such a mint")]
            )
        mint = read_mint(account.content())
        if mint is None:
            return Inspection(None, {}, [Finding("no_mint", "it is not a mint")])
        found = findings(mint)
        pinned = self.tokens.get(asset, account.owner)
        if account.owner != pinned:
            text = f"it belongs to {account.owner}, the configuration says {pinned}"
            found.append(Finding("token_program", text))
        return Inspection(
            mint.decimals,
            {"token program": account.owner, **fingerprint(mint)},
            found,
            paused=mint.paused,
            frozen=await self._frozen(asset, account.owner, holders),
        )

    async def _frozen(self, mint: str, program: str, holders: Sequence[str]) -> frozenset[str]:
        frozen: set[str] = set()
        for first in range(0, len(holders), ACCOUNTS_MAX):
            portion = holders[first : first + ACCOUNTS_MAX]
            places = [associated_token_account(owner, mint, program) for owner in portion]
            found = await accounts(self.rpc, places, COMMITMENT)
            frozen |= {
                owner
                for owner, account in zip(portion, found, strict=True)
                if _is_frozen(account)
            }
        return frozenset(frozen)


def inspector(settings: NetworkSettings, endpoints: Endpoints) -> SolanaInspector:
    """Build the inspector that asks these endpoints."""
    tokens = {
        asset.contract: asset.token_program
        for asset in settings.assets
        if asset.contract is not None and asset.token_program is not None
    }
    return SolanaInspector(JsonRpc(endpoints), tokens)


def _is_frozen(account: AccountDocument | None) -> bool:
    if account is None:
        return False
    holding = token_holding(account.content())
    return holding is not None and holding.frozen
