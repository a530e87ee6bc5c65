"""`/devnode/...`: what a test may do to the chain and no real node would let it."""

from typing import Any

from devnet.tron import address
from devnet.tron.forms import Json
from devnet.tron.genesis import PAYER, PAYER_KEY
from devnet.tron.node import Faults
from devnet.tron.query import BadQuery, Query
from devnet.tron.reads import Handler
from devnet.tron.transaction import raw_data, read, reference, sign

EXPIRATION_MS = 60_000


async def fund(query: Query) -> Json:
    """Pay `amount` sun from the payer to the base58 `address`; it is pending at once."""
    node = query.node
    recipient = address.parse(query.text("address"), visible=True)
    raw = raw_data(
        "TransferContract",
        {
            "owner_address": PAYER,
            "to_address": recipient,
            "amount": query.number("amount"),
        },
        **reference(node.head.id),
        expiration=node.head.time_ms + EXPIRATION_MS,
        timestamp=node.now_ms(),
    )
    transaction = read(raw, (sign(raw, PAYER_KEY),))
    await node.submit(transaction)
    return {"txid": transaction.id}


async def mine(query: Query) -> Json:
    """Seal `blocks` blocks (1) now."""
    for _ in range(query.number("blocks") or 1):
        await query.node.produce()
    return _head(query)


async def reorg(query: Query) -> Json:
    """Replace the newest `depth` blocks.

    Their transactions return `delay` blocks above the fork (0: in its first block), never
    where `drop`.
    """
    await query.node.reorganise(
        query.number("depth"), drop=query.flag("drop"), delay=query.number("delay")
    )
    return _head(query)


async def travel(query: Query) -> Json:
    """Move the clock of blocks to come by `seconds`, so that expirations can be waited for."""
    query.node.skew_ms += query.number("seconds") * 1_000
    return {"skew_ms": query.node.skew_ms}


async def set_faults(query: Query) -> Json:
    """Replace the faults by the members given; see `node.Faults`."""
    fields: dict[str, Any] = dict(query.fields)
    if unknown := fields.keys() - set(Faults.__slots__):
        raise BadQuery(f"no such fault: {min(unknown)}")
    if "refuse" in fields:
        code, message = fields["refuse"]
        fields["refuse"] = (code, message)
    fields["blank"] = frozenset(fields.get("blank", ()))
    query.node.faults = Faults(**fields)
    return {"faults": sorted(query.fields)}


def _head(query: Query) -> Json:
    head = query.node.head
    return {"num": head.height, "id": head.id.hex()}


CONTROLS: dict[str, Handler] = {
    "fund": fund,
    "mine": mine,
    "reorg": reorg,
    "travel": travel,
    "faults": set_faults,
}
