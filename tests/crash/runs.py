"""Which process is killed where, on which chain, with which asset: the whole campaign as a list."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from random import Random

import keystore.crash
from watchers import crash

FAMILIES = ("ethereum", "tron", "solana")
KINDS = ("native", "token")
SEED = 20261126
TENTH = 10


@dataclass(frozen=True, slots=True)
class Run:
    """Die at `point` while `story` is told, after dying at `first` where that is named."""

    point: str
    family: str
    kind: str
    story: str = "payout"
    first: str = ""

    def __str__(self) -> str:
        return f"{self.family}-{self.kind}-{self.story}-{self.point}"


def _sides(*commits: str) -> tuple[str, ...]:
    return tuple(f"{name}.{side}" for name in commits for side in crash.SIDES)


SENT = (
    *_sides("payout.signed"),
    "broadcast.sending",
    "broadcast.sent",
    *_sides("payout.noted", "payout.included", "payout.settled"),
)
"""What every transaction of ours goes through once it is signed."""
PAYOUT = (
    *_sides("payout.claim", "payout.prepared"),
    "keystore.asking",
    "keystore.answered",
    *SENT,
)
ADOPTION = ("adoption.reading", *_sides("adoption.taken"))
"""After the answer of the keystore was lost."""
REFUSED = _sides("payout.refused")
LANE = (*_sides("lane.prepared"), "lane.asking", "lane.answered", *SENT)
SWEEP = _sides("sweep.begun", "sweep.prepared", "sweep.ended")
HOUSE = _sides("house.prepared")
CANCEL = (
    *_sides("payout.prepared"),
    "keystore.asking",
    "keystore.answered",
    *SENT,
    *_sides("cancel.closed"),
)
"""On the way of what takes a signed payment's place and moves nothing, and after its end."""
CANCELED = {("solana", "native"), ("ethereum", "native")}
"""Where a cancel is a kind of transaction of its own, and where it is a payment of 0 to oneself."""
OUTBID = (*_sides("payout.prepared"), "keystore.asking", "keystore.answered", *SENT)
"""On the way of the same payment at a better price."""
BUMPED = {("ethereum", "token")}
REFILLED = ("ethereum", "tron")
"""Where a gas wallet pays for what leaves pool addresses."""
KEYSTORE = tuple(sorted(keystore.crash.POINTS))


def campaign() -> list[Run]:
    """Return every run."""
    return list(_runs())


def _runs() -> Iterator[Run]:
    for family in FAMILIES:
        for kind in KINDS:
            yield from (Run(point, family, kind) for point in PAYOUT)
            for point in ADOPTION:
                yield Run(point, family, kind, "adoption", first="keystore.answered")
            yield from (Run(point, family, kind, "refused") for point in REFUSED)
            if (family, kind) in CANCELED:
                yield from _second("cancel", CANCEL, family, kind)
            if (family, kind) in BUMPED:
                yield from _second("bump", OUTBID, family, kind)
            yield from (Run(point, family, kind, "keystore") for point in KEYSTORE)
        yield from (Run(point, family, "native", "sweep") for point in SWEEP)
    yield from (Run(point, "solana", "native", "lane") for point in LANE)
    for family in REFILLED:
        yield from (Run(point, family, "native", "house") for point in HOUSE)


def _second(story: str, places: tuple[str, ...], family: str, kind: str) -> Iterator[Run]:
    """Yield the runs of what competes with a signed payment for its place."""
    yield from (Run(point, family, kind, story) for point in (*places, *KEYSTORE))
    for point in ADOPTION:
        yield Run(point, family, kind, story, first="keystore.answered")


def chosen(*, everything: bool) -> list[Run]:
    """Return every run, or a seeded tenth of them."""
    runs = campaign()
    if everything:
        return runs
    return Random(SEED).sample(runs, ceil(len(runs) / TENTH))


def points() -> frozenset[str]:
    """Return every declared place of both programs."""
    return crash.POINTS | keystore.crash.POINTS


def header(*, everything: bool) -> str:
    """Say how many places and runs there are."""
    return (
        f"crash points: {len(points())}, runs: {len(chosen(everything=everything))} "
        f"of {len(campaign())}"
    )
