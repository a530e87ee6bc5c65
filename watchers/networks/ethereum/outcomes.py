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
    """Outcomes of a block of which some receipts are here, by place.

    Every transaction is a key. `Incomplete` where one is asked for that nobody wanted to know.
    """

    def __init__(
        self,
        places: Mapping[str, int],
        transactions: Sequence[RawTransaction],
        receipts: Mapping[int, RawReceipt],
    ) -> None:
        self._places = places
        self._transactions = transactions
        self._receipts = receipts

    def __getitem__(self, tx_hash: str) -> Outcome:
        place = self._places[tx_hash]
        receipt = self._receipts.get(place)
        if receipt is None:
            raise Incomplete(f"the receipt of {tx_hash} was not read")
        return outcome_of(self._transactions[place], receipt)

    def __contains__(self, tx_hash: object) -> bool:
        return tx_hash in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def outcome_of(sent: RawTransaction, receipt: RawReceipt) -> Outcome:
    """Return how a transaction ended and what it cost, from a receipt that is proved."""
    price = receipt.effective_gas_price or sent.gas_price
    fee = quantity(receipt.gas_used) * quantity(price or "")
    if receipt.blob_gas_used is not None and receipt.blob_gas_price is not None:
        fee += quantity(receipt.blob_gas_used) * quantity(receipt.blob_gas_price)
    if receipt.l1_fee is not None:
        fee += quantity(receipt.l1_fee)
    return Outcome(receipt.status == SUCCEEDED, fee, payer=sent.from_.lower())


def prove_outcomes(
    transactions: Sequence[RawTransaction], receipts: Sequence[RawReceipt]
) -> None:
    """Raise `Incomplete` where a status, a price or an amount of gas is missing or malformed."""
    texts: list[str] = []
    for sent, receipt in zip(transactions, receipts, strict=True):
        status = receipt.status
        if status != SUCCEEDED and status != FAILED:  # noqa: PLR1714 - a set takes twice as long
            said = "has no status" if status is None else f"has status {status!r}"
            raise Incomplete(f"receipt of {receipt.transaction_hash} {said}")
        price = receipt.effective_gas_price or sent.gas_price
        if price is None:
            raise Incomplete(f"no gas price of {sent.hash}")
        texts += (receipt.gas_used, price)
        for extra in (receipt.blob_gas_used, receipt.blob_gas_price, receipt.l1_fee):
            if extra is not None:
                texts.append(extra)
    # One look at all of them together; what they come to is worked out for those asked about.
    together = " ".join(texts)
    if QUANTITIES.fullmatch(together) is None or together.count(" ") >= len(texts) > 0:
        raise Incomplete("a price or an amount of gas is no hex quantity")
