"""A block read for some addresses only: all its logs, and the receipts that matter. Pure.

What proves it complete: the logs are numbered without a gap, each stands at a transaction of the
block, and together they make up the header's bloom exactly; receipts show that no log follows
the last one, and that the block's gas is used up by the last transaction there is here. Whatever
concerns us is then read from receipts, which have to repeat the logs word for word.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from watchers.interest import Interest, Overtaken
from watchers.network import Block, BlockRef, Incomplete
from watchers.networks.ethereum.bloom import bloom_of, bloom_of_logs
from watchers.networks.ethereum.decode import decode_header, transfers_of
from watchers.networks.ethereum.erc20 import recipient_in
from watchers.networks.ethereum.outcomes import SomeOutcomes, prove_outcomes
from watchers.networks.ethereum.placed import prove_block, prove_logs
from watchers.networks.ethereum.proof import prove_root, prove_withdrawals
from watchers.networks.ethereum.transfers import Strays, listed_in, withdrawals
from watchers.networks.ethereum.wire import RawBlock, RawLog, RawPlacedLog, RawPlacedReceipt

RECEIPTS_MAX = 64
"""More single receipts than these are no less work than all of them."""


class TooMuch(Exception):
    """So much of this block matters that it is better read whole."""


@dataclass(frozen=True, slots=True)
class Survey:
    """A block whose logs are proved, and which of its receipts are still needed.

    `wanted` are places of transactions, ascending; `places` are those of the `logs`. `names` are
    the transactions, in lower case.
    """

    ref: BlockRef
    block: RawBlock
    logs: Sequence[RawLog]
    places: Sequence[int]
    wanted: Sequence[int]
    names: Sequence[str]
    overtaken: Overtaken

    @property
    def hashes(self) -> list[str]:
        """Return the transactions whose receipts are needed."""
        return [self.block.transactions[place].hash for place in self.wanted]

    def decode(self, receipts: Sequence[RawPlacedReceipt], tokens: frozenset[str]) -> Block:
        """Return the block with what these receipts, in the order of `hashes`, prove.

        Raises `Incomplete` where one is of another transaction, contradicts the logs, has no
        status, or does not stand where the block ends.
        """
        sent = [self.block.transactions[place] for place in self.wanted]
        if len(receipts) != len(sent):
            raise Incomplete(f"{len(receipts)} receipts for {len(sent)} transactions")
        try:
            for place, receipt in zip(self.wanted, receipts, strict=True):
                self._prove_receipt(place, receipt)
            if receipts:
                self._prove_end(receipts[-1])
            prove_outcomes(sent, receipts)
            names = [each.hash.lower() for each in sent]
            settled = zip(names, sent, receipts, strict=True)
            listed = listed_in(receipts, tokens)
            transfers = list(transfers_of(settled, listed, [()] * len(sent)))
            transfers.extend(withdrawals(self.block.withdrawals or ()))
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

    def _prove_receipt(self, place: int, receipt: RawPlacedReceipt) -> None:
        name = self.block.transactions[place].hash
        if receipt.transaction_hash.lower() != name.lower():
            raise Incomplete(f"receipt of {receipt.transaction_hash} at {name}")
        if receipt.block_hash.lower() != self.ref.hash:
            raise Incomplete(f"receipt of {name} is of block {receipt.block_hash}")
        if receipt.transaction_index != hex(place):
            raise Incomplete(f"receipt of {name} is at {receipt.transaction_index}")
        first, behind = bisect_left(self.places, place), bisect_right(self.places, place)
        logs = self.logs[first:behind]
        if [_told(log) for log in receipt.logs] != [_told(log) for log in logs]:
            raise Incomplete(f"receipt of {name} tells of other logs than its block")
        if receipt.logs_bloom is not None and bloom_of(receipt.logs_bloom) != bloom_of_logs(
            logs
        ):
            raise Incomplete(f"receipt of {name} lost some of its logs")

    def _prove_end(self, last: RawPlacedReceipt) -> None:
        """Prove that no transaction follows: gas that is used is used by some transaction."""
        used = self.block.gas_used
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
    paid = _paid(block, logs, places)
    recipients = frozenset([recipient for recipient, _ in paid])
    ours = interest.perhaps(recipients)
    wanted = {place for recipient, place in paid if recipient in ours} if ours else set()
    if interest.own:
        wanted.update(place for place, name in enumerate(names) if name in interest.own)
    wanted.update(_end(len(names), places))
    if len(wanted) > RECEIPTS_MAX:
        raise TooMuch(f"block {height}: {len(wanted)} receipts matter")
    left_out = Overtaken(interest, version, recipients - ours)
    return Survey(ref, block, logs, places, sorted(wanted), names, left_out)


def _end(count: int, places: Sequence[int]) -> Sequence[int]:
    """Return whose receipts show that no log follows the last one, and no transaction."""
    if not count:
        return ()
    return range(places[-1], count) if places else (count - 1,)


def _paid(
    block: RawBlock, logs: Sequence[RawPlacedLog], places: Sequence[int]
) -> list[tuple[str, int]]:
    """Return who may have been paid, and by the transaction at which place."""
    paid = [
        (each.to.lower(), place)
        for place, each in enumerate(block.transactions)
        if each.value != "0x0" and each.to is not None
    ]
    for log, place in zip(logs, places, strict=True):
        recipient = recipient_in(log.topics)
        if recipient is not None:
            paid.append((recipient, place))
    return paid


def _named(ref: BlockRef, block: RawBlock) -> list[str]:
    """Return the name of each transaction, all of this block and none twice."""
    sent = block.transactions
    if block.transactions_root is not None:
        prove_root(block.transactions_root, len(sent))
    prove_withdrawals(block)
    named = [each.block_hash for each in sent]
    if named.count(block.hash) != len(sent):
        prove_block(ref, named, "a transaction")
    names = [each.hash.lower() for each in sent]
    if len(set(names)) != len(sent):
        raise Incomplete(f"block {ref.height}: a transaction is listed twice")
    return names


def _told(log: RawLog) -> tuple[str, list[str], str, str]:
    return log.address, log.topics, log.data, log.log_index
