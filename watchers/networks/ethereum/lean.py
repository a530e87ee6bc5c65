"""A block read for some addresses only: all its logs, and the receipts that matter. Pure.

What proves it complete: the logs are numbered without a gap, each stands at a transaction of the
block, and together they make up the header's bloom exactly; receipts show that no log follows
the last one, and that the block's gas is used up by the last transaction there is here. Whatever
concerns us is then read from receipts, which have to repeat the logs word for word.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from watchers.interest import Interest, Overtaken
from watchers.network import Block, BlockRef, Incomplete
from watchers.networks.ethereum.bloom import bloom_of, bloom_of_logs
from watchers.networks.ethereum.decode import decode_header, transfers_of
from watchers.networks.ethereum.erc20 import recipients_in
from watchers.networks.ethereum.outcomes import SomeOutcomes, prove_outcomes
from watchers.networks.ethereum.placed import prove_block, prove_logs
from watchers.networks.ethereum.proof import prove_root, prove_withdrawals
from watchers.networks.ethereum.transfers import Strays, listed_in, withdrawals
from watchers.networks.ethereum.wire import (
    RawBlock,
    RawLog,
    RawPlacedLog,
    RawPlacedReceipt,
    RawTransaction,
    RawWithdrawal,
)

RECEIPTS_MAX = 64
"""More single receipts than these are no less work than all of them."""


class TooMuch(Exception):
    """So much of this block matters that it is better read whole."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A transaction whose receipt is needed: its place in the block, and what it logged."""

    place: int
    sent: RawTransaction
    logs: Sequence[RawLog]

    def prove_receipt(self, ref: BlockRef, receipt: RawPlacedReceipt) -> None:
        """Raise `Incomplete` where a receipt is of another transaction or tells of other logs."""
        name, logs = self.sent.hash, self.logs
        if receipt.transaction_hash.lower() != name.lower():
            raise Incomplete(f"receipt of {receipt.transaction_hash} at {name}")
        if receipt.block_hash.lower() != ref.hash:
            raise Incomplete(f"receipt of {name} is of block {receipt.block_hash}")
        if receipt.transaction_index != hex(self.place):
            raise Incomplete(f"receipt of {name} is at {receipt.transaction_index}")
        if [_told(log) for log in receipt.logs] != [_told(log) for log in logs]:
            raise Incomplete(f"receipt of {name} tells of other logs than its block")
        if receipt.logs_bloom is not None and bloom_of(receipt.logs_bloom) != bloom_of_logs(
            logs
        ):
            raise Incomplete(f"receipt of {name} lost some of its logs")


@dataclass(frozen=True, slots=True)
class Survey:
    """A block whose logs are proved, and which of its receipts are still needed, in its order.

    `names` are all its transactions, in lower case, as one text. Nothing else of it is kept: to give memory
    back at once is cheaper than to come back to it.
    """

    ref: BlockRef
    gas_used: str | None
    withdrawals: Sequence[RawWithdrawal]
    wanted: Sequence[Wanted]
    names: str
    overtaken: Overtaken

    @property
    def hashes(self) -> list[str]:
        """Return the transactions whose receipts are needed."""
        return [each.sent.hash for each in self.wanted]

    def decode(self, receipts: Sequence[RawPlacedReceipt], tokens: frozenset[str]) -> Block:
        """Return the block with what these receipts, in the order of `hashes`, prove.

        Raises `Incomplete` where one is of another transaction, contradicts the logs, has no
        status, or does not stand where the block ends.
        """
        sent = [each.sent for each in self.wanted]
        if len(receipts) != len(sent):
            raise Incomplete(f"{len(receipts)} receipts for {len(sent)} transactions")
        try:
            for wanted, receipt in zip(self.wanted, receipts, strict=True):
                wanted.prove_receipt(self.ref, receipt)
            if receipts:
                self._prove_end(receipts[-1])
            prove_outcomes(sent, receipts)
            names = [each.hash.lower() for each in sent]
            settled = zip(names, sent, receipts, strict=True)
            listed = listed_in(receipts, tokens)
            transfers = list(transfers_of(settled, listed, [()] * len(sent)))
            transfers.extend(withdrawals(self.withdrawals))
        except ValueError as trouble:
            raise Incomplete(f"block {self.ref.height}: {trouble}") from trouble
        known = dict(zip(names, zip(sent, receipts, strict=True), strict=True))
        return Block(
            self.ref,
            tuple(transfers),
            SomeOutcomes(self.names, known),
            Strays(receipts, tokens),
            overtaken=self.overtaken,
        )

    def _prove_end(self, last: RawPlacedReceipt) -> None:
        """Prove that no transaction follows: gas that is used is used by some transaction."""
        used = self.gas_used
        if used is None or last.cumulative_gas_used != used:
            raise Incomplete(f"gas {used} of the block, {last.cumulative_gas_used} at its end")


