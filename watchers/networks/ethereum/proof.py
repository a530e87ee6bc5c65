"""Whether a block and its receipts are one complete thing: counts, hashes, places and blooms.

Faults show, a careful lie need not: amounts are in no bloom, and words that another log has too
leave no trace. Against a node that lies there is the word of a second one.
"""

from binascii import unhexlify
from collections import Counter
from collections.abc import Sequence
from functools import reduce
from operator import or_

from watchers.network import Incomplete
from watchers.networks.ethereum.bloom import (
    NOTHING,
    bits_of,
    bits_of_listed,
    bloom_of,
    bloom_of_logs,
)
from watchers.networks.ethereum.last import prove_last, prove_told
from watchers.networks.ethereum.outcomes import SUCCEEDED
from watchers.networks.ethereum.wire import (
    RawBlock,
    RawLog,
    RawReceipt,
    RawTransaction,
    quantity,
)

EMPTY_ROOT = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
"""The root of a trie without entries, as Keccak-256 of RLP's empty text."""
ATTRIBUTES_DEPOSITOR = "0xdeaddeaddeaddeaddeaddeaddeaddeaddead0001"
"""Who sends the first transaction of every OP stack block (its specification: deposits)."""


def prove_complete(
    block_hash: str,
    block: RawBlock,
    receipts: Sequence[RawReceipt],
    tokens: frozenset[str],
    *,
    logged: bool = False,
) -> None:
    """Raise `Incomplete` naming what is missing or of another block.

    `tokens` are the listed contracts: where a bloom claims one of them, its log must be there.
    `logged` tells whether the chain itself logs value in this block.
    """
    _prove_counts(block, receipts)
    prove_withdrawals(block)
    position = 0
    for sent, receipt in zip(block.transactions, receipts, strict=True):
        # Nearly every node spells hashes in lower case: compare first, convert on difference.
        if sent.block_hash != block_hash or receipt.block_hash != block_hash:
            _prove_block(block_hash, sent, receipt)
        if receipt.transaction_hash != sent.hash:
            _prove_hash(sent, receipt)
        for log in receipt.logs:
            if log.block_hash != block_hash or log.removed or log.log_index != hex(position):
                _prove_log(block_hash, log, position)
            position += 1
    prove_told(block, receipts)
    prove_last(block, receipts, logged=logged)
    _prove_blooms(block, receipts, tokens)


def prove_recorded(
    block_hash: str,
    block: RawBlock,
    receipts: Sequence[RawReceipt],
    tokens: frozenset[str],
) -> None:
    """Raise `Incomplete` where files contradict each other, or a listed token's logs are gone.

    Files may be cut or edited copies and no other node can be asked: numbers of logs and blooms
    need not add up, and whatever a file does not say is not held against it. What blooms still
    have to be true about is what a lost payment would hide.
    """
    _prove_counts(block, receipts)
    for sent, receipt in zip(block.transactions, receipts, strict=True):
        _prove_block(block_hash, sent, receipt)
        _prove_hash(sent, receipt)
        for log in receipt.logs:
            _prove_log_block(block_hash, log)
        _prove_numbers(receipt, tokens)
        if receipt.status == SUCCEEDED and not receipt.logs:
            _bloom(receipt)
    prove_withdrawals(block)
    present = {log.address.lower() for each in receipts for log in each.logs}
    for token in tokens - present:
        _prove_absent(token, block, receipts)


def _prove_counts(block: RawBlock, receipts: Sequence[RawReceipt]) -> None:
    if len(receipts) != len(block.transactions):
        raise Incomplete(f"{len(receipts)} receipts, {len(block.transactions)} transactions")
    if block.transactions_root is not None:
        prove_root(block.transactions_root, len(receipts))


def _prove_numbers(receipt: RawReceipt, tokens: frozenset[str]) -> None:
    """Prove that no log of a listed token is there twice: it would count twice."""
    listed = [log for log in receipt.logs if not log.removed and log.address.lower() in tokens]
    for number, times in Counter(log.log_index.lower() for log in listed).items():
        if times > 1:
            raise Incomplete(f"two logs of {receipt.transaction_hash} have number {number}")


def _prove_absent(token: str, block: RawBlock, receipts: Sequence[RawReceipt]) -> None:
    """Prove that a listed token of which there is no log has lost none."""
    bits = bits_of(token)
    blooms = [bloom_of(each.logs_bloom or NOTHING) for each in receipts]
    union = 0
    for receipt, bloom in zip(receipts, blooms, strict=True):
        union |= bloom if receipt.logs_bloom is not None else bloom_of_logs(receipt.logs)
        if receipt.status == SUCCEEDED and _claims(bloom, bits):
            _prove_exact(receipt, bloom)
    # The bloom of a full block claims one token in five by accident, so where the receipts'
    # blooms make it up, theirs have spoken already.
    header = bloom_of(block.logs_bloom or NOTHING)
    if header != union and _claims(header, bits):
        raise Incomplete(
            f"the header's bloom announces a log of {token}, there is no log of it"
        )


