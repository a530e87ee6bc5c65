"""Block and receipts to `Block`: pure, and complete or `Incomplete`.

Only receipts say whether a transaction succeeded and only logs say that a token moved, so both
answers of the node must prove to be about the same block before one unit is believed.
Attack cases: a failed transaction with value, a log of an unlisted contract, an ERC-721 log
(four topics), zero amounts, and EIP-7708 logs beside the transaction's own value never count.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from watchers.network import NATIVE, Block, BlockRef, Incomplete, Outcome, Transfer
from watchers.networks.ethereum.address import SYSTEM
from watchers.networks.ethereum.erc20 import (
    TRANSFER_TOPIC,
    TRANSFER_TOPICS,
    WORD_HEX,
    address_in_topic,
)
from watchers.networks.ethereum.wire import (
    RawBlock,
    RawHeader,
    RawLog,
    RawReceipt,
    RawTransaction,
    RawWithdrawal,
    quantity,
)

WEI_PER_GWEI = 10**9
STATUS = {"0x0": False, "0x1": True}


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


def decode_block(
    height: int, block: RawBlock, receipts: Sequence[RawReceipt], tokens: frozenset[str]
) -> Block:
    """Return the block with every transfer of the native coin and of `tokens` (lower-case).

    Raises `Incomplete` with the reason where number, hashes, counts, logs or statuses of the
    two answers do not agree. `internal` transfers need traces and are not decoded here.
    """
    ref = decode_header(block)
    if ref.height != height:
        raise Incomplete(f"asked for block {height}, got {ref.height}")
    try:
        _prove_complete(ref.hash, block, receipts)
        transfers: list[Transfer] = []
        outcomes: dict[str, Outcome] = {}
        for sent, receipt in zip(block.transactions, receipts, strict=True):
            success = _succeeded(receipt)
            tx_hash = sent.hash.lower()
            outcomes[tx_hash] = Outcome(success, _fee(sent, receipt))
            if success:
                transfers.extend(_native(sent))
                transfers.extend(_token(tx_hash, receipt.logs, tokens))
        for each in block.withdrawals or ():
            transfers.extend(_withdrawal(each))
    except ValueError as trouble:
        raise Incomplete(f"block {height}: {trouble}") from trouble
    if len(outcomes) != len(receipts):
        raise Incomplete(f"block {height}: a transaction is listed twice")
    return Block(ref, tuple(transfers), outcomes)


def _prove_complete(block_hash: str, block: RawBlock, receipts: Sequence[RawReceipt]) -> None:
    if len(receipts) != len(block.transactions):
        raise Incomplete(f"{len(receipts)} receipts, {len(block.transactions)} transactions")
    logs = 0
    bloom = 0
    for sent, receipt in zip(block.transactions, receipts, strict=True):
        if receipt.transaction_hash.lower() != sent.hash.lower():
            raise Incomplete(f"receipt of {receipt.transaction_hash} at {sent.hash}")
        if (sent.block_hash or "").lower() != block_hash:
            raise Incomplete(f"transaction {sent.hash} is of block {sent.block_hash}")
        if receipt.block_hash.lower() != block_hash:
            raise Incomplete(f"receipt of {sent.hash} is of block {receipt.block_hash}")
        for log in receipt.logs:
            _prove_log(block_hash, log, logs)
            logs += 1
        bloom |= _bloom(receipt)
    # The header's bloom is the union of the receipts' blooms: it shows logs that were left out.
    if block.logs_bloom is not None and all(each.logs_bloom for each in receipts):
        _prove_bloom(_bloom_bits(block.logs_bloom), bloom)


def _prove_log(block_hash: str, log: RawLog, position: int) -> None:
    if log.removed or (log.block_hash or "").lower() != block_hash:
        raise Incomplete(f"log {log.log_index} is of block {log.block_hash}")
    if quantity(log.log_index) != position:
        raise Incomplete(f"log {log.log_index} stands at position {position}")


def _prove_bloom(header: int, receipts: int) -> None:
    if header != receipts:
        raise Incomplete("the blooms of the receipts do not add up to the header's")


def _bloom(receipt: RawReceipt) -> int:
    if receipt.logs_bloom is None:
        return 0
    bloom = _bloom_bits(receipt.logs_bloom)
    if bloom and not receipt.logs:
        raise Incomplete(f"receipt of {receipt.transaction_hash} lost its logs")
    return bloom


def _bloom_bits(text: str) -> int:
    return int.from_bytes(bytes.fromhex(text.removeprefix("0x")), "big")


def _succeeded(receipt: RawReceipt) -> bool:
    if receipt.status is None:
        raise Incomplete(f"receipt of {receipt.transaction_hash} has no status")
    success = STATUS.get(receipt.status)
    if success is None:
        raise Incomplete(f"status {receipt.status!r} of {receipt.transaction_hash}")
    return success


def _fee(sent: RawTransaction, receipt: RawReceipt) -> int:
    price = receipt.effective_gas_price or sent.gas_price
    if price is None:
        raise Incomplete(f"no gas price of {sent.hash}")
    fee = quantity(receipt.gas_used) * quantity(price)
    if receipt.blob_gas_used is not None and receipt.blob_gas_price is not None:
        fee += quantity(receipt.blob_gas_used) * quantity(receipt.blob_gas_price)
    if receipt.l1_fee is not None:
        fee += quantity(receipt.l1_fee)
    return fee


def _native(sent: RawTransaction) -> Iterator[Transfer]:
    units = quantity(sent.value)
    if units > 0 and sent.to is not None:
        yield Transfer(
            tx_hash=sent.hash.lower(),
            kind="native",
            ordinal=0,
            asset=NATIVE,
            sender=sent.from_.lower(),
            recipient=sent.to.lower(),
            units=units,
        )


def _token(tx_hash: str, logs: Sequence[RawLog], tokens: frozenset[str]) -> Iterator[Transfer]:
    for ordinal, log in enumerate(logs):
        asset = log.address.lower()
        if asset not in tokens or asset == SYSTEM:
            continue
        if len(log.topics) != TRANSFER_TOPICS or log.topics[0].lower() != TRANSFER_TOPIC:
            continue
        recipient = address_in_topic(log.topics[2])
        if recipient is None or len(log.data) != WORD_HEX:
            continue
        units = quantity(log.data)
        if units > 0:
            sender = address_in_topic(log.topics[1]) or ""
            yield Transfer(tx_hash, "token", ordinal, asset, sender, recipient, units)


def _withdrawal(each: RawWithdrawal) -> Iterator[Transfer]:
    units = quantity(each.amount) * WEI_PER_GWEI
    if units > 0:
        yield Transfer(
            tx_hash=f"withdrawal:{quantity(each.index)}",
            kind="withdrawal",
            ordinal=0,
            asset=NATIVE,
            sender="",
            recipient=each.address.lower(),
            units=units,
        )
