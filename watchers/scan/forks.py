"""Where the nodes' chain left ours, below what was final: asked of every node, believed by quorum."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from gateway.db import CROSS_TENANT
from gateway.models import Block as BlockRow
from watchers import store
from watchers.network import ChainReader, Tip
from watchers.scan.edge import proved_tip
from watchers.scan.finality import Ours, agreed_height
from watchers.scan.standing import shows
from watchers.scan.track import Track
from watchers.scan.witnesses import answers

T = TypeVar("T")


class CannotReopen(Exception):
    """Why a network is not reopened, in one line."""


@dataclass(frozen=True, slots=True)
class Fork:
    """Our highest block that stands on the nodes' chain, and the lowest one that does not."""

    base: Ours
    first: int
    final: int
    """Up to where the nodes call their blocks final."""


def nodes_of(track: Track) -> Mapping[str, ChainReader]:
    """Return a reader of each node, by name."""
    return track.witnesses or {"the node": track.reader}


async def heard(
    track: Track, ask: Callable[[ChainReader], Awaitable[T]], what: str
) -> dict[str, T]:
    """Return what the nodes say who answer; raise `CannotReopen` where they are too few."""

    async def told(reader: ChainReader) -> tuple[T]:
        return (await ask(reader),)

    said = await answers(nodes_of(track), told)
    if len(said) < track.quorum:
        raise CannotReopen(f"{what}: {len(said)} of {track.quorum} nodes answer")
    return {name: answer for name, (answer,) in said.items()}


def majority(said: Mapping[str, bool], quorum: int, what: str) -> bool:
    """Return what `quorum` nodes and more than the others say; raise `CannotReopen` for neither."""
    yes = [name for name, answer in said.items() if answer]
    no = [name for name, answer in said.items() if not answer]
    if len(yes) >= quorum and len(yes) > len(no):
        return True
    if len(no) >= quorum and len(no) > len(yes):
        return False
    raise CannotReopen(
        f"{what}: {', '.join(sorted(yes)) or 'nobody'} shows ours and "
        f"{', '.join(sorted(no)) or 'nobody'} another: remove the nodes that lie"
    )


async def fork_of(track: Track) -> Fork:
    """Find where the chains part; raise `CannotReopen` where that is not below what was final."""
    tips = {name: proved_tip(tip) for name, tip in (await heard(track, _tip, "tip")).items()}
    final = agreed_height({name: tip.final for name, tip in tips.items()}, track.quorum) or 0
    reach = min([track.position.height, *(tip.head for tip in tips.values())])
    low = await _lowest(track)
    top = await _ours(track, reach)
    if top is None or low.height > reach or not await _stands(track, low):
        raise CannotReopen(f"none of our blocks is on the nodes' chain, {low.height} neither")
    if await _stands(track, top):
        raise CannotReopen(f"the nodes show our block {top.height}: nothing is contradicted")
    base, first = await _halved(track, low, top.height)
    if base.height >= track.position.final_height:
        raise CannotReopen("the nodes show all that was final: the watcher goes on by itself")
    return Fork(base, first, final)


async def _halved(track: Track, base: Ours, falls: int) -> tuple[Ours, int]:
    """Branches agree up to a point and never again: halve what lies between."""
    stands = base.height
    while falls - stands > 1:
        middle = (stands + falls) // 2
        ours = await _ours(track, middle)
        if ours is None or ours.height <= base.height:
            stands = middle  # slots may be skipped: none of our blocks is in between
        elif await _stands(track, ours):
            base, stands = ours, middle
        else:
            falls = ours.height
    return base, falls


async def _stands(track: Track, ours: Ours) -> bool:
    what = f"block {ours.height}"
    said = await heard(
        track, lambda node: shows(node, ours.height, ours.hash, dense=track.dense), what
    )
    return majority(said, track.quorum, what)


async def _ours(track: Track, height: int) -> Ours | None:
    async with track.database.unit_of_work(CROSS_TENANT) as session:
        return _named(await store.block_at_or_below(session, track.network, height))


async def _lowest(track: Track) -> Ours:
    rows = await track.database.ask(_LOWEST, {"network": track.network})
    if not rows:
        raise CannotReopen(f"{track.network}: never scanned")
    return Ours(*rows[0])


def _named(block: BlockRow | None) -> Ours | None:
    return None if block is None else Ours(block.height, block.hash)


async def _tip(reader: ChainReader) -> Tip:
    return await reader.tip()


_LOWEST = """
SELECT height, hash FROM block WHERE network_id = %(network)s AND NOT orphaned
ORDER BY height LIMIT 1
"""
