"""How the transactions of a proved block ended and what each cost its sender."""

import re
from collections.abc import Iterator, Mapping, Sequence

from watchers.network import Incomplete, Outcome
from watchers.networks.ethereum.wire import RawReceipt, RawTransaction, quantity

SUCCEEDED, FAILED = "0x1", "0x0"
QUANTITY = "0x[0-9a-fA-F]{1,64}"
QUANTITIES = re.compile(f"(?:{QUANTITY}(?: {QUANTITY})*)?", re.ASCII)


class Outcomes(Mapping[str, Outcome]):
    """Outcomes by hash, worked out when asked for: of most transactions nobody ever asks.

    `places` gives each hash (lower-case) its place among transactions and receipts, which
    `prove_outcomes` has passed.
    """

    def __init__(
        self,
        places: Mapping[str, int],
        transactions: Sequence[RawTransaction],
        receipts: Sequence[RawReceipt],
    ) -> None:
        self._places = places
        self._transactions = transactions
        self._receipts = receipts

    def __getitem__(self, tx_hash: str) -> Outcome:
        place = self._places[tx_hash]
        return outcome_of(self._transactions[place], self._receipts[place])

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class SomeOutcomes(Mapping[str, Outcome]):
    """Outcomes of a block of which some receipts are here, by the hash of the transaction.

    Every transaction is a key. `Incomplete` where one is asked for that nobody wanted to know.
    `names` are all of them, parted by blanks: many blocks wait for their turn, in one text each.
    """

    def __init__(
        self,
        names: str,
        known: Mapping[str, tuple[RawTransaction, RawReceipt]],
    ) -> None:
        self._names = names
        self._count = names.count(" ") + 1 if names else 0
        self._known = known

    def __getitem__(self, tx_hash: str) -> Outcome:
        known = self._known.get(tx_hash)
        if known is None and tx_hash in self:
            raise Incomplete(f"the receipt of {tx_hash} was not read")
        if known is None:
            raise KeyError(tx_hash)
        return outcome_of(*known)

    def __contains__(self, tx_hash: object) -> bool:
        # Nearly always it is not there, and one look at the text says so.
        return isinstance(tx_hash, str) and tx_hash in self._names and tx_hash in list(self)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names.split(" ") if self._count else ())

    def __len__(self) -> int:
        return self._count


def outcome_of(sent: RawTransaction, receipt: RawReceipt) -> Outcome:
    """Return how a transaction ended and what it cost, from a receipt that is proved.

    Raises `Incomplete` where neither of them names a price.
    """
    price = receipt.effective_gas_price or sent.gas_price
    if price is None:
        raise Incomplete(f"no gas price of {sent.hash}")
    fee = quantity(receipt.gas_used) * quantity(price)
    if receipt.blob_gas_used is not None and receipt.blob_gas_price is not None:
        fee += quantity(receipt.blob_gas_used) * quantity(receipt.blob_gas_price)
    if receipt.l1_fee is not None:
        fee += quantity(receipt.l1_fee)
    return Outcome(receipt.status == SUCCEEDED, fee, payer=sent.from_.lower())


def prove_outcomes(
    transactions: Sequence[RawTransaction], receipts: Sequence[RawReceipt]
) -> None:
    """Raise `Incomplete` where a status is missing, or what there is of prices is malformed.

    A price may be missing: what strangers paid for gas must not stop a network.
    """
    texts = [receipt.gas_used for receipt in receipts]
    for sent, receipt in zip(transactions, receipts, strict=True):
        status = receipt.status
        if status != SUCCEEDED and status != FAILED:  # noqa: PLR1714 - a set takes twice as long
            said = "has no status" if status is None else f"has status {status!r}"
            raise Incomplete(f"receipt of {receipt.transaction_hash} {said}")
        price = receipt.effective_gas_price or sent.gas_price
        if price is not None:
            texts.append(price)
        if receipt.blob_gas_used is not None:
            texts.append(receipt.blob_gas_used)
        if receipt.blob_gas_price is not None:
            texts.append(receipt.blob_gas_price)
        if receipt.l1_fee is not None:
            texts.append(receipt.l1_fee)
    # One look at all of them together; what they come to is worked out for those asked about.
    together = " ".join(texts)
    if QUANTITIES.fullmatch(together) is None or together.count(" ") >= len(texts) > 0:
        raise Incomplete("a price or an amount of gas is no hex quantity")