def prove_root(root: str, count: int) -> None:
    """Raise `Incomplete` where the header denies that there are transactions, or announces some."""
    if (root.lower() == EMPTY_ROOT) != (count == 0):
        raise Incomplete(f"{count} transactions contradict the header's transactions root")


def prove_withdrawals(block: RawBlock) -> None:
    """Raise `Incomplete` where announced beacon withdrawals are not there, or one is there twice.

    Chains of the OP stack have none, and another root in that field (since Isthmus).
    """
    root, told = block.withdrawals_root, block.withdrawals
    named = Counter(each.index.lower() for each in told or ())
    if twice := [index for index, times in named.items() if times > 1]:
        raise Incomplete(f"withdrawal {twice[0]} is listed twice")
    if root is None or (root.lower() != EMPTY_ROOT) == bool(told):
        return
    if told:
        raise Incomplete("the header's withdrawals root denies that there are withdrawals")
    if told is None or not _is_of_op_stack(block):
        raise Incomplete("the header's root announces withdrawals, there are none")


def _is_of_op_stack(block: RawBlock) -> bool:
    # Nobody has this account's key: elsewhere it sends nothing.
    return any(each.from_.lower() == ATTRIBUTES_DEPOSITOR for each in block.transactions[:1])


def _prove_block(block_hash: str, sent: RawTransaction, receipt: RawReceipt) -> None:
    if (sent.block_hash or "").lower() != block_hash:
        raise Incomplete(f"transaction {sent.hash} is of block {sent.block_hash}")
    if receipt.block_hash.lower() != block_hash:
        raise Incomplete(f"receipt of {sent.hash} is of block {receipt.block_hash}")


def _prove_hash(sent: RawTransaction, receipt: RawReceipt) -> None:
    if receipt.transaction_hash.lower() != sent.hash.lower():
        raise Incomplete(f"receipt of {receipt.transaction_hash} at {sent.hash}")


def _prove_log_block(block_hash: str, log: RawLog) -> None:
    if (log.block_hash or "").lower() != block_hash:
        raise Incomplete(f"log {log.log_index} is of block {log.block_hash}")


def _prove_log(block_hash: str, log: RawLog, position: int) -> None:
    if log.removed or (log.block_hash or "").lower() != block_hash:
        raise Incomplete(f"log {log.log_index} is of block {log.block_hash}")
    if quantity(log.log_index) != position:
        raise Incomplete(f"log {log.log_index} stands at position {position}")


def _prove_blooms(
    block: RawBlock, receipts: Sequence[RawReceipt], tokens: frozenset[str]
) -> None:
    logged = [each for each in receipts if each.logs]
    if [each for each in receipts if each.logs_bloom != NOTHING] != logged:
        for each in receipts:
            _bloom(each)
    blooms = _blooms(logged)
    union = reduce(or_, blooms, 0)
    # The header's bloom is the union of the receipts' blooms: it shows logs that were left out.
    if block.logs_bloom is not None and bloom_of(block.logs_bloom) != union:
        raise Incomplete("the blooms of the receipts do not add up to the header's")
    # The last logs of the block: no later log's place shows that they were cut. Only one loss
    # stays hidden: that of a last log whose words another log of its receipt has.
    for receipt, bloom in zip(logged[-1:], blooms[-1:], strict=True):
        _prove_exact(receipt, bloom)
    claimed = {token for token, bits in bits_of_listed(tokens) if _claims(union, bits)}
    if claimed:
        claimed.difference_update([log.address for each in logged for log in each.logs])
    for token in claimed:
        for receipt, bloom in zip(logged, blooms, strict=True):
            if _claims(bloom, bits_of(token)):
                _prove_exact(receipt, bloom)


def _blooms(receipts: Sequence[RawReceipt]) -> list[int]:
    texts = [each.logs_bloom for each in receipts if each.logs_bloom is not None]
    blooms = [int.from_bytes(unhexlify(text.removeprefix("0x"))) for text in texts]
    if len(blooms) != len(receipts) or not all(blooms):
        return [_bloom(each) for each in receipts]
    return blooms


def _bloom(receipt: RawReceipt) -> int:
    if receipt.logs_bloom is None:
        return bloom_of_logs(receipt.logs)
    bloom = bloom_of(receipt.logs_bloom)
    if bool(bloom) != bool(receipt.logs):
        lost = "lost its logs" if bloom else "has logs that its bloom denies"
        raise Incomplete(f"receipt of {receipt.transaction_hash} {lost}")
    return bloom


def _claims(bloom: int, bits: int) -> bool:
    return bloom & bits == bits


def _prove_exact(receipt: RawReceipt, bloom: int) -> None:
    if bloom_of_logs(receipt.logs) != bloom:
        raise Incomplete(f"receipt of {receipt.transaction_hash} lost some of its logs")
