"""Pure: what stands in the way of a payout, read from the accounts it touches.

Each check raises `Refused` naming the account.
"""

from watchers.network import NATIVE, PayoutOrder, Refused
from watchers.networks.solana.accounts import (
    SYSTEM_PROGRAM,
    is_address,
    mint_decimals,
    on_curve,
    token_holding,
)
from watchers.networks.solana.wire import AccountDocument


def check_address(address: str) -> None:
    """Refuse a destination that is not 32 bytes in base58."""
    if not is_address(address):
        raise Refused(f"destination {address} is not an address")


def check_wallet(address: str, account: AccountDocument | None) -> None:
    """Refuse whatever is not a wallet: programs, mints, token accounts, keyless new addresses.

    An address off the curve may be a program's own wallet, but then its account exists.
    """
    if account is None:
        if not on_curve(address):
            raise Refused(f"destination {address} has no key and no account")
        return
    if account.owner != SYSTEM_PROGRAM:
        raise Refused(f"destination {address} belongs to the program {account.owner}")


def check_lamports(
    order: PayoutOrder,
    cost: int,
    rent_minimum: int,
    source: AccountDocument | None,
    destination: AccountDocument | None,
) -> None:
    """Refuse a cost above the ceiling, and either side left between 0 and the rent minimum."""
    if cost > order.fee_ceiling_units:
        raise Refused(f"the network takes {cost}, the ceiling is {order.fee_ceiling_units}")
    sent = order.units if order.asset == NATIVE else 0
    needed = sent + cost + rent_minimum
    held = 0 if source is None else source.lamports
    if held < needed:
        raise Refused(
            f"{order.source} holds {held} lamports, needs {needed} "
            f"({rent_minimum} of them stay in the wallet)"
        )
    arrived = sent + (0 if destination is None else destination.lamports)
    if order.asset == NATIVE and arrived < rent_minimum:
        raise Refused(
            f"destination {order.destination} would hold {arrived} lamports, "
            f"the network takes no account below {rent_minimum}"
        )


def check_mint(order: PayoutOrder, mint: AccountDocument | None, program: str) -> None:
    """Refuse a mint of another program, or with other decimals than the order counts in."""
    if mint is None:
        raise Refused(f"mint {order.asset} does not exist")
    if mint.owner != program:
        raise Refused(f"mint {order.asset} belongs to {mint.owner}, pinned is {program}")
    decimals = mint_decimals(mint.content())
    if decimals != order.decimals:
        raise Refused(f"mint {order.asset} has decimals {decimals}, not {order.decimals}")


def check_token_source(
    order: PayoutOrder, account: AccountDocument | None, program: str
) -> AccountDocument:
    """Return the hot wallet's token account, which exists, covers the amount and may send."""
    holding = None
    if account is not None and account.owner == program:
        holding = token_holding(account.content())
    if account is None or holding is None or holding.owner != order.source:
        raise Refused(f"{order.source} has no token account for {order.asset}")
    if holding.units < order.units:
        raise Refused(
            f"{order.source} holds {holding.units} of {order.asset}, needs {order.units}"
        )
    if holding.frozen:
        raise Refused(f"the token account of {order.source} is frozen")
    return account


def destination_account_stands(
    order: PayoutOrder, account: AccountDocument | None, program: str
) -> bool:
    """Tell whether the destination's token account exists; refuse one that cannot receive.

    Lamports that somebody sent ahead to its address do not keep it from being created.
    """
    if account is None or account.owner == SYSTEM_PROGRAM:
        return False
    holding = token_holding(account.content()) if account.owner == program else None
    if holding is None or holding.owner != order.destination:
        raise Refused(
            f"the token account of {order.destination} was made over to another owner"
        )
    if holding.frozen:
        raise Refused(f"the token account of {order.destination} is frozen")
    if holding.wants_memo:
        raise Refused(f"the token account of {order.destination} takes nothing without a memo")
    return True
