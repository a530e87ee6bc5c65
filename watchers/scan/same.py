"""A payment inside a contract that is read again under another ordinal is the same payment.

What a node lists beside the moves of value has changed with its version and its settings, and rows
written then keep the ordinals of then: two readings of one block are compared by what they say, not
by the places that they give it. In one transaction as many payments to one address, of one asset
and one amount, are known as there are rows of them; what goes beyond that is new.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count

from msgspec.structs import replace as renamed
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.deposits.leaving import NOT_SHOWN
from gateway.models import Deposit
from gateway.models.columns import among, joined
from watchers.network import Block, Transfer
from watchers.scan.evidence import claim_of

INTERNAL = "internal"
Payment = tuple[str, str, int]
"""Recipient, asset and units."""


async def recognised(
    session: AsyncSession, network: str, assets: Mapping[str, str], run: Sequence[Block]
) -> list[Block]:
    """Return these blocks with the ordinals that our rows of them have; `assets` by currency id."""
    query = select(Deposit).where(
        Deposit.network_id == network,
        Deposit.kind == INTERNAL,
        among(Deposit.block_hash, "hashes"),
        Deposit.status != "reorged",
        Deposit.reason.is_distinct_from(NOT_SHOWN),
    )
    rows = await session.scalars(query, {"hashes": joined(block.ref.hash for block in run)})
    known: defaultdict[str, list[Transfer]] = defaultdict(list)
    for row in rows:
        known[row.block_hash].append(claim_of(row, "", assets).transfer)
    return [
        replace(block, transfers=tuple(as_known(block.transfers, known[block.ref.hash])))
        if block.ref.hash in known
        else block
        for block in run
    ]


def as_known(shown: Iterable[Transfer], known: Iterable[Transfer]) -> list[Transfer]:
    """Return what is shown, each payment inside a contract under its row's ordinal where it has one.

    Another payment never takes the ordinal of a payment that is shown elsewhere in its
    transaction: it gets the next one that is free.
    """
    rows: defaultdict[str, dict[int, Payment]] = defaultdict(dict)
    for each in known:
        rows[each.tx_hash][each.ordinal] = _payment(each)
    found = list(shown)
    inner = [
        (place, each)
        for place, each in enumerate(found)
        if each.kind == INTERNAL and each.tx_hash in rows
    ]
    # Those that stand where their row does keep it, whatever else is like them.
    inner.sort(key=lambda each: rows[each[1].tx_hash].get(each[1].ordinal) != _payment(each[1]))
    left = {tx_hash: dict(places) for tx_hash, places in rows.items()}
    new: list[tuple[int, Transfer]] = []
    for place, each in inner:
        ordinal = _taken(left[each.tx_hash], each)
        if ordinal is None:
            new.append((place, each))
        else:
            found[place] = renamed(each, ordinal=ordinal)
    for place, each in new:
        taken, doubted = rows[each.tx_hash], left[each.tx_hash]
        if each.ordinal in doubted:
            continue  # it contradicts a row that nothing else shows: that is a dispute
        free = next(n for n in count(each.ordinal) if n not in taken)
        taken[free] = _payment(each)
        found[place] = renamed(each, ordinal=free)
    return found


def _taken(left: dict[int, Payment], transfer: Transfer) -> int | None:
    """Take the ordinal of a row that says the same from those left; None where none does."""
    like = [ordinal for ordinal, each in left.items() if each == _payment(transfer)]
    if not like:
        return None
    ordinal = transfer.ordinal if transfer.ordinal in like else min(like)
    del left[ordinal]
    return ordinal


def _payment(transfer: Transfer) -> Payment:
    return transfer.recipient, transfer.asset, transfer.units
