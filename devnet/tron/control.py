"""`/devnode/...`: what a test may do to the chain and no real node would let it."""

from typing import Any

from devnet.tron import address
from devnet.tron.faults import Faults
from devnet.tron.forms import Json
from devnet.tron.genesis import PAYER, PAYER_KEY
from devnet.tron.local import FEE_LIMIT, token_transfer
from devnet.tron.parameters import ENERGY_FACTOR_MAX, EXPIRATION_MS
from devnet.tron.query import BadQuery, Query
from devnet.tron.reads import Handler
from devnet.tron.transaction import raw_data, read, reference, sign


async def fund(query: Query) -> Json:
    """Pay `amount` sun from the payer to the base58 `address`; it is pending at once.

    With a `contract` it is that token's units.
    """
    node = query.node
    recipient = address.parse(query.text("address"), visible=True)
    amount, contract = query.number("amount"), query.text("contract")
    kind, value = "TransferContract", {"to_address": recipient, "amount": amount}
    if contract:
        kind, value = (
            "TriggerSmartContract",
            {
                "contract_address": address.parse(contract, visible=True),
                "data": token_transfer(recipient, amount),
            },
        )
    raw = raw_data(
        kind,
        {"owner_address": PAYER, **value},
        **reference(node.head.id),
        expiration=node.head.time_ms + EXPIRATION_MS,
        timestamp=node.now_ms(),
        **({"fee_limit": FEE_LIMIT} if contract else {}),
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
    """Replace the faults by the members given; see `faults.Faults`."""
    fields: dict[str, Any] = dict(query.fields)
    if unknown := fields.keys() - set(Faults.__slots__):
        raise BadQuery(f"no such fault: {min(unknown)}")
    if "refuse" in fields:
        code, message = fields["refuse"]
        fields["refuse"] = (code, message)
    fields["blank"] = frozenset(fields.get("blank", ()))
    query.node.faults = Faults(**fields)
    return {"faults": sorted(query.fields)}


async def set_up(query: Query) -> Json:
    """Configure the node as its operator would; see `faults.Settings`."""
    query.node.settings.save_internal = query.flag("save_internal")
    return {"save_internal": query.node.settings.save_internal}


async def penalise(query: Query) -> Json:
    """Make the base58 `contract` a busy one: `factor` ten-thousandths more energy (0: none)."""
    factor = query.number("factor")
    if not 0 <= factor <= ENERGY_FACTOR_MAX:
        raise BadQuery(f"factor: {factor} is not 0 to {ENERGY_FACTOR_MAX}")
    contract = address.parse(query.text("contract"), visible=True)
    query.node.world.factors[contract] = factor
    return {"factor": factor}


def _head(query: Query) -> Json:
    head = query.node.head
    return {"num": head.height, "id": head.id.hex()}


CONTROLS: dict[str, Handler] = {
    "fund": fund,
    "mine": mine,
    "reorg": reorg,
    "travel": travel,
    "faults": set_faults,
    "settings": set_up,
    "penalty": penalise,
}
