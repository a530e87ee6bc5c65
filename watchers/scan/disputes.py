"""Where a block that is read again says otherwise than a pending deposit of ours: enough nodes decide.

Against the node that was read first one other is not believed: either may lie.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.models import Deposit
from watchers.chain import asset_of
from watchers.network import Block, Transfer
from watchers.scan.evidence import BALANCE, Claim, claim_of, is_blind, name_of
from watchers.scan.reorg import WITNESSES
from watchers.scan.track import Track
from watchers.scan.witnesses import answers


@dataclass(frozen=True, slots=True)
class Dispute:
    """A pending deposit, and what the block that was read again says instead.

    `theirs` is None where the block does not show it. Height and hash are that block's.
    """

    deposit_id: str
    ours: Transfer
    height: int
    block_hash: str
    theirs: Transfer | None


async def disputed(session: AsyncSession, track: Track, run: Sequence[Block]) -> list[Dispute]:
    """Return what these blocks say otherwise than our pending deposits."""
    here = {hit.tx_hash for block in run for hit in track.book.hits(block, frozenset())}
    standing = and_(
        Deposit.block_height.between(run[0].ref.height, run[-1].ref.height),
        Deposit.block_hash.in_([block.ref.hash for block in run]),
    )
    query = select(Deposit).where(
        Deposit.network_id == track.network,
        Deposit.status == "pending",
        Deposit.kind != BALANCE,
        or_(standing, Deposit.tx_hash.in_(here)),
    )
    assets = {each.id: asset_of(each) for each in track.currencies}
    rows = (await session.scalars(query)).all()
    return disputes([claim_of(row, "", assets) for row in rows], run)


def disputes(claims: Iterable[Claim], run: Sequence[Block]) -> list[Dispute]:
    """Compare what we hold with what the blocks show.

    One transaction stands in one block: what another block shows of it is another thing too.
    """
    waiting = {name_of(claim.transfer): claim for claim in claims}
    found = []
    for block in run:
        shown = {name: each for each in block.transfers if (name := name_of(each)) in waiting}
        for name, claim in waiting.items():
            theirs, own = shown.get(name), claim.block_hash == block.ref.hash
            if theirs is None and not (own and _lacks(block, claim.transfer)):
                continue
            if theirs is not None and own and _is_like(theirs, claim.transfer):
                continue
            found.append(
                Dispute(claim.id, claim.transfer, block.ref.height, block.ref.hash, theirs)
            )
    return found


def says(dispute: Dispute, block: Block) -> bool | None:
    """Tell whether a node's block says what was read again; None where it cannot say."""
    if block.ref.hash != dispute.block_hash:
        return None
    ours, theirs = dispute.ours, dispute.theirs
    named = next((each for each in block.transfers if name_of(each) == name_of(ours)), None)
    if named is None and is_blind(block, ours):
        return None
    if theirs is None:
        return named is None and _lacks(block, ours)
    return named is not None and _is_like(named, theirs)


async def believed(track: Track, found: Iterable[Dispute]) -> frozenset[Dispute]:
    """Ask every node; return those disputes in which enough say what was read again."""
    by_height: dict[int, list[Dispute]] = {}
    for dispute in found:
        by_height.setdefault(dispute.height, []).append(dispute)
    proved: set[Dispute] = set()
    for height, together in by_height.items():
        proved |= await _weighed(track, height, together)
    return frozenset(proved)


async def _weighed(track: Track, height: int, together: Iterable[Dispute]) -> set[Dispute]:
    blocks = (await answers(track.witnesses, lambda each: each.read(height))).values()
    proved = set()
    for dispute in together:
        said = [says(dispute, block) for block in blocks]
        agree, against = said.count(True), said.count(False)
        if agree >= max(WITNESSES, track.quorum) and agree > against:
            proved.add(dispute)
    return proved


def _lacks(block: Block, ours: Transfer) -> bool:
    """Tell whether a block shows no such value to this address in this transaction."""
    return not is_blind(block, ours) and not any(
        each.tx_hash == ours.tx_hash and _is_like(each, ours) for each in block.transfers
    )


def _is_like(one: Transfer, other: Transfer) -> bool:
    return (one.asset, one.recipient, one.units) == (other.asset, other.recipient, other.units)


def worded(dispute: Dispute) -> str:
    """Say it in one line."""
    what = "is not in it" if dispute.theirs is None else "is another payment in it"
    return f"block {dispute.height}: deposit {dispute.deposit_id} {what} as it is read now"
