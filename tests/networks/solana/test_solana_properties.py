"""Whatever moves in a transaction, the decoder's sums follow from the balances alone."""

from collections import Counter
from collections.abc import Collection
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.networks.solana.documents import (
    FOREIGN_MINT,
    MINT,
    Held,
    Tx,
    address,
    ata,
    block,
    decoded,
)
from watchers.network import Block
from watchers.networks.solana.accounts import TOKEN_PROGRAM

OWNERS = [address(number) for number in range(1, 5)]
BOTH = {MINT: TOKEN_PROGRAM, FOREIGN_MINT: TOKEN_PROGRAM}
UNITS = st.one_of(st.none(), st.integers(0, 2**64 - 1))
LAMPORTS = st.one_of(st.integers(0, 20), st.integers(0, 2**60))


@st.composite
def transactions(draw: st.DrawFn, number: int = 1) -> Tx:
    """Any balances before and after, in canonical accounts and in others."""
    owners = draw(st.lists(st.sampled_from(OWNERS), min_size=1, unique=True))
    lamports = {owner: (draw(LAMPORTS), draw(LAMPORTS)) for owner in owners}
    held: list[Held] = []
    for mint in (MINT, FOREIGN_MINT):
        holders = draw(st.lists(st.sampled_from(OWNERS), unique=True))
        held += [ata(owner, draw(UNITS), draw(UNITS), mint) for owner in holders]
        for account in draw(st.lists(st.integers(100, 103), unique=True)):
            owner, former = draw(st.sampled_from(OWNERS)), draw(st.sampled_from(OWNERS))
            place = address(account + (4 if mint == MINT else 0))
            held.append(Held(place, owner, draw(UNITS), draw(UNITS), mint, owner_before=former))
    err = draw(st.sampled_from([None, None, None, {"InstructionError": [0, "Custom"]}]))
    return Tx(lamports, held, err, number)


def gained(transaction: Tx) -> Counter[tuple[str, str]]:
    """Return (asset, recipient) -> units, from the balances as they were made up."""
    rises: Counter[tuple[str, str]] = Counter()
    if transaction.err is not None:
        return rises
    for owner, (before, after) in transaction.lamports.items():
        rises["native", owner] += max(0, after - before)
    tokens: Counter[tuple[str, str]] = Counter()
    for each in transaction.held:
        tokens[each.mint, each.owner] += each.after or 0
        tokens[each.mint, each.owner_before or each.owner] -= each.before or 0
    return +(rises + tokens)


def summed(transfers: Any) -> Counter[tuple[str, str]]:
    """Return (asset, recipient) -> units."""
    sums: Counter[tuple[str, str]] = Counter()
    for each in transfers:
        assert each.units > 0
        sums[each.asset, each.recipient] += each.units
    return sums


def everything(whole: Block) -> list[Any]:
    """Return payments and strays."""
    return [*whole.transfers, *whole.strays()]


def reached(transaction: Tx, tokens: Collection[str]) -> Counter[tuple[str, str]]:
    """Return (mint, owner) -> units by which canonical accounts of listed mints rose."""
    rises: Counter[tuple[str, str]] = Counter()
    for each in transaction.held if transaction.err is None else ():
        if each.owner_before is None and each.mint in tokens:
            rises[each.mint, each.owner] = (each.after or 0) - (each.before or 0)
    return +rises


@given(transactions())
def test_payments_and_strays_are_all_that_was_gained(transaction: Tx) -> None:
    """Nothing appears, nothing is lost, nothing is counted twice, listed or not.

    What an owner brings into his canonical account is nothing that he gained, and counts there.
    """
    for tokens in (BOTH, {MINT: TOKEN_PROGRAM}, {}):
        whole = decoded(block(transaction), tokens)
        expected = gained(transaction) | reached(transaction, tokens)
        assert summed(everything(whole)) == expected


@given(transactions())
def test_a_payment_is_never_more_than_its_canonical_account_gained(transaction: Tx) -> None:
    """What came by other accounts is recorded apart, whatever happened beside it."""
    arrived = {
        (each.mint, each.owner): (each.after or 0) - (each.before or 0)
        for each in transaction.held
        if each.owner_before is None
    }
    for each in decoded(block(transaction), BOTH).transfers:
        if each.kind == "token":
            assert each.units <= arrived[each.asset, each.recipient]


@given(transactions())
def test_identities_do_not_depend_on_what_is_listed(transaction: Tx) -> None:
    """One name, one transfer; and a token that is listed later keeps the names."""
    wide = {
        (t.kind, t.ordinal): (t.asset, t.recipient)
        for t in decoded(block(transaction), BOTH).transfers
    }
    narrow = decoded(block(transaction), {MINT: TOKEN_PROGRAM}).transfers
    names = [(t.kind, t.ordinal) for t in narrow]
    assert len(set(names)) == len(names)
    for each in narrow:
        assert wide[each.kind, each.ordinal] == (each.asset, each.recipient)


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=4), st.data())
def test_a_fee_alone_is_told_from_a_payment(balances: list[int], data: st.DataObject) -> None:
    """The short cut for votes finds the same as the arithmetic, at every number of digits."""
    changes = [data.draw(st.sampled_from([-1, 0, 0, 1])) for _ in balances]
    lamports = {
        owner: (before, max(0, before + change))
        for owner, before, change in zip(OWNERS, balances, changes, strict=False)
    }
    transaction = Tx(lamports)
    assert summed(decoded(block(transaction)).transfers) == gained(transaction)
