"""Every journal of the house sums to zero, and none can be written that does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import posting
from gateway.domain.posting import JournalEntry, Posting

UNITS = st.integers(1, 2**256 - 1)
FEES = st.integers(0, 10**30)


def sums(entry: JournalEntry) -> set[int]:
    """Return the sum per currency."""
    totals: dict[str, int] = {}
    for each in entry.postings:
        totals[each.currency_id] = (
            totals.get(each.currency_id, 0) + each.confirmed + each.locked
        )
    return set(totals.values())


@given(UNITS, FEES, st.booleans())
def test_every_journal_sums_to_zero(units: int, fee: int, known: bool) -> None:
    """Per currency, whatever the amounts."""
    merchant = "mer_1" if known else None
    entries = [
        posting.deposit("ref", merchant, "ETH-ETHEREUM", units),
        posting.capital("ref", "ETH-ETHEREUM", units),
        posting.hold("wdr_1", "mer_1", "ETH-ETHEREUM", units),
        posting.release("wdr_1", "mer_1", "ETH-ETHEREUM", units),
        posting.settle("wdr_1", "mer_1", "ETH-ETHEREUM", units, fee),
        posting.network_fee("wdr_1", "ETH-ETHEREUM", units),
    ]
    assert [sums(entry) for entry in entries] == [{0}] * len(entries)


@given(UNITS, FEES)
def test_hold_and_settle_leave_nothing_locked(units: int, fee: int) -> None:
    """What a withdrawal locked is what its settlement takes, fee included."""
    held = posting.hold("wdr_1", "mer_1", "X", units + fee)
    settled = posting.settle("wdr_1", "mer_1", "X", units, fee)
    locked = [p.locked for p in (*held.postings, *settled.postings) if p.account == "mer_1"]
    assert sum(locked) == 0


@given(UNITS)
def test_hold_and_release_undo_each_other(units: int) -> None:
    """A rejected withdrawal leaves the balance as it was."""
    pair = (posting.hold("w", "mer_1", "X", units), posting.release("w", "mer_1", "X", units))
    every = [each for entry in pair for each in entry.postings]
    assert sum(each.confirmed for each in every) == 0
    assert sum(each.locked for each in every) == 0


@given(UNITS)
def test_a_journal_that_makes_money_cannot_be_built(units: int) -> None:
    """It is a bug, so it raises before anything is written."""
    with pytest.raises(ValueError, match="does not sum to zero"):
        JournalEntry("deposit", "ref", "mer_1", (Posting("mer_1", "X", "DEPOSIT", units),))
    with pytest.raises(ValueError, match="does not sum to zero"):
        JournalEntry("deposit", "ref", "mer_1", ())


def test_two_currencies_do_not_balance_each_other() -> None:
    """One ETH less is not one USDC more."""
    legs = (Posting("custody", "ETH", "DEPOSIT", -1), Posting("mer_1", "USDC", "DEPOSIT", 1))
    with pytest.raises(ValueError, match="does not sum to zero"):
        JournalEntry("deposit", "ref", "mer_1", legs)


def test_the_identity_of_a_deposit_names_no_block() -> None:
    """The same transfer in another block is the same journal."""
    assert posting.deposit_ref("tron", "ab", "token", 3) == "tron:ab:token:3"
