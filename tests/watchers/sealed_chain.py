"""A chain of 27 witnesses in memory that seals its blocks, and branches that others make up."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import msgspec

from gateway.models import Attempt
from watchers.network import BlockRef, Incomplete
from watchers.seals import REFERENCE_AT, Seal, Sealed, Terms, Untold

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
BLOCK_TIME = timedelta(seconds=3)
WITNESSES = tuple(f"T{number:033}" for number in range(27))
OURS = sha256(b"ours").hexdigest()
SIGNED_HEX = 20
Ends = dict[str, bool | None]


def _id(height: int, *parts: object) -> str:
    return f"{height:016x}" + sha256(repr(parts).encode()).hexdigest()[16:]


@dataclass
class SealedChain:
    """`SealReader` of a chain; `blocks[height]`, each made by the witness whose turn it is."""

    blocks: list[Sealed] = field(default_factory=list)
    asked: list[tuple[int, bool]] = field(default_factory=list)
    untold: frozenset[int] = frozenset()

    def terms(self, raw: bytes) -> Terms:
        """Read what `attempt` wrote."""
        try:
            return msgspec.json.decode(raw, type=Terms)
        except msgspec.MsgspecError as trouble:
            raise ValueError(str(trouble)) from trouble

    async def seal(self, height: int) -> Seal:
        """Return a header."""
        self.asked.append((height, False))
        return self._at(height).seal

    async def sealed(self, height: int) -> Sealed:
        """Return a block; what is `untold` cannot be hashed."""
        self.asked.append((height, True))
        block = self._at(height)
        return replace(block, ends=None) if height in self.untold else block

    def _at(self, height: int) -> Sealed:
        if height >= len(self.blocks):
            raise Incomplete(f"block {height}: there is none")
        return self.blocks[height]

    def mine(
        self,
        count: int = 1,
        *,
        ends: Ends | None = None,
        signed: bool = True,
        late: timedelta = timedelta(0),
    ) -> int:
        """Add blocks and return the last one's height; the first holds what `ends` names."""
        for number in range(count):
            height = len(self.blocks)
            parent = self.blocks[-1].seal.ref if self.blocks else None
            held = (ends or {}) if number == 0 else {}
            time = (parent.time + BLOCK_TIME if parent else BEGUN) + (
                late if number == 0 else timedelta(0)
            )
            above = parent.hash if parent else ""
            name = _id(height, above, held, time, signed)
            ref = BlockRef(height, name, above, time)
            witness = WITNESSES[height % len(WITNESSES)]
            self.blocks.append(Sealed(Seal(ref, witness, signed), held))
        return len(self.blocks) - 1

    def branch(self, height: int) -> "SealedChain":
        """Return a copy that ends below a height, for whoever makes up the rest."""
        return SealedChain(self.blocks[:height])

    def ref(self, height: int) -> BlockRef:
        """Return the identity of a block."""
        return self.blocks[height].seal.ref

    def attempt(self, anchor: int, life: int, landed: int | None = None) -> Attempt:
        """Return our transaction: it refers to `anchor` and lives for so many blocks' time."""
        until = self.ref(anchor).time + life * BLOCK_TIME
        reference, until_ms = self.ref(anchor).hash, int(until.timestamp() * 1000)
        signed = reference[REFERENCE_AT : REFERENCE_AT + SIGNED_HEX]
        return Attempt(
            id="att_1",
            tx_hash=OURS,
            intent={"ref_block_id": reference, "expiration_ms": until_ms},
            raw=msgspec.json.encode(Terms(OURS, signed, until_ms)),
            state="signed" if landed is None else "included",
            success=None if landed is None else False,
            block_height=landed,
            block_hash=None if landed is None else self.ref(landed).hash,
        )


class Silent(SealedChain):
    """A chain whose headers have a field that we do not know."""

    async def seal(self, height: int) -> Seal:
        """Say so."""
        raise Untold(f"block {height}: its id cannot be computed")
