"""Block, receipts and traces to `Block`: pure, and complete or `Incomplete`.

Only receipts say whether a transaction succeeded, only logs say that a token moved and only
traces say that value moved inside, so all answers of the node must prove to be about the same
block before one unit is believed. Attack cases: a failed transaction with value, a log of an
unlisted contract, an ERC-721 log (four topics) and zero amounts never count.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from watchers.network import Block, BlockRef, Incomplete, Transfer
from watchers.networks.ethereum.logged import logged_moves
from watchers.networks.ethereum.outcomes import SUCCEEDED, Outcomes, prove_outcomes
from watchers.networks.ethereum.proof import prove_complete, prove_recorded
from watchers.networks.ethereum.traces import (
    Execution,
    Move,
    prove_executions,
    prove_recorded_executions,
)
from watchers.networks.ethereum.transfers import (
    Strays,
    internal,
    listed_in,
    native,
    token,
    withdrawals,
)
from watchers.networks.ethereum.wire import (
    RawBlock,
    RawHeader,
    RawReceipt,
    RawTransaction,
    quantity,
)


def decode_header(header: RawHeader) -> BlockRef:
    """Return the identity of a block; `Incomplete` while it is pending or malformed."""
    if header.number is None or header.hash is None:
        raise Incomplete("the block is still pending")
    try:
        return BlockRef(
            height=quantity(header.number),
            hash=header.hash.lower(),
            parent_hash=header.parent_hash.lower(),
            time=datetime.fromtimestamp(quantity(header.timestamp), UTC),
        )
    except (ValueError, OverflowError, OSError) as trouble:
        raise Incomplete(f"header: {trouble}") from trouble


def value_is_logged(ref: BlockRef, logged_from: int | None) -> bool:
    """Tell whether the chain itself logs value in this block (EIP-7708)."""
    return logged_from is not None and ref.time.timestamp() >= logged_from


def decode_block(
    height: int,
    block: RawBlock,
    receipts: Sequence[RawReceipt],
    tokens: frozenset[str],
    traced: Sequence[Execution] | None = None,
    *,
    logged_from: int | None = None,
    recorded: bool = False,
) -> Block:
    """Return the block with every transfer of the native coin and of `tokens` (lower-case).

    Value inside contracts comes from `traced`; in a block at or after `logged_from` (unix
    seconds, EIP-7708; None while the chain has no such date) all value comes from the chain's
    own logs instead, never from both. Raises `Incomplete` with the reason where number, hashes,
    counts, logs, statuses or outcomes of the answers do not agree; of `recorded` answers, which
    may be cut or edited copies, less has to.
    """
    ref = decode_header(block)
    if ref.height != height:
        raise Incomplete(f"asked for block {height}, got {ref.height}")
    logged = value_is_logged(ref, logged_from)
    try:
        if recorded:
            prove_recorded(ref.hash, block, receipts, tokens)
        else:
            prove_complete(ref.hash, block, receipts, tokens, logged=logged)
        prove_outcomes(block.transactions, receipts)
        places = {sent.hash.lower(): at for at, sent in enumerate(block.transactions)}
        if len(places) != len(receipts):
            raise Incomplete(f"block {height}: a transaction is listed twice")
        if traced is not None and recorded:
            prove_recorded_executions(block.transactions, traced)
        elif traced is not None:
            prove_executions(block.transactions, receipts, traced)
        settled = zip(places, block.transactions, receipts, strict=True)
        moves = None if logged else _moves(len(receipts), traced)
        transfers = list(transfers_of(settled, listed_in(receipts, tokens), moves))
        transfers.extend(withdrawals(block.withdrawals or ()))
    except ValueError as trouble:
        raise Incomplete(f"block {height}: {trouble}") from trouble
    outcomes = Outcomes(places, block.transactions, receipts)
    strays = Strays(receipts, tokens)
    return Block(ref, tuple(transfers), outcomes, strays, logged or traced is not None)


def _moves(count: int, traced: Sequence[Execution] | None) -> list[Sequence[Move]]:
    """Return the moves inside each transaction; none where there are no traces."""
    return [()] * count if traced is None else [each.moves for each in traced]


def transfers_of(
    settled: Iterable[tuple[str, RawTransaction, RawReceipt]],
    listed: Mapping[str, str],
    moves: Sequence[Sequence[Move]] | None,
) -> Iterator[Transfer]:
    """Yield what successful transactions moved; `moves` is None where the chain logs value.

    `listed` is what `listed_in` found in the logs of these receipts.
    """
    for place, (tx_hash, sent, receipt) in enumerate(settled):
        if receipt.status != SUCCEEDED:
            continue
        if moves is not None:
            own, inner = True, moves[place]
        else:
            own, inner = logged_moves(sent, receipt)
        value = native(tx_hash, sent) if own else None
        if value is not None:
            yield value
        for ordinal, log in enumerate(receipt.logs):
            asset = listed.get(log.address)
            paid = None if asset is None else token(tx_hash, ordinal, asset, log)
            if paid is not None:
                yield paid
        if inner:
            yield from internal(tx_hash, inner)
