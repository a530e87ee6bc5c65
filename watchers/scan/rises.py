"""Coins that moved inside a contract, proved by the balances of a node that has no traces."""

from collections.abc import Iterable

from watchers.network import NATIVE, Block, Incomplete, NodeUnavailable, Transfer, WrongChain
from watchers.scan.track import Track


async def prove(track: Track, name: str, transfer: Transfer, block: Block) -> bool:
    """Tell whether the states of a node prove all that we know to have moved inside contracts.

    The recipient's balance rose in this node's `block` by what it shows itself and by that, less
    what our own transactions took from there. What those took this node tells too: one that lies
    about both could otherwise hide an invented payment behind an invented fee.
    """
    gain = track.gains.get(name)
    if gain is None or transfer.asset != NATIVE:
        return False
    address = transfer.recipient
    try:
        rose = await gain(address, block.ref.height)
    except (Incomplete, NodeUnavailable, WrongChain):
        return False
    values = {"network": track.network, "address": address}
    [(inside,)] = await track.database.ask(_ARRIVED, {**values, "hash": block.ref.hash})
    sent = await track.database.ask(_SENT, {**values, "hashes": list(block.outcomes)})
    shown = sum(
        each.units
        for each in block.transfers
        if (each.recipient, each.asset) == (address, NATIVE)
    )
    return bool(rose - shown + taken(sent, block) == inside)


def taken(sent: Iterable[tuple[str, int]], block: Block) -> int:
    """Return what our transactions in a block took from their sender, as its outcomes say.

    `sent` are (hash, units of the coin that it pays). Networks that tell apart what moves inside
    contracts tell the fee apart too.
    """
    found = 0
    for tx_hash, units in sent:
        outcome = block.outcomes[tx_hash]
        found += outcome.payer_spent_units + (int(units) if outcome.success else 0)
    return found


_ARRIVED = """
SELECT coalesce(sum(d.units), 0) FROM deposit d JOIN currency c ON c.id = d.currency_id
WHERE d.network_id = %(network)s AND d.address = %(address)s AND d.block_hash = %(hash)s
    AND d.kind = 'internal' AND c.contract IS NULL AND d.status IN ('pending', 'confirmed')
"""
_SENT = """
SELECT tx_hash, CASE intent->>'asset' WHEN 'native' THEN (intent->>'units')::numeric ELSE 0 END
FROM attempt
WHERE network_id = %(network)s AND sender = %(address)s AND tx_hash = ANY(%(hashes)s)
"""
