"""Which token account beside an address's canonical one a sweep empties into that. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from watchers.network import Refused
from watchers.networks.solana.accounts import (
    TOKEN_ACCOUNT_BYTES,
    TokenHolding,
    associated_token_account,
    token_holding,
)
from watchers.networks.solana.wire import HeldAccount


class Beside(NamedTuple):
    """A token account, the units in it, and whether its owner may close it once it is empty."""

    account: str
    units: int
    closes: bool


def largest(found: Iterable[HeldAccount], owner: str, mint: str, program: str) -> Beside:
    """Return the account that holds most, of those that a sweep does not reach.

    Raises `Refused` where there is none, or where those that hold anything are frozen.
    """
    canonical = associated_token_account(owner, mint, program)
    held = [
        (each.pubkey, holding, len(each.account.content()) == TOKEN_ACCOUNT_BYTES)
        for each in found
        if each.account.owner == program
        and each.pubkey != canonical
        and (holding := token_holding(each.account.content())) is not None
        and _is_of(holding, owner, mint)
    ]
    if not held:
        raise Refused(f"no other account of {owner} holds any {mint}")
    free = [each for each in held if not each[1].frozen]
    if not free:
        raise Refused(f"what {owner} holds of {mint} beside its canonical account is frozen")
    account, holding, plain = max(free, key=lambda each: (each[1].units, each[0]))
    # An extended account (Token-2022) may keep withheld fees, and whoever made it over to the
    # address may have kept the right to close it.
    return Beside(account, holding.units, plain and holding.closer is None)


def _is_of(holding: TokenHolding, owner: str, mint: str) -> bool:
    return (holding.owner, holding.mint) == (owner, mint) and holding.units > 0
