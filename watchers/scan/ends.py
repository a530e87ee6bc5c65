"""A second look before money is given back: blocks or other providers must bear an end out.

One node that lies about how a transaction ended, or hides it, would have a withdrawal paid and
released. Where a block's id commits to its transactions, those blocks have to prove the end.
Where a network has a quorum, so many providers must show the same end in the same block, or know
nothing of a transaction that expired.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import and_, or_, select

from gateway.db import CROSS_TENANT
from gateway.models import Attempt
from watchers.network import Block, ChainReader
from watchers.pay import settler
from watchers.pay.keepers import CANCEL
from watchers.pay.proof import Proof
from watchers.pay.sealed import EXCUSE, Doubt, window_of
from watchers.pay.settler import Against
from watchers.providers.witness import Witness
from watchers.scan.track import Track
from watchers.scan.witnesses import answers

RETRY_SECONDS = 10.0
LOOKED_AT = 50
"""So many at a look: each costs milliseconds in which nothing else of this process goes on."""
EXPIRES = "expiration_ms"
UNSEEN = "its end is not borne out yet"
ONE_ALONE = "only one node says how it ended: a second one or a person (watchers settle) has to bear it out"
STRANGE = "it refers to a block that our scan did not pass"
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
    """Has blocks and other providers bear out what would be given back; again every ten seconds."""

    track: Track
    waiting: str | None = None
    retry_seconds: float = RETRY_SECONDS
    _sure: set[End] = field(default_factory=set)
    _doubts: dict[End, str] = field(default_factory=dict)
    """By whose turn it is: what was looked at last is the last."""
    _again_at: float = 0.0
    _wanted: set[str] = field(default_factory=set)
    """What the settler would have given back."""
    _proof: Proof | None = field(init=False)

    def __post_init__(self) -> None:
        self._proof = None if self.track.seals is None else Proof(self.track.seals)

    async def look(self, final_height: int, final_ms: int) -> Against:
        """Return what stands against giving back what ends at this final block."""
        if self.track.quorum == 1 and self._proof is None:
            if self.track.lone_word:
                return settler.nothing_against
            found = await self._ending(final_height, final_ms) if self._wanted else []
            self._wanted &= {each.id for each in found}
            self.waiting = _told([_not_settled(each, ONE_ALONE) for each in found])
            return self._alone
        if self.track.quorum == 1 and not self._wanted:
            return self._unproved  # nobody reads rows or blocks before something is given back
        found = await self._ending(final_height, final_ms)
        self._wanted &= {each.id for each in found}
        ends = {_end_of(each): each for each in found}
        self._sure &= ends.keys()
        self._doubts = {end: told for end, told in self._doubts.items() if end in ends}
        news = ends.keys() - self._sure - self._doubts.keys()
        if news or time.monotonic() >= self._again_at:
            self._doubts |= dict.fromkeys(news, UNSEEN)
            await self._look(ends, final_height)
            self._again_at = time.monotonic() + self.retry_seconds
        self.waiting = _told(list(self._doubts.values()))
        sure = {id_ for id_, _ in self._sure}
        reasons = {id_: reason for (id_, _), reason in self._doubts.items()}
        return lambda id_: None if id_ in sure else reasons.get(id_) or self._unproved(id_)

    def _unproved(self, attempt_id: str) -> str:
        self._wanted.add(attempt_id)
        return UNSEEN

    def _alone(self, attempt_id: str) -> str:
        self._wanted.add(attempt_id)
        return ONE_ALONE

    async def _look(self, ends: Mapping[End, Attempt], final_height: int) -> None:
        """Look at those whose turn it is; one for which blocks are read keeps its turn."""
        if self._proof is not None:
            self._proof.begin([ends[end] for end in self._doubts])
        for end in list(self._doubts)[:LOOKED_AT]:
            reason = await self._against(ends[end], final_height)
            if reason is not None and self._proof is not None and self._proof.spent:
                self._doubts[end] = reason
                return
            del self._doubts[end]
            if reason is None:
                self._sure.add(end)
            else:
                self._doubts[end] = reason
            await asyncio.sleep(0)  # the rest of this process has its turn too

    async def _against(self, attempt: Attempt, final_height: int) -> str | None:
        """Return why the end of a transaction is not borne out, if so."""
        several, doubt, told = self.track.quorum > 1, None, None
        if self._proof is not None:
            doubt = await self._passed(attempt, final_height) or await self._proof.doubt(
                attempt, final_height
            )
            if doubt is not None and not (doubt.others and self._enough):
                told = doubt.reason
        if told is None and (several or doubt is not None):
            told = await self._asked(attempt)
        return None if told is None else _not_settled(attempt, told)

    @property
    def _enough(self) -> bool:
        """Whether what blocks cannot show may be said by nodes: several, or one that is trusted alone."""
        return self.track.quorum > 1 or (self.track.lone_word and bool(self.track.witnesses))

    async def _passed(self, attempt: Attempt, final_height: int) -> Doubt | None:
        """Demand that our scan passed the block that an intent refers to.

        To make up a block with its ten signed bytes takes long; whoever does would have to have it
        ready before our scan comes there.
        """
        window = window_of(attempt.intent, attempt.block_height)
        if window is None:
            return None
        if window.anchor > final_height:
            return Doubt(STRANGE)
        values = {"network": self.track.network, "height": window.anchor}
        rows = await self.track.database.ask(_STANDS, values)
        if not rows:
            return Doubt(f"{STRANGE}; {EXCUSE}", others=True)
        return None if rows[0][0] == window.anchor_hash else Doubt(STRANGE)

    async def _asked(self, attempt: Attempt) -> str | None:
        """Return why the other providers do not bear it out, if so."""
        height = attempt.block_height
        if height is None:
            said = await answers(self.track.witnesses, lambda each: self._absent(each, attempt))
        else:
            said = await answers(
                self.track.witnesses, lambda each: _shown(each, attempt, height)
            )
        differences = {name: reason for name, (reason,) in said.items()}
        # One that is trusted needs nobody else; it outvotes nobody either.
        alone = self.track.quorum == 1
        return verdict(differences, self.track.quorum, unanimous=height is None or alone)

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


def _not_settled(attempt: Attempt, told: str) -> str:
    """Name the order as `watchers settle` wants it: what the house sends itself has no other row."""
    return f"{attempt.order_id}: {attempt.tx_hash} is not settled: {told}"


def _told(waiting: Sequence[str]) -> str | None:
    """Return what is said of the first, and how many there are."""
    if not waiting:
        return None
    return waiting[0] if len(waiting) == 1 else f"{len(waiting)} wait; the first: {waiting[0]}"


def _end_of(attempt: Attempt) -> End:
    return attempt.id, attempt.block_hash


async def _shown(reader: ChainReader, attempt: Attempt, height: int) -> tuple[str | None]:
    return (unlike(attempt, await reader.read(height)),)


_STANDS = """
SELECT hash FROM block WHERE network_id = %(network)s AND height = %(height)s AND NOT orphaned
"""
