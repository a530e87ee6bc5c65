"""The `trace_block` form of call traces: one flat list, each entry with its path."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from watchers.network import Incomplete
from watchers.networks.ethereum.traces import Execution, Move, move
from watchers.networks.ethereum.wire import RawFlatTrace, quantity

KINDS = {"suicide": "SELFDESTRUCT", "selfdestruct": "SELFDESTRUCT", "create": "CREATE"}


def flat_executions(block_hash: str, traces: Iterable[RawFlatTrace]) -> list[Execution]:
    """Return the executions of `trace_block` entries, rewards left out.

    Raises `Incomplete` for entries of another block and for a transaction that does not begin
    with its outermost call.
    """
    found = []
    for tx_hash, entries in groupby(_of_block(block_hash, traces), _hash_of):
        found.append(_execution(tx_hash, list(entries)))
    return found


def _of_block(block_hash: str, traces: Iterable[RawFlatTrace]) -> Iterator[RawFlatTrace]:
    for each in traces:
        if each.block_hash.lower() != block_hash:
            raise Incomplete(f"a trace is of block {each.block_hash}")
        if each.transaction_hash is not None:
            yield each


def _hash_of(trace: RawFlatTrace) -> str:
    return (trace.transaction_hash or "").lower()


def _execution(tx_hash: str, entries: Sequence[RawFlatTrace]) -> Execution:
    outer = entries[0]
    if outer.trace_address or outer.action.from_ is None:
        raise Incomplete(f"the trace of {tx_hash} does not begin with its outermost call")
    created = outer.result.address if outer.result is not None else None
    recipient = outer.action.to or created
    return Execution(
        tx_hash=tx_hash,
        sender=outer.action.from_.lower(),
        recipient=None if recipient is None else recipient.lower(),
        units=quantity(outer.action.value or "0x0"),
        success=not outer.error,
        moves=tuple(_moves(entries)),
    )


def _moves(entries: Sequence[RawFlatTrace]) -> Iterator[Move]:
    """Yield what moved; parents stand before their children, so one undone path is enough."""
    undone: list[int] | None = None
    for entry in entries:
        path = entry.trace_address
        if undone is not None and path[: len(undone)] == undone:
            continue
        if entry.error:
            undone = path
            continue
        moved = _move(entry) if path else None
        if moved is not None:
            yield moved


def _move(entry: RawFlatTrace) -> Move | None:
    action = entry.action
    kind = KINDS.get(entry.type, (action.call_type or entry.type).upper())
    if kind == "SELFDESTRUCT":
        return move(kind, action.address, action.refund_address, action.balance)
    created = entry.result.address if entry.result is not None else None
    return move(kind, action.from_, action.to or created, action.value)
