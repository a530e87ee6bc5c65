"""Whether the last receipt is that of the block's last transaction. Pure.

A transaction without logs leaves no trace in blooms and numbers; its gas does.
"""

from collections.abc import Sequence

from watchers.network import Incomplete
from watchers.networks.ethereum.wire import RawBlock, RawReceipt, quantity


def prove_told(block: RawBlock, receipts: Sequence[RawReceipt]) -> None:
    """Raise `Incomplete` where block or receipts do not say what `prove_last` looks at."""
    for last in receipts[-1:]:
        if None in (last.transaction_index, last.cumulative_gas_used, block.gas_used):
            raise Incomplete(f"nothing says that {last.transaction_hash} is the last one")


def prove_last(block: RawBlock, receipts: Sequence[RawReceipt], *, logged: bool) -> None:
    """Raise `Incomplete` where the last receipt has another place, or gas is used beyond it.

    From the upgrade on that logs value (`logged`), what a block uses is counted otherwise than
    what its receipts add up to (EIP-7778, EIP-8037). `ValueError` for what is no number.
    """
    for last in receipts[-1:]:
        place, used = last.transaction_index, last.cumulative_gas_used
        if place is not None and quantity(place) != len(receipts) - 1:
            raise Incomplete(f"the last of {len(receipts)} transactions is at {place}")
        if logged or used is None or block.gas_used is None:
            continue
        if quantity(used) != quantity(block.gas_used):
            raise Incomplete(f"gas {block.gas_used} of the block, {used} at its end")
