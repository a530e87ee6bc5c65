"""Final deposits above a fork: which of them the nodes' chain shows in a final block of its own."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.models import Deposit
from watchers.chain import asset_of
from watchers.network import Block, BlockRef, ChainReader
from watchers.providers.witness import Witness
from watchers.scan.evidence import BALANCE, Claim, claim_of, name_of
from watchers.scan.forks import CannotReopen, Fork, heard
from watchers.scan.track import Track

NAMED_BY_NODES = ("internal", "withdrawal", BALANCE)
"""Kinds whose names or blocks no transaction tells alike on every node."""


@dataclass(frozen=True, slots=True)
class Doubted:
    """A confirmed deposit above the fork, and the block in which the nodes show it, if any."""

    claim: Claim
    currency_id: str
    merchant_id: str | None
    stands: BlockRef | None


async def confirmed_above(session: AsyncSession, network: str, height: int) -> list[Deposit]:
    """Return what was credited from blocks above a height, but differences of balances."""
    query = select(Deposit).where(
        Deposit.network_id == network,
        Deposit.status == "confirmed",
        Deposit.kind != BALANCE,
        Deposit.block_height > height,
    )
    return list(await session.scalars(query.order_by(Deposit.id)))


async def doubted(track: Track, fork: Fork, deposits: Sequence[Deposit]) -> tuple[Doubted, ...]:
    """Ask every node about each of these; raise `CannotReopen` where too few answer."""
    assets = {currency.id: asset_of(currency) for currency in track.currencies}
    found = []
    for deposit in deposits:
        claim = claim_of(deposit, "", assets)
        stands = await _where(track, fork, claim)
        found.append(Doubted(claim, deposit.currency_id, deposit.merchant_id, stands))
    return tuple(found)


async def _where(track: Track, fork: Fork, claim: Claim) -> BlockRef | None:
    """Return the final block that holds the very same transfer, as quorum nodes say.

    What is not found is taken back, and is credited anew where the scan comes by it. That is the
    safe side: only a transfer that every node names alike may keep its credit meanwhile.
    """
    locate, tx_hash = track.locate, claim.transfer.tx_hash
    if locate is None:
        raise CannotReopen("the nodes cannot be asked for a transaction")
    if claim.transfer.kind in NAMED_BY_NODES:
        return None

    async def shown(reader: ChainReader) -> BlockRef | None:
        node = reader.reader if isinstance(reader, Witness) else reader
        height = await locate(node, tx_hash)
        if height is None or height > fork.final:
            return None
        block = await reader.read(height)
        return block.ref if _holds(block, claim) else None

    said = await heard(track, shown, f"deposit {claim.id}")
    votes = Counter(ref for ref in said.values() if ref is not None)
    for ref, count in votes.most_common(1):
        if count >= track.quorum and 2 * count > len(said):
            return ref
    return None


def _holds(block: Block, claim: Claim) -> bool:
    """Tell whether a block shows the very transfer that was credited."""
    ours = claim.transfer
    return any(
        name_of(each) == name_of(ours)
        and (each.asset, each.recipient, each.units) == (ours.asset, ours.recipient, ours.units)
        for each in block.transfers
    )