def survey(
    height: int, block: RawBlock, logs: Sequence[RawPlacedLog], interest: Interest
) -> Survey:
    """Prove the logs of a block, and find out whose receipts are needed.

    Raises `Incomplete` where block and logs contradict each other, `TooMuch` where the whole
    way is the shorter one.
    """
    ref = decode_header(block)
    if ref.height != height:
        raise Incomplete(f"asked for block {height}, got {ref.height}")
    names = _named(ref, block)
    version = interest.version()
    try:
        places = prove_logs(ref, block, logs)
    except ValueError as trouble:
        raise Incomplete(f"block {height}: {trouble}") from trouble
    paid, paid_at = _paid(block.transactions, logs, places)
    recipients = frozenset(paid)
    ours = interest.perhaps(recipients)
    wanted = (
        {at for who, at in zip(paid, paid_at, strict=True) if who in ours} if ours else set()
    )
    if interest.own:
        wanted.update(place for place, name in enumerate(names) if name in interest.own)
    wanted.update(_end(len(names), places))
    if len(wanted) > RECEIPTS_MAX:
        raise TooMuch(f"block {height}: {len(wanted)} receipts matter")
    left_out = Overtaken(interest, version, " ".join(recipients.difference(ours)))
    return Survey(
        ref,
        block.gas_used,
        block.withdrawals or (),
        _wanted(block, logs, places, sorted(wanted)),
        " ".join(names),
        left_out,
    )


def _wanted(
    block: RawBlock,
    logs: Sequence[RawPlacedLog],
    places: Sequence[int],
    wanted: Iterable[int],
) -> list[Wanted]:
    return [
        Wanted(
            place,
            block.transactions[place],
            logs[bisect_left(places, place) : bisect_right(places, place)],
        )
        for place in wanted
    ]


def _end(count: int, places: Sequence[int]) -> Sequence[int]:
    """Return whose receipts show that no log follows the last one, and no transaction."""
    if not count:
        return ()
    return range(places[-1], count) if places else (count - 1,)


def _paid(
    sent: Sequence[RawTransaction], logs: Sequence[RawPlacedLog], places: Sequence[int]
) -> tuple[Sequence[str], list[int]]:
    """Return who may have been paid, and by the transactions at which places."""
    native = [
        (each.to, place)
        for place, each in enumerate(sent)
        if each.value != "0x0" and each.to is not None
    ]
    tokens = recipients_in([log.topics for log in logs], places)
    paid = [*native, *tokens]
    return lowered([recipient for recipient, _ in paid]), [place for _, place in paid]


def _named(ref: BlockRef, block: RawBlock) -> Sequence[str]:
    """Return the name of each transaction, all of this block and none twice."""
    sent = block.transactions
    if block.transactions_root is not None:
        prove_root(block.transactions_root, len(sent))
    prove_withdrawals(block)
    named = [each.block_hash for each in sent]
    if named.count(block.hash) != len(sent):
        prove_block(ref, named, "a transaction")
    names = lowered([each.hash for each in sent])
    if len(set(names)) != len(sent):
        raise Incomplete(f"block {ref.height}: a transaction is listed twice")
    return names


def lowered(texts: Sequence[str]) -> Sequence[str]:
    """Return texts in lower case, as nearly all of them are already."""
    together = " ".join(texts)
    lower = together.lower()
    return texts if lower == together else [each.lower() for each in texts]


def _told(log: RawLog) -> tuple[str, list[str], str, str]:
    return log.address, log.topics, log.data, log.log_index
