"""A second look before money is given back: other providers must say that a payment failed.

One node that lies about how a transaction ended, or hides it, would have a withdrawal paid and
released. Where a network has a quorum, so many providers must show the same end in the same
block, or know nothing of a transaction that expired.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import and_, or_, select

from gateway.db import CROSS_TENANT
from gateway.models import Attempt
from watchers.network import Block, ChainReader
from watchers.pay import settler
from watchers.pay.keepers import CANCEL
from watchers.pay.settler import Against
from watchers.providers.witness import Witness
from watchers.scan.track import Track
from watchers.scan.witnesses import answers

RETRY_SECONDS = 10.0
EXPIRES = "expiration_ms"
UNSEEN = "not shown by a second provider yet"
End = tuple[str, str | None]
"""An attempt, and the block in which it ended; None where it expired."""


def unlike(attempt: Attempt, block: Block) -> str | None:
    """Say how a provider's block differs from the end that ours showed; a cancel need only land."""
    if block.ref.hash != attempt.block_hash:
        return "shows another block"
    outcome = block.outcomes.get(attempt.tx_hash or "")
    if outcome is None:
        return "does not show it"
    if attempt.purpose != CANCEL and outcome.success is not attempt.success:
        return "shows another end"
    return None


def verdict(said: Mapping[str, str | None], quorum: int, *, unanimous: bool) -> str | None:
    """Say why what providers `said` (None: the same) is not enough; None where it is.

    What is absent needs them unanimous: one that shows it is right, whoever does not.
    """
    against = [
        f"{name} {reason}" for name, reason in sorted(said.items()) if reason is not None
    ]
    agree = len(said) - len(against)
    if agree >= quorum and not (unanimous and against):
        return None
    return against[0] if against else f"{agree} of {quorum} providers answer"


@dataclass(slots=True)
class Ends:
    """Asks the other providers about what would be given back; again every ten seconds."""

    track: Track
    waiting: str | None = None
    retry_seconds: float = RETRY_SECONDS
    _sure: set[End] = field(default_factory=set)
    _doubts: dict[End, str] = field(default_factory=dict)
    _again_at: float = 0.0

    async def look(self, final_height: int, final_ms: int) -> Against:
        """Return what stands against giving back what ends at this final block."""
        if self.track.quorum == 1:
            return settler.nothing_against
        found = await self._ending(final_height, final_ms)
        ends = {_end_of(each): each for each in found}
        news = ends.keys() - self._sure - self._doubts.keys()
        if news or time.monotonic() >= self._again_at:
            doubtful = [(end, each) for end, each in ends.items() if end not in self._sure]
            doubts = {end: await self._asked(each) for end, each in doubtful}
            self._sure |= {end for end, reason in doubts.items() if reason is None}
            self._doubts = {end: told for end, told in doubts.items() if told is not None}
            self._again_at = time.monotonic() + self.retry_seconds
        self._sure &= ends.keys()
        self.waiting = next(iter(self._doubts.values()), None)
        sure = {id_ for id_, _ in self._sure}
        reasons = {id_: reason for (id_, _), reason in self._doubts.items()}
        return lambda id_: None if id_ in sure else reasons.get(id_, UNSEEN)

    async def _asked(self, attempt: Attempt) -> str | None:
        """Return why the other providers do not bear the end of a transaction out, if so."""
        height = attempt.block_height
        if height is None:
            said = await answers(self.track.witnesses, lambda each: self._absent(each, attempt))
        else:
            said = await answers(
                self.track.witnesses, lambda each: _shown(each, attempt, height)
            )
        differences = {name: reason for name, (reason,) in said.items()}
        told = verdict(differences, self.track.quorum, unanimous=height is None)
        return None if told is None else f"{attempt.tx_hash} is not settled: {told}"

    async def _absent(self, reader: ChainReader, attempt: Attempt) -> tuple[str | None]:
        locate = self.track.locate
        if locate is None:
            return ("cannot be asked for a transaction",)
        node = reader.reader if isinstance(reader, Witness) else reader
        height = await locate(node, attempt.tx_hash or "")
        return (None if height is None else f"shows it in block {height}",)

    async def _ending(self, final_height: int, final_ms: int) -> list[Attempt]:
        landed = and_(
            Attempt.state == "included",
            Attempt.block_height <= final_height,
            Attempt.success.is_not(None),
        )
        query = (
            select(Attempt)
            .where(
                Attempt.network_id == self.track.network,
                or_(landed, and_(Attempt.state == "signed", Attempt.intent.has_key(EXPIRES))),
            )
            .order_by(Attempt.id)
        )
        async with self.track.database.unit_of_work(CROSS_TENANT) as session:
            rows = (await session.scalars(query)).all()
        return [
            each
            for each in rows
            if (
                settler.gives_back(each)
                if each.block_height is not None
                else settler.expired(each, final_ms)
            )
        ]


def _end_of(attempt: Attempt) -> End:
    return attempt.id, attempt.block_hash


async def _shown(reader: ChainReader, attempt: Attempt, height: int) -> tuple[str | None]:
    return (unlike(attempt, await reader.read(height)),)
