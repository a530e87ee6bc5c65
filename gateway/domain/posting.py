"""Double entry: every journal of the house as a pure function.

A posting changes one account's `confirmed` and `locked`; the changes of one journal sum to zero
in each currency. The house's own accounts are `custody` (the mirror of the chain, below zero),
`revenue`, `expense` (below zero too: it is only ever spent), `external` and `suspense`; every
other account is a merchant id, or the id of a merchant's customer. What the database makes of
them: `docs/decisions/0003-ledger-in-the-database.md`.
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


def deposit_ref(network: str, tx_hash: str, kind: str, ordinal: int, reversals: int = 0) -> str:
    """Return the identity of a deposit as a journal reference; the block is not part of it.

    What was taken back with its final block, `reversals` times, is credited anew where it comes back.
    """
    ref = f"{network}:{tx_hash}:{kind}:{ordinal}"
    return f"{ref}#{reversals + 1}" if reversals else ref


def processing_fee(units: int, basis_points: int) -> int:
    """Return the house's share of a payment, rounded down: the fraction is the merchant's."""
    return units * basis_points // 10_000


def deposit(
    ref: str,
    merchant_id: str | None,
    currency_id: str,
    units: int,
    *,
    fee_units: int = 0,
    customer_id: str | None = None,
) -> JournalEntry:
    """Credit a final deposit less the house's fee; without a merchant it waits in suspense.

    With a customer it is that customer's.
    """
    account = customer_id or merchant_id or SUSPENSE
    postings = _credited(CUSTODY, account, currency_id, units, fee_units)
    return JournalEntry("deposit", ref, merchant_id, postings)


def assign(
    ref: str,
    merchant_id: str,
    currency_id: str,
    units: int,
    *,
    fee_units: int = 0,
    customer_id: str | None = None,
) -> JournalEntry:
    """Give a merchant, or its customer, a final deposit that waited in suspense.

    `ref` is the deposit's own.
    """
    postings = _credited(SUSPENSE, customer_id or merchant_id, currency_id, units, fee_units)
    return JournalEntry("assign", ref, merchant_id, postings)


def capital(ref: str, currency_id: str, units: int) -> JournalEntry:
    """Book funds that the operator sent to an application wallet."""
    postings = _between(CUSTODY, EXTERNAL, currency_id, "ADJUSTMENT", units)
    return JournalEntry("capital", ref, None, postings)


def hold(
    withdrawal_id: str,
    merchant_id: str | None,
    currency_id: str,
    units: int,
    *,
    customer_id: str | None = None,
) -> JournalEntry:
    """Lock what a withdrawal will take: its amount and its flat fee.

    With a customer the funds are the customer's. Without a merchant it is a refund: the funds are
    those in suspense.
    """
    account = customer_id or merchant_id or SUSPENSE
    posting = Posting(account, currency_id, "HOLD", confirmed=-units, locked=units)
    return JournalEntry("hold", withdrawal_id, merchant_id, (posting,))


def release(
    withdrawal_id: str,
    merchant_id: str | None,
    currency_id: str,
    units: int,
    *,
    customer_id: str | None = None,
) -> JournalEntry:
    """Give back what a rejected, canceled or failed withdrawal had locked."""
    account = customer_id or merchant_id or SUSPENSE
    posting = Posting(account, currency_id, "RELEASE", confirmed=units, locked=-units)
    return JournalEntry("release", withdrawal_id, merchant_id, (posting,))


def settle(
    withdrawal_id: str,
    merchant_id: str | None,
    currency_id: str,
    units: int,
    fee_units: int,
    *,
    customer_id: str | None = None,
) -> JournalEntry:
    """Take a final withdrawal out of the locked balance: amount off the chain, fee earned."""
    account = customer_id or merchant_id or SUSPENSE
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


def transfer(
    ref: str, merchant_id: str, currency_id: str, units: int, *, payer: str, account: str
) -> JournalEntry:
    """Move money between a merchant and one of its customers; `ref` is the transfer."""
    postings = _between(payer, account, currency_id, "ADJUSTMENT", units)
    return JournalEntry("transfer", ref, merchant_id, postings)


def network_fee(ref: str, currency_id: str, units: int) -> JournalEntry:
    """Book what the network took, in its own coin; the operator pays it."""
    postings = _between(EXPENSE, CUSTODY, currency_id, "FEE", units)
    return JournalEntry("network_fee", ref, None, postings)


def rent(ref: str, currency_id: str, units: int) -> JournalEntry:
    """Book what came back with an account that our own transaction closed, in the native coin."""
    postings = _between(CUSTODY, EXPENSE, currency_id, "FEE", units)
    return JournalEntry("rent", ref, None, postings)


def commission(
    ref: str, merchant_id: str, currency_id: str, units: int, *, payer: str, account: str
) -> JournalEntry:
    """Share what a payment earned; `ref` is the commission, `merchant_id` whose books it is in."""
    postings = _between(payer, account, currency_id, "FEE", units)
    return JournalEntry("commission", ref, merchant_id, postings)


@dataclass(frozen=True, slots=True)
class Credit:
    """What one journal gave one account, and what is left of it there, in base units.

    `parts` are the accounts that paid it, with what each of them paid. `surety` is who answers for
    the account, with what is left there: a merchant for its customer.
    """

    account: str
    currency_id: str
    units: int
    left: int
    parts: tuple[tuple[str, int], ...]
    surety: tuple[str, int] | None = None


def reversal(ref: str, merchant_id: str | None, credit: Credit) -> JournalEntry:
    """Take a credit back to those who paid it; what is no longer there is missing in suspense."""
    covered = min(credit.units, max(credit.left, 0))
    surety, there = credit.surety or (SUSPENSE, 0)
    answered = min(credit.units - covered, max(there, 0))
    moves = [
        (credit.account, -covered),
        (surety, -answered),
        (SUSPENSE, covered + answered - credit.units),
        *credit.parts,
    ]
    postings = (
        Posting(account, credit.currency_id, "ADJUSTMENT", confirmed=units)
        for account, units in moves
        if units
    )
    return JournalEntry("reversal", ref, merchant_id, tuple(postings))


def _credited(
    debit: str, account: str, currency_id: str, units: int, fee_units: int
) -> tuple[Posting, ...]:
    """Move a payment to its account and the house's share of it to revenue."""
    paid = (
        Posting(debit, currency_id, "DEPOSIT", confirmed=-units),
        Posting(account, currency_id, "DEPOSIT", confirmed=units - fee_units),
    )
    fee = Posting(REVENUE, currency_id, "FEE", confirmed=fee_units)
    return (*paid, fee) if fee_units else paid


def _between(
    debit: str, credit: str, currency_id: str, change_type: str, units: int
) -> tuple[Posting, ...]:
    return (
        Posting(debit, currency_id, change_type, confirmed=-units),
        Posting(credit, currency_id, change_type, confirmed=units),
    )
