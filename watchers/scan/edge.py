"""Pure: what no honest node says is refused here, before the database has to refuse it.

A number, a text or a time that a column cannot hold would end the process that writes it, and
the next one again: one lying node must not stop a network that has others.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from watchers.network import (
    Block,
    BlockRef,
    Incomplete,
    NodeUnavailable,
    Outcome,
    Tip,
    Transfer,
)

HEIGHT_MAX = 2**53
TEXT_MAX = 128
"""The longest hash of a known chain has 88 characters."""
UNITS_MAX = 2**256
ORDINAL_MAX = 2**31
YEAR_MAX = 2200


def proved_tip(tip: Tip) -> Tip:
    """Return a tip that can be true; raise `NodeUnavailable` for any other."""
    if not 0 <= tip.final <= tip.head < HEIGHT_MAX:
        raise NodeUnavailable(f"the node names head {tip.head} and final {tip.final}")
    return tip


def proved_ref(ref: BlockRef) -> BlockRef:
    """Return an identity that can be true; raise `Incomplete` for any other."""
    if not 0 <= ref.height < HEIGHT_MAX:
        raise Incomplete(f"the node names height {ref.height}")
    if not (is_plain(ref.hash) and is_plain(ref.parent_hash)):
        raise Incomplete(f"block {ref.height}: a hash that is none")
    if ref.time.year >= YEAR_MAX:
        raise Incomplete(f"block {ref.height}: it is dated {ref.time.year}")
    return ref


def proved_block(block: Block) -> Block:
    """Return a block whose identity can be true, or raise `Incomplete`."""
    proved_ref(block.ref)
    return block


def proved_hits(block: Block, hits: Iterable[Transfer]) -> list[Transfer]:
    """Return the transfers that concern us, or raise `Incomplete` where one cannot be true."""
    found = list(hits)
    for each in found:
        texts = (each.tx_hash, each.kind, each.asset, each.recipient)
        if not all(map(is_plain, texts)) or not (each.sender == "" or is_plain(each.sender)):
            raise Incomplete(f"block {block.ref.height}: a transfer with broken text")
        if not (0 < each.units < UNITS_MAX and 0 <= each.ordinal < ORDINAL_MAX):
            raise Incomplete(f"block {block.ref.height}: a transfer of {each.units} units")
    return found


def proved_outcome(block: Block, outcome: Outcome) -> None:
    """Raise `Incomplete` where one of our transactions cost what nothing can cost."""
    spent, gained, fee = (
        outcome.payer_spent_units,
        outcome.payer_gained_units,
        outcome.fee_units,
    )
    sound = all(0 <= units < UNITS_MAX for units in (spent, gained, fee or 0))
    if not sound or (gained and fee is None):
        raise Incomplete(
            f"block {block.ref.height}: a cost of {spent}, {gained} back, {fee} fee"
        )


def is_plain(text: str) -> bool:
    """Tell whether this is a hash or an address: some printable ASCII, not a list and no novel."""
    one = text.isascii() and text.isprintable() and "," not in text
    return one and 0 < len(text) <= TEXT_MAX


def dated(block: Block, now: datetime) -> Block:
    """Return the block no younger than our own clock.

    A payment is late by the time of its block. One from the future would make it late while
    its invoice is still open.
    """
    if block.ref.time <= now:
        return block
    return replace(block, ref=replace(block.ref, time=now.astimezone(UTC)))
