"""Pure: what a chain of sealed blocks proves about the end of a transaction that may expire.

Its bytes name a reference block, and a chain that does not have that block takes them nowhere.
So whoever made the blocks up to there made them on the chain where it can land, and more than
two thirds of them must have signed blocks above the one that ends it: a node that left it out
of its block, or made up blocks without it, has no such signatures to show.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from watchers.network import BlockRef
from watchers.seals import REFERENCE_AT, Terms

ROUNDS = 54
"""Blocks of two rounds of Tron's 27 witnesses."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HEIGHT_HEX, ID_HEX, NAME_HEX = 16, 64, 16
NAME_BYTES = NAME_HEX // 2
EXCUSE = "a second node or a person (watchers settle) has to bear it out"


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why an end is not proved. `others`: the word of enough other nodes is good instead."""

    reason: str
    others: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """One block of a chain in which each names the one before.

    `names` are the first eight bytes of each of its transactions' hashes, one after the other:
    a search in them takes a tenth of one in a list. None where only the header was read, or where
    (`untold`) its transactions cannot be hashed.
    """

    ref: BlockRef
    witness: str
    signed: bool
    names: bytes | None = None
    untold: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """Where a transaction may stand: above its reference block, until `until` or at `landed`."""

    anchor: int
    anchor_hash: str
    until: datetime
    landed: int | None

    @property
    def low(self) -> int:
        """The lowest block whose maker counts as one of the chain's; a genesis has none."""
        return max(min(1, self.anchor), self.anchor - ROUNDS + 1)


def window_of(intent: Mapping[str, Any], landed: int | None) -> Window | None:
    """Return where a transaction may stand, or does; None where its intent does not say."""
    reference, expiration = intent.get("ref_block_id"), intent.get("expiration_ms")
    if not isinstance(reference, str) or len(reference) != ID_HEX or expiration is None:
        return None
    try:
        height = int(reference[:HEIGHT_HEX], 16)
        until = EPOCH + timedelta(milliseconds=int(expiration))
    except (ValueError, OverflowError):
        return None
    return Window(height, reference, until, landed)


def unlike(intent: Mapping[str, Any], tx_hash: str | None, terms: Terms) -> str | None:
    """Say in what a row is not its signed bytes; None: nothing. They alone are what may land."""
    reference = str(intent.get("ref_block_id"))
    if tx_hash != terms.tx_hash:
        return "the row names another hash than its signed bytes have"
    if (
        reference[REFERENCE_AT:][: len(terms.reference)] != terms.reference
        or not terms.reference
    ):
        return "the row names another reference block than its signed bytes do"
    if str(intent.get("expiration_ms")) != str(terms.expiration_ms):
        return "the row names another expiration than its signed bytes do"
    return None


def name_of(tx_hash: str) -> bytes:
    """Return the first eight bytes of a hash."""
    return bytes.fromhex(tx_hash[:NAME_HEX])


def holds(names: bytes, name: bytes) -> bool:
    """Tell whether one of the names is this one; where two of them meet is none."""
    at = names.find(name)
    while at % NAME_BYTES and at >= 0:
        at = names.find(name, at + 1)
    return at >= 0


def missing(
    window: Window, links: Mapping[int, Link], final: int
) -> Iterator[tuple[int, bool]]:
    """Yield the heights that are still to be read, and whether with their transactions."""
    below = (each for each in range(window.anchor, window.low - 1, -1) if each not in links)
    yield from ((height, False) for height in below)
    known, signed, end = _makers(window, links), set[str](), final
    for height in range(window.anchor + 1, final + 1):
        if height > end + ROUNDS:
            return
        whole, link = window.landed is None and height <= end, links.get(height)
        if link is None or (whole and link.names is None and not link.untold):
            yield height, whole
        if link is None:
            continue
        if _ends(window, link):
            end = min(end, height)
        if height >= end and link.signed:
            signed.add(link.witness)
            if len(signed & known) >= needed(known):
                return


def doubt(window: Window, links: Mapping[int, Link], final: int, tx_hash: str) -> Doubt | None:
    """Say why blocks that are all read do not prove a transaction's end; None: they do."""
    if links[window.anchor].ref.hash != window.anchor_hash:
        return Doubt(f"block {window.anchor} is not the one that it refers to")
    if window.landed is not None and window.landed <= window.anchor:
        return Doubt(f"block {window.landed} is not above the one that it refers to")
    above = [links[each] for each in range(window.anchor + 1, final + 1) if each in links]
    end = next((each.ref.height for each in above if _ends(window, each)), None)
    if end is None:
        return Doubt("no block that is read ends it yet")
    known = _makers(window, links)
    read = range(end, end + ROUNDS + 1)  # what is kept above was read for others, behind a hole
    signed = {each.witness for each in above if each.signed and each.ref.height in read}
    count = len(signed & known)
    if count < needed(known):
        told = f"{count} of {needed(known)} witnesses signed blocks above {end}"
        made = {each.witness for each in above if each.ref.height in read}
        return _too_few(told, made & known - signed) if final >= end + ROUNDS else Doubt(told)
    if window.landed is not None:
        return None
    return _shown([each for each in above if each.ref.height <= end], name_of(tx_hash))


def _too_few(told: str, otherwise: set[str]) -> Doubt:
    """Say so after two rounds, when nobody else will come."""
    if otherwise:
        told += f", {len(otherwise)} had theirs signed with another key"
    return Doubt(f"{told}; {EXCUSE}", others=True)


def needed(known: frozenset[str]) -> int:
    """Return how many of a chain's witnesses make a block its own: more than two thirds."""
    return len(known) * 2 // 3 + 1


def _shown(above: list[Link], name: bytes) -> Doubt | None:
    for link in above:
        if link.names is not None and holds(link.names, name):
            height = link.ref.height
            return Doubt(f"it stands in block {height}, which our scan was shown without it")
    untold = next((each.ref.height for each in above if each.names is None), None)
    if untold is None:
        return None
    return Doubt(f"the transactions of block {untold} cannot be hashed; {EXCUSE}", others=True)


def _ends(window: Window, link: Link) -> bool:
    """Tell whether nothing above this block can hold it.

    A block may still hold what expires after its parent's time, so this one is looked at too.
    """
    if window.landed is not None:
        return link.ref.height >= window.landed
    return link.ref.time >= window.until


def _makers(window: Window, links: Mapping[int, Link]) -> frozenset[str]:
    heights = range(window.low, window.anchor + 1)
    return frozenset(links[each].witness for each in heights if each in links)
