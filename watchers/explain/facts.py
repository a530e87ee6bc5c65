"""Pure: what is known about one transaction, and the gates and verdicts that are made of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

MOVES_MAX = 50
"""So many transfers of one transaction are explained; those to us come first."""
Answer = Literal["yes", "no", "unknown"]
Verdict = Literal[
    "credited", "waiting", "unattributed", "refunded", "internal", "not_credited", "unknown"
]
Cause = Literal["halted", "suspended", "doubtful", "held", "due"]


@dataclass(frozen=True, slots=True)
class Gate:
    """One question with its answer, a sentence for people and the facts behind it."""

    gate: str
    answer: Answer
    detail: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one provider says about the transaction.

    `complete` is whether it proved its block to be whole; None where it was not asked or did
    not know. `trouble` is its refusal or silence in words.
    """

    provider: str
    height: int | None = None
    block_hash: str | None = None
    complete: bool | None = None
    success: bool | None = None
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A journal of the ledger; `account` is a merchant or one of the house's own accounts."""

    journal: int
    kind: str
    account: str
    units: int


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose address it is, as our rows say. `accepts` is whether its owner takes this currency."""

    purpose: Literal["pool", "wallet"]
    genuine: bool = True
    merchant_id: str | None = None
    invoice_id: str | None = None
    invoice_status: str | None = None
    accepts: bool = False
    customer_id: str | None = None

    def accepting(self, *, takes: bool) -> "Owner":
        """Return the owner with the answer whether it takes a currency."""
        return replace(self, accepts=takes)


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a final deposit is not posted; `detail` is a sentence for operators only."""

    cause: Cause
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """One transfer of the transaction, and everything our rows know about it.

    `currency` is the payment method of a listed asset. `status`, `reason` and `purpose` are the
    deposit's or the stray's; empty where there is no row. `wait` is why it is not posted though
    its block is final.
    """

    kind: str
    position: int
    asset: str
    to: str
    units: int
    currency: str | None = None
    owner: Owner | None = None
    deposit_id: str | None = None
    merchant_id: str | None = None
    purpose: str | None = None
    status: str | None = None
    reason: str | None = None
    block_height: int | None = None
    entries: tuple[Entry, ...] = ()
    wait: Wait | None = None

    def with_owner(self, owner: Owner) -> "Move":
        """Return the transfer with whose address it went to."""
        return replace(self, owner=owner)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that was found out about one transaction.

    `our_hash` is the hash of our own block at the height that the providers name; None where
    we have not come so far. `made_as` is what for, where the transaction is one of ours.
    `named` is a name of our own rows, which no node knows. `blind` tells that no node showed what
    moves inside contracts; `silent` is then what the balances of its block brought.
    """

    network: str
    tx: str
    seen: tuple[Seen, ...]
    scanned_height: int | None = None
    final_height: int | None = None
    our_hash: str | None = None
    moves: tuple[Move, ...] = ()
    made_as: str | None = None
    named: bool = False
    blind: bool = False
    silent: tuple[Move, ...] = ()

    @property
    def height(self) -> int | None:
        """Return the height that most providers name, or our rows where no provider is asked."""
        if self.named:
            return next((move.block_height for move in self.moves), None)
        heights = [seen.height for seen in self.seen if seen.height is not None]
        return max(set(heights), key=heights.count) if heights else None


@dataclass(frozen=True, slots=True)
class Explained:
    """One transfer with its gates."""

    move: Move
    gates: tuple[Gate, ...]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer: `gates` are the transaction's and those of its furthest transfer to us."""

    network: str
    tx: str
    height: int | None
    verdict: Verdict
    reason: str
    gates: tuple[Gate, ...]
    transfers: tuple[Explained, ...]


def seen_through(evidence: Evidence, merchant_id: str) -> Evidence:
    """Return what this merchant may know: chain facts, and rows that are its own.

    Which nodes the operator uses and how they word their troubles is not among them.
    """
    moves = tuple(_own(move, merchant_id) for move in evidence.moves)
    silent = tuple(_own(move, merchant_id) for move in evidence.silent)
    return replace(
        evidence,
        seen=tuple(_nameless(number, seen) for number, seen in enumerate(evidence.seen, 1)),
        # That there is a row under one of our names is nobody else's business either.
        moves=_known(moves) if evidence.named else moves,
        silent=_known(silent),
    )


def foremost(evidence: Evidence) -> Evidence:
    """Put the transfers that the asker may call ours first and leave out what is too much.

    What it may not know must not show in the order either. Where none is its own, what the
    block brought silently may be.
    """
    found = evidence.moves if _known(evidence.moves) else (*evidence.moves, *evidence.silent)
    moves = sorted(found, key=lambda each: (each.owner is None, each.kind, each.position))
    return replace(evidence, moves=tuple(moves[:MOVES_MAX]))


def _known(moves: Iterable[Move]) -> tuple[Move, ...]:
    """Return the transfers that the asker may call ours."""
    return tuple(move for move in moves if move.owner is not None)


def _nameless(number: int, seen: Seen) -> Seen:
    trouble = None if seen.trouble is None else "it gave no good answer"
    return replace(seen, provider=f"provider {number}", trouble=trouble)


def _own(move: Move, merchant_id: str) -> Move:
    owner = move.owner
    if move.wait is not None:
        move = replace(move, wait=Wait(move.wait.cause))
    if owner is not None and owner.merchant_id == merchant_id:
        return move
    if move.merchant_id == merchant_id:
        # An operator gave it this deposit: whose address it was stays untold.
        return replace(move, owner=Owner("pool", genuine=True))
    return Move(move.kind, move.position, move.asset, move.to, move.units, move.currency)
