"""Value that moved inside contracts, from call traces: pure, and proved to be about this block.

A move is a CALL, CREATE, CREATE2 or SELFDESTRUCT with value whose own frame and every frame
around it succeeded. DELEGATECALL, CALLCODE and STATICCALL name a value and move none. The
outermost frame is the transaction's own value: it proves what the trace is about and is never
a move.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from watchers.network import Incomplete
from watchers.networks.ethereum.outcomes import SUCCEEDED
from watchers.networks.ethereum.wire import (
    RawFrame,
    RawReceipt,
    RawTrace,
    RawTransaction,
    quantity,
)

MOVING = frozenset({"CALL", "CREATE", "CREATE2", "SELFDESTRUCT"})
STILL = frozenset({"DELEGATECALL", "CALLCODE", "STATICCALL"})
FRAMES_DEEP_MAX = 1024
"""The deepest that the EVM calls."""

# One frame inside another takes the JSON decoder two levels of recursion, and Python's own
# limit of 1,000 would let a cheap transaction of 500 nested calls stop the network.
sys.setrecursionlimit(max(sys.getrecursionlimit(), 2 * FRAMES_DEEP_MAX + 1000))


@dataclass(frozen=True, slots=True)
class Move:
    """Value that one account gave another inside a transaction; addresses in lower case."""

    sender: str
    recipient: str
    units: int


@dataclass(frozen=True, slots=True)
class Execution:
    """How one transaction ran: its outermost frame, and its moves in order of execution.

    `recipient` is the created contract where the transaction creates one. `tx_hash` is None
    where the node does not say.
    """

    tx_hash: str | None
    sender: str
    recipient: str | None
    units: int
    success: bool
    moves: Sequence[Move]


def executions(traces: Iterable[RawTrace]) -> list[Execution]:
    """Return the executions of `callTracer` frames; `Incomplete` for one that is none."""
    return [_execution(each) for each in traces]


def prove_executions(
    transactions: Sequence[RawTransaction],
    receipts: Sequence[RawReceipt],
    traced: Sequence[Execution],
) -> None:
    """Raise `Incomplete` unless these are the executions of exactly these transactions."""
    if len(traced) != len(transactions):
        raise Incomplete(f"{len(traced)} traces, {len(transactions)} transactions")
    for sent, receipt, ran in zip(transactions, receipts, traced, strict=True):
        if ran.tx_hash is not None and ran.tx_hash != sent.hash.lower():
            raise Incomplete(f"trace of {ran.tx_hash} at {sent.hash}")
        if ran.sender != sent.from_.lower() or ran.units != quantity(sent.value):
            raise Incomplete(f"the trace at {sent.hash} is of another transaction")
        if sent.to is not None and ran.recipient != sent.to.lower():
            raise Incomplete(f"the trace at {sent.hash} is of another recipient")
        if ran.success != (receipt.status == SUCCEEDED):
            raise Incomplete(f"trace and receipt of {sent.hash} disagree whether it succeeded")


def prove_recorded_executions(
    transactions: Sequence[RawTransaction], traced: Sequence[Execution]
) -> None:
    """Raise `Incomplete` unless there is one trace for each transaction, hash and sender alike.

    Of edited copies: amount, recipient and success are what the block and its receipts say.
    """
    if len(traced) != len(transactions):
        raise Incomplete(f"{len(traced)} traces, {len(transactions)} transactions")
    for sent, ran in zip(transactions, traced, strict=True):
        if ran.tx_hash is not None and ran.tx_hash != sent.hash.lower():
            raise Incomplete(f"trace of {ran.tx_hash} at {sent.hash}")
        if ran.sender != sent.from_.lower():
            raise Incomplete(f"the trace at {sent.hash} is of another transaction")


def move(
    kind: str, sender: str | None, recipient: str | None, value: str | None
) -> Move | None:
    """Return what a successful frame of this kind moved; None where it moved nothing.

    Raises `Incomplete` for value in a frame of an unknown kind or without both accounts.
    """
    units = 0 if value is None or kind in STILL else quantity(value)
    if not units:
        return None
    if kind not in MOVING or sender is None or recipient is None:
        raise Incomplete(f"a trace moves {units} by {kind!r} from {sender} to {recipient}")
    moved = Move(sender.lower(), recipient.lower(), units)
    # A contract that destroys itself in its own favour pays nobody.
    if kind == "SELFDESTRUCT" and moved.sender == moved.recipient:
        return None
    return moved


def _execution(trace: RawTrace) -> Execution:
    outer: RawTrace | RawFrame = trace if trace.result is None else trace.result
    if outer.type is None or outer.from_ is None:
        raise Incomplete(f"a transaction could not be traced: {trace.error}")
    moves = (
        move(frame.type.upper(), frame.from_, frame.to, frame.value) for frame in _inner(outer)
    )
    return Execution(
        tx_hash=None if trace.tx_hash is None else trace.tx_hash.lower(),
        sender=outer.from_.lower(),
        recipient=None if outer.to is None else outer.to.lower(),
        units=quantity(outer.value or "0x0"),
        success=not outer.error,
        moves=tuple(each for each in moves if each is not None),
    )


def _inner(outer: RawTrace | RawFrame) -> Iterator[RawFrame]:
    """Yield the frames below `outer` that stand, in order of execution.

    What a failed frame did is undone together with everything below it.
    """
    waiting = [] if outer.error else list(reversed(outer.calls or ()))
    while waiting:
        frame = waiting.pop()
        if frame.error:
            continue
        yield frame
        waiting.extend(reversed(frame.calls or ()))
