"""What a node says about a block, typed; only the fields we use (JSON-RPC spelling).

Hex stays text until it is needed: most transactions of a block concern nobody here.
Field meanings: the Ethereum JSON-RPC specification; `l1Fee` is the OP stack's extension.
"""

from functools import lru_cache

import msgspec

QUANTITY_DIGITS_MAX = 64
QUANTITIES_REMEMBERED = 4096


class RawTransaction(msgspec.Struct, rename="camel", gc=False):
    """One transaction of a block asked for with full transactions. `to` is null for creation."""

    hash: str
    value: str
    block_hash: str | None
    from_: str = msgspec.field(name="from")
    to: str | None = None
    gas_price: str | None = None


class RawWithdrawal(msgspec.Struct, rename="camel", gc=False):
    """A beacon-chain withdrawal (EIP-4895); `amount` is in gwei."""

    index: str
    address: str
    amount: str


class RawHeader(msgspec.Struct, rename="camel", gc=False):
    """Header fields that name a block; both are null while it is only pending."""

    number: str | None
    hash: str | None
    parent_hash: str
    timestamp: str


class RawBlock(RawHeader, rename="camel", gc=False):
    """A block with its transactions."""

    transactions: list[RawTransaction]
    logs_bloom: str | None = None
    withdrawals: list[RawWithdrawal] | None = None


class RawLog(msgspec.Struct, rename="camel", gc=False):
    """One log; `log_index` counts through the whole block."""

    address: str
    topics: list[str]
    data: str
    block_hash: str | None
    log_index: str
    transaction_hash: str | None = None
    removed: bool = False


class RawReceipt(msgspec.Struct, rename="camel", gc=False):
    """One receipt; `status` is missing before Byzantium (October 2017)."""

    transaction_hash: str
    block_hash: str
    gas_used: str
    logs: list[RawLog]
    logs_bloom: str | None = None
    status: str | None = None
    effective_gas_price: str | None = None
    blob_gas_used: str | None = None
    blob_gas_price: str | None = None
    l1_fee: str | None = msgspec.field(default=None, name="l1Fee")


@lru_cache(maxsize=QUANTITIES_REMEMBERED)
def quantity(text: str) -> int:
    """Return a JSON-RPC quantity; `ValueError` for anything but `0x` and ASCII hex digits.

    The same few texts (0x0, 0x5208, log indices, gas prices) make up most of every block.
    """
    # `int` alone would also take signs, underscores, blanks and digits of other scripts.
    if text[:2] != "0x" or not text.isalnum() or not text.isascii():
        raise ValueError(f"not a hex quantity: {text[:80]!r}")
    if len(text) > QUANTITY_DIGITS_MAX + 2:
        raise ValueError(f"wider than 256 bits: {text[:80]!r}")
    return int(text, 16)
