"""What a node says about a block, typed; only the fields we use (JSON-RPC spelling).

Hex stays text until it is needed: most transactions of a block concern nobody here.
Field meanings: the Ethereum JSON-RPC specification; `l1Fee` is the OP stack's extension.
"""

from functools import lru_cache

import msgspec

QUANTITY_DIGITS_MAX = 64
QUANTITIES_REMEMBERED = 4096


class RawTransaction(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """One transaction of a block asked for with full transactions. `to` is null for creation."""

    block_hash: str | None
    from_: str = msgspec.field(name="from")
    gas_price: str | None = None
    hash: str
    to: str | None = None
    value: str


class RawWithdrawal(msgspec.Struct, rename="camel", gc=False):
    """A beacon-chain withdrawal (EIP-4895); `amount` is in gwei."""

    index: str
    address: str
    amount: str


class RawHeader(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """Header fields that name a block; both are null while it is only pending."""

    hash: str | None
    number: str | None
    parent_hash: str
    timestamp: str


class RawBlock(RawHeader, rename="camel", kw_only=True, gc=False):
    """A block with its transactions."""

    gas_used: str | None = None
    logs_bloom: str | None = None
    transactions: list[RawTransaction]
    transactions_root: str | None = None
    withdrawals: list[RawWithdrawal] | None = None
    withdrawals_root: str | None = None


class RawSealedBlock(RawHeader, rename="camel", kw_only=True, gc=False):
    """A block whose transactions are still as they came, to be opened when they are looked at.

    What is decoded, looked at and dropped at once never leaves the processor's cache.
    """

    gas_used: str | None = None
    logs_bloom: str | None = None
    transactions: msgspec.Raw
    transactions_root: str | None = None
    withdrawals: list[RawWithdrawal] | None = None
    withdrawals_root: str | None = None

    @property
    def is_empty(self) -> bool:
        """Tell whether it certainly holds no transaction."""
        return len(memoryview(self.transactions)) <= len(b"[]")

    def opened(self) -> RawBlock:
        """Return the whole block; msgspec's errors where its transactions are none."""
        return RawBlock(
            hash=self.hash,
            number=self.number,
            parent_hash=self.parent_hash,
            timestamp=self.timestamp,
            gas_used=self.gas_used,
            logs_bloom=self.logs_bloom,
            transactions=_TRANSACTIONS.decode(self.transactions),
            transactions_root=self.transactions_root,
            withdrawals=self.withdrawals,
            withdrawals_root=self.withdrawals_root,
        )


_TRANSACTIONS = msgspec.json.Decoder(list[RawTransaction])


class RawLog(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """One log; `log_index` counts through the whole block."""

    address: str
    topics: list[str]
    data: str
    block_hash: str | None
    log_index: str
    removed: bool = False


class RawPlacedLog(RawLog, rename="camel", kw_only=True, gc=False):
    """A log asked for by itself: it names its transaction."""

    transaction_hash: str
    transaction_index: str


class RawReceipt(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """One receipt; `status` is missing before Byzantium (October 2017).

    `cumulative_gas_used` is the gas used up to there; what is recorded may lack it and the place.
    """

    block_hash: str
    cumulative_gas_used: str | None = None
    effective_gas_price: str | None = None
    gas_used: str
    logs: list[RawLog]
    logs_bloom: str | None = None
    status: str | None = None
    transaction_hash: str
    transaction_index: str | None = None
    blob_gas_price: str | None = None
    blob_gas_used: str | None = None
    l1_fee: str | None = msgspec.field(default=None, name="l1Fee")


class RawPlacedReceipt(RawReceipt, rename="camel", kw_only=True, gc=False):
    """A receipt asked for by itself: where it stands, and the gas used up to there."""

    cumulative_gas_used: str
    transaction_index: str


class RawFrame(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """One call of geth's `callTracer`; `to` is missing where a creation failed."""

    type: str
    from_: str = msgspec.field(name="from")
    to: str | None = None
    value: str | None = None
    error: str | None = None
    calls: "list[RawFrame] | None" = None


class RawTrace(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """One transaction's outermost frame, alone or as geth wraps it: `{txHash, result}`."""

    tx_hash: str | None = None
    result: RawFrame | None = None
    error: str | None = None
    type: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    value: str | None = None
    calls: list[RawFrame] | None = None


class RawAction(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """What one `trace_block` entry did: a call or creation, or a selfdestruct."""

    call_type: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    value: str | None = None
    address: str | None = None
    refund_address: str | None = None
    balance: str | None = None


class RawResult(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """What came of it; `address` is the created contract."""

    address: str | None = None


class RawFlatTrace(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """One entry of `trace_block`; rewards have no transaction."""

    action: RawAction
    block_hash: str
    error: str | None = None
    result: RawResult | None = None
    trace_address: list[int]
    transaction_hash: str | None = None
    type: str


def amount(text: str) -> int:
    """Return a JSON-RPC quantity; `ValueError` for anything but `0x` and ASCII hex digits."""
    # `int` alone would also take signs, underscores, blanks and digits of other scripts.
    if text[:2] != "0x" or not text.isascii() or "_" in text or not text[-1].isalnum():
        raise ValueError(f"not a hex quantity: {text[:80]!r}")
    if len(text) > QUANTITY_DIGITS_MAX + 2:
        raise ValueError(f"wider than 256 bits: {text[:80]!r}")
    return int(text, 16)


quantity = lru_cache(maxsize=QUANTITIES_REMEMBERED)(amount)
"""`amount`, remembered: the same few texts (0x0, 0x5208, gas prices) make up most of a block."""
