"""What a proved transaction moved, each kind with the ordinal that names it for good.

`native` is 0; `token` is the log's place inside the transaction (its place in the block changes
when the transaction moves); `internal` is the rank among the transaction's internal transfers
in order of execution, which every kind of trace tells alike; a `withdrawal` is named by its
own index.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from watchers.network import NATIVE, Transfer
from watchers.networks.ethereum.address import SYSTEM
from watchers.networks.ethereum.erc20 import transfer_in
from watchers.networks.ethereum.outcomes import SUCCEEDED
from watchers.networks.ethereum.traces import Move
from watchers.networks.ethereum.wire import (
    RawLog,
    RawReceipt,
    RawTransaction,
    RawWithdrawal,
    amount,
)

WEI_PER_GWEI = 10**9


@dataclass(frozen=True, slots=True)
class Strays:
    """Called, yields well-formed token transfers of contracts that are not listed.

    Two are equal where they would yield the same.
    """

    receipts: Sequence[RawReceipt]
    tokens: frozenset[str]

    def __call__(self) -> Iterator[Transfer]:
        """Decode now; most blocks are never asked."""
        for receipt in self.receipts:
            if receipt.status == SUCCEEDED:
                tx_hash = receipt.transaction_hash.lower()
                for ordinal, log in enumerate(receipt.logs):
                    asset = log.address.lower()
                    if asset in self.tokens or asset == SYSTEM:
                        continue
                    stray = _stray(tx_hash, ordinal, asset, log)
                    if stray is not None:
                        yield stray


def native(tx_hash: str, sent: RawTransaction) -> Transfer | None:
    """Return the transaction's own value; a creation has no recipient."""
    if sent.value == "0x0" or sent.to is None:
        return None
    units = amount(sent.value)
    if not units:
        return None
    return Transfer(tx_hash, "native", 0, NATIVE, sent.from_.lower(), sent.to.lower(), units)


def listed_in(receipts: Iterable[RawReceipt], tokens: frozenset[str]) -> Mapping[str, str]:
    """Map every spelling of a listed contract that these logs have to its lower case.

    What EIP-7708 logs is no token.
    """
    spelled = {log.address for receipt in receipts for log in receipt.logs}
    listed = tokens - {SYSTEM}
    return {each: lower for each in spelled if (lower := each.lower()) in listed}


def token(tx_hash: str, ordinal: int, asset: str, log: RawLog) -> Transfer | None:
    """Return what a log of a listed contract moved; None where it is no transfer.

    Only a recorded block may have logs that its node took back: they move nothing.
    """
    found = None if log.removed else transfer_in(log.topics, log.data)
    return None if found is None else Transfer(tx_hash, "token", ordinal, asset, *found)


def internal(tx_hash: str, moves: Sequence[Move]) -> Iterator[Transfer]:
    """Yield what moved inside contracts."""
    for rank, each in enumerate(moves):
        yield Transfer(
            tx_hash, "internal", rank, NATIVE, each.sender, each.recipient, each.units
        )


def withdrawals(each: Iterable[RawWithdrawal]) -> Iterator[Transfer]:
    """Yield beacon-chain withdrawals; they belong to no transaction and nobody sent them."""
    for withdrawal in each:
        units = amount(withdrawal.amount) * WEI_PER_GWEI
        if units:
            name = f"withdrawal:{amount(withdrawal.index)}"
            recipient = withdrawal.address.lower()
            yield Transfer(name, "withdrawal", 0, NATIVE, "", recipient, units)


def _stray(tx_hash: str, ordinal: int, asset: str, log: RawLog) -> Transfer | None:
    try:
        return token(tx_hash, ordinal, asset, log)
    except ValueError:
        # An amount that is no hex spoils a block only where the token is listed.
        return None
