"""Which of our blocks is final: so many providers must show it as theirs.

Only those who answer have a say. One provider alone could otherwise make money out of nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from watchers.network import BlockRef, ChainReader, Tip
from watchers.scan.edge import proved_tip
from watchers.scan.track import Track
from watchers.scan.witnesses import answers


@dataclass(frozen=True, slots=True)
class Ours:
    """One of our blocks."""

    height: int
    hash: str


def agreed_height(finals: Mapping[str, int], quorum: int) -> int | None:
    """Return the highest height that `quorum` providers call final; None where fewer answer."""
    highest = sorted(finals.values(), reverse=True)
    return highest[quorum - 1] if len(highest) >= quorum else None


def verdict(ours: Ours, refs: Mapping[str, BlockRef], quorum: int) -> str | None:
    """Say why our block is not final yet, or None where `quorum` providers show it."""
    agree = sum(ref.hash == ours.hash for ref in refs.values())
    if agree >= quorum:
        return None
    against = sorted(name for name, ref in refs.items() if ref.hash != ours.hash)
    if against:
        return f"final block {ours.height}: {', '.join(against)} shows another one than ours"
    return f"final block {ours.height}: {agree} of {quorum} providers show it"


def outvoted(ours: Ours, refs: Mapping[str, BlockRef], quorum: int) -> BlockRef | None:
    """Return the other block at this height where `quorum` providers show the same one."""
    others = [ref for ref in refs.values() if ref.hash != ours.hash]
    for ref in others:
        if sum(other.hash == ref.hash for other in others) >= quorum:
            return ref
    return None


@dataclass(slots=True)
class Finality:
    """Asks as many providers as the network's quorum needs."""

    track: Track
    waiting: str | None = None
    """What keeps the final height where it is, in one sentence."""

    async def height(self) -> int | None:
        """Return up to where blocks are final; None while too few providers answer."""
        track = self.track
        if track.quorum == 1 or track.tip.final <= track.position.final_height:
            return track.tip.final
        tips = await answers(track.witnesses, _tip)
        height = agreed_height({name: tip.final for name, tip in tips.items()}, track.quorum)
        if height is None:
            self.waiting = f"final: {len(tips)} of {track.quorum} providers answer"
        return height

    async def contradiction(self, ours: Ours) -> BlockRef | None:
        """Compare our block; return the one that stands there instead.

        `waiting` says why it is not final where enough providers neither show it nor another.
        """
        track, self.waiting = self.track, None
        if track.quorum == 1:
            theirs = await track.reader.ref_at(ours.height)
            return None if theirs.hash == ours.hash else theirs
        refs = await answers(track.witnesses, lambda reader: reader.ref_at(ours.height))
        self.waiting = verdict(ours, refs, track.quorum)
        return outvoted(ours, refs, track.quorum)


async def _tip(reader: ChainReader) -> Tip:
    return proved_tip(await reader.tip())
