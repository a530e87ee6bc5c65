"""What moved inside contracts, as one transaction's info tells it, each move with its ordinal.

The ordinal is the internal transaction's place among those of the list that may move value. Every
node that keeps any keeps all of these, rejected ones too; votes, freezes and delegations some
nodes add (`vm.saveFeaturedInternalTx`), and a name that counted those would change with the node.
One internal transaction may move TRX and several TRC-10 assets at once: what comes after the
first value that is not zero (TRX, then the assets in the order named) is set apart by
`NEXT_VALUE`.
"""

from collections.abc import Iterator

from watchers.network import NATIVE
from watchers.networks.tron.address import canonical
from watchers.networks.tron.wire import Info, InternalTransaction

NEXT_VALUE = 1 << 20
"""More than a transaction's energy buys of logs or internal transactions."""
VALUES_MAX = 1024
"""So many values of one internal transaction are named: ordinals have 31 bits. TRX is the first; a
contract that hands over more assets than that, none of them a payment, must not stop the chain."""


def _spelled(*names: str) -> frozenset[str]:
    in_hex = [name.encode().hex() for name in names]
    return frozenset((*names, *in_hex, *map(str.upper, in_hex)))


MOVES_VALUE = _spelled("call", "create", "suicide")
"""Other operations (`delegateResourceOfEnergy`, `freezeFor...`) state an amount that stays put."""
DESTRUCTION = _spelled("suicide")


def inner_values(info: Info) -> Iterator[tuple[int, InternalTransaction, str, int]]:
    """Yield (ordinal, internal transaction, asset, units) of what moved, TRX before any asset."""
    moving = [each for each in info.internal_transactions if each.note in MOVES_VALUE]
    for place, internal in enumerate(moving):
        if internal.rejected or _burns(internal):
            continue
        moved = [each for each in _sums(internal).items() if each[1] > 0]
        for rank, (asset, units) in enumerate(moved[:VALUES_MAX]):
            yield place + rank * NEXT_VALUE, internal, asset, units


def ends(internal: InternalTransaction) -> tuple[str, str]:
    """Return who sent and who received, in base58."""
    return canonical(internal.caller_address), canonical(internal.transfer_to)


def _sums(internal: InternalTransaction) -> dict[str, int]:
    sums = {NATIVE: 0}
    for value in internal.call_values:
        asset = str(value.token_id) if value.token_id else NATIVE
        if value.token_id and not asset.isdecimal():
            continue
        sums[asset] = sums.get(asset, 0) + value.call_value
    return sums


def _burns(internal: InternalTransaction) -> bool:
    """Tell whether a contract destroyed itself in its own favour: nobody has that value then."""
    own = internal.caller_address == internal.transfer_to
    return own and internal.note in DESTRUCTION
