"""Whether a Solana address can receive: a wallet can, whatever belongs to a program cannot.

The owner's own address is wanted, never that of a token account: the payer finds or makes the
canonical account of the mint. Coins to an address that stays below the rent minimum never land.
"""

from dataclasses import dataclass

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
from watchers.networks.solana.accounts import (
    SYSTEM_PROGRAM,
    TOKEN_ACCOUNT_BYTES,
    TOKEN_PROGRAMS,
    associated_token_account,
    mint_decimals,
    on_curve,
    token_holding,
)
from watchers.networks.solana.wire import AccountDocument, accounts, rent_minimum
from watchers.rpc import Endpoints, JsonRpc

_COMMITMENT = "confirmed"
_LOADERS = ("BPFLoader", "NativeLoader", "LoaderV4")


@dataclass(frozen=True, slots=True)
class SolanaDestinations:
    """`DestinationInspector` of one Solana cluster."""

    rpc: JsonRpc

    async def inspect(self, prospect: Prospect) -> Finding:
        """Look at the account there, and at its account of the mint."""
        [found] = await accounts(self.rpc, [prospect.destination], _COMMITMENT)
        if refused := _no_wallet(prospect.destination, found):
            return refused
        if prospect.asset == NATIVE:
            return await self._coins(prospect, found)
        return await self._tokens(prospect, found)

    async def _coins(self, prospect: Prospect, found: AccountDocument | None) -> Finding:
        minimum = await rent_minimum(self.rpc, 0)
        after = prospect.units + (0 if found is None else found.lamports)
        kind: Kind = NEW if found is None else WALLET
        if after >= minimum:
            return Finding(kind)
        return Finding(
            kind,
            "below_rent_minimum",
            f"the address would hold {after} lamports, the network takes none below {minimum}",
            field="amount",
        )

    async def _tokens(self, prospect: Prospect, found: AccountDocument | None) -> Finding:
        kind: Kind = NEW if found is None else WALLET
        [mint] = await accounts(self.rpc, [prospect.asset], _COMMITMENT)
        if mint is None or mint.owner not in TOKEN_PROGRAMS:
            return Finding(kind)  # not the destination's fault; the payer will say so
        theirs, own = (
            associated_token_account(owner, prospect.asset, mint.owner)
            for owner in (prospect.destination, prospect.source)
        )
        standing, ours = await accounts(self.rpc, [theirs, own], _COMMITMENT)
        if standing is None or standing.owner == SYSTEM_PROGRAM:
            size = TOKEN_ACCOUNT_BYTES if ours is None else len(ours.content())
            return Finding(
                kind, creates="token_account", create_units=await rent_minimum(self.rpc, size)
            )
        return _holding(prospect, kind, standing)


def inspector(settings: NetworkSettings, endpoints: Endpoints) -> DestinationInspector:
    """Build what looks at destinations through these endpoints."""
    del settings
    return SolanaDestinations(JsonRpc(endpoints))


def _no_wallet(address: str, found: AccountDocument | None) -> Finding | None:
    """Return why this is no wallet; None where it is one, or may become one."""
    if found is None:
        if on_curve(address):
            return None
        return Finding(NEW, "no_key", "no key can exist for this address, and nothing is there")
    if found.owner == SYSTEM_PROGRAM:
        return None
    code, detail = _named(found)
    return Finding(CONTRACT, code, detail)


def _named(found: AccountDocument) -> tuple[str, str]:
    """Name what stands where a wallet should."""
    if found.owner in TOKEN_PROGRAMS:
        content = found.content()
        if mint_decimals(content) is not None:
            return "token_contract", "this is a token's mint, not a wallet"
        if holding := token_holding(content):
            words = f"this is an account for the token {holding.mint}"
            return "token_account", f"{words}; give its owner's address, {holding.owner}"
    if found.owner.startswith(_LOADERS):
        return "cannot_receive", "this is a program, not a wallet"
    return "cannot_receive", f"this belongs to the program {found.owner}, it is not a wallet"


def _holding(prospect: Prospect, kind: Kind, standing: AccountDocument) -> Finding:
    """Judge the token account that stands already."""
    holding = token_holding(standing.content()) if standing.owner in TOKEN_PROGRAMS else None
    if holding is None or holding.owner != prospect.destination:
        words = "its token account was made over to another owner"
        return Finding(kind, "token_account_not_owned", words)
    if holding.frozen:
        return Finding(kind, "token_account_frozen", "its token account is frozen")
    if holding.wants_memo:
        words = "its token account takes nothing without a memo, and payouts carry none"
        return Finding(kind, "memo_required", words)
    return Finding(kind)
