"""Double entry: every journal of the house as a pure function (DESIGN: money, the postings table).

A posting changes one account's `confirmed` and `locked`; the changes of one journal sum to zero
in each currency. The house's own accounts are `custody` (the mirror of the chain, below zero),
`revenue`, `expense` (below zero too: it is only ever spent), `external` and `suspense`; every
other account is a merchant id.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

CUSTODY = "custody"
REVENUE = "revenue"
EXPENSE = "expense"
EXTERNAL = "external"
SUSPENSE = "suspense"


@dataclass(frozen=True, slots=True)
class Posting:
    """A change of one account in base units; `change_type` is the seed's word for it."""

    account: str
    currency_id: str
    change_type: str
    confirmed: int = 0
    locked: int = 0


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """All postings of one event in the world; `(kind, ref)` happens once for good."""

    kind: str
    ref: str
    merchant_id: str | None
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        sums: defaultdict[str, int] = defaultdict(int)
        for posting in self.postings:
            sums[posting.currency_id] += posting.confirmed + posting.locked
        if any(sums.values()) or not self.postings:
            raise ValueError(
                f"journal {self.kind} {self.ref} does not sum to zero: {dict(sums)}"
            )


def deposit_ref(network: str, tx_hash: str, kind: str, ordinal: int) -> str:
    """Return the identity of a deposit as a journal reference; the block is not part of it."""
    return f"{network}:{tx_hash}:{kind}:{ordinal}"


def deposit(ref: str, merchant_id: str | None, currency_id: str, units: int) -> JournalEntry:
    """Credit a final deposit; without a merchant it waits in suspense."""
    account = merchant_id or SUSPENSE
    postings = _between(CUSTODY, account, currency_id, "DEPOSIT", units)
    return JournalEntry("deposit", ref, merchant_id, postings)


def assign(ref: str, merchant_id: str, currency_id: str, units: int) -> JournalEntry:
    """Give a merchant a final deposit that waited in suspense; `ref` is the deposit's own."""
    postings = _between(SUSPENSE, merchant_id, currency_id, "DEPOSIT", units)
    return JournalEntry("assign", ref, merchant_id, postings)


def capital(ref: str, currency_id: str, units: int) -> JournalEntry:
    """Book funds that the operator sent to an application wallet."""
    postings = _between(CUSTODY, EXTERNAL, currency_id, "ADJUSTMENT", units)
    return JournalEntry("capital", ref, None, postings)


def hold(
    withdrawal_id: str, merchant_id: str | None, currency_id: str, units: int
) -> JournalEntry:
    """Lock what a withdrawal will take: its amount and its flat fee.

    Without a merchant it is a refund: the funds are those in suspense.
    """
    posting = Posting(
        merchant_id or SUSPENSE, currency_id, "HOLD", confirmed=-units, locked=units
    )
    return JournalEntry("hold", withdrawal_id, merchant_id, (posting,))


def release(
    withdrawal_id: str, merchant_id: str | None, currency_id: str, units: int
) -> JournalEntry:
    """Give back what a rejected, canceled or failed withdrawal had locked."""
    posting = Posting(
        merchant_id or SUSPENSE, currency_id, "RELEASE", confirmed=units, locked=-units
    )
    return JournalEntry("release", withdrawal_id, merchant_id, (posting,))


def settle(
    withdrawal_id: str, merchant_id: str | None, currency_id: str, units: int, fee_units: int
) -> JournalEntry:
    """Take a final withdrawal out of the locked balance: amount off the chain, fee earned."""
    account = merchant_id or SUSPENSE
    postings: Sequence[Posting] = [
        Posting(account, currency_id, "WITHDRAWAL", locked=-units),
        Posting(CUSTODY, currency_id, "WITHDRAWAL", confirmed=units),
    ]
    if fee_units:
        postings = [
            *postings,
            Posting(account, currency_id, "FEE", locked=-fee_units),
            Posting(REVENUE, currency_id, "FEE", confirmed=fee_units),
        ]
    return JournalEntry("settle", withdrawal_id, merchant_id, tuple(postings))


def network_fee(ref: str, currency_id: str, units: int) -> JournalEntry:
    """Book what the network took, in its own coin; the operator pays it."""
    postings = _between(EXPENSE, CUSTODY, currency_id, "FEE", units)
    return JournalEntry("network_fee", ref, None, postings)


def rent(ref: str, currency_id: str, units: int) -> JournalEntry:
    """Book what came back with an account that our own transaction closed, in the native coin."""
    postings = _between(CUSTODY, EXPENSE, currency_id, "FEE", units)
    return JournalEntry("rent", ref, None, postings)


def _between(
    debit: str, credit: str, currency_id: str, change_type: str, units: int
) -> tuple[Posting, ...]:
    return (
        Posting(debit, currency_id, change_type, confirmed=-units),
        Posting(credit, currency_id, change_type, confirmed=units),
    )
