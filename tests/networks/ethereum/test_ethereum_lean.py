"""A block read for some addresses only says of them what the whole block says, or nothing."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks.ethereum.blocks import (
    PAYEE,
    TOKEN,
    assembled,
    decoded,
    payment,
)
from tests.networks.ethereum.leaning import (
    END,
    OTHER_HASH,
    OURS,
    STRANGERS,
    TOKENS,
    Json,
    answers,
    interest_in,
    leanly,
    paid,
    placed,
)
from tests.networks.ethereum.recordings import FIXTURES, recorded
from watchers.book import AddressKeys
from watchers.interest import Interest
from watchers.network import Block, Incomplete, Transfer
from watchers.networks.ethereum.lean import RECEIPTS_MAX, TooMuch

FAKE = "0x" + "fa" * 20


def matters(block: Block, own: frozenset[str]) -> list[Transfer]:
    """Return the transfers to us and those of our own transactions."""
    return [t for t in block.transfers if t.recipient in OURS or t.tx_hash in own]


LOGS = st.lists(
    st.builds(
        paid,
        st.sampled_from(OURS + STRANGERS),
        st.integers(0, 9),
        st.sampled_from([TOKEN, FAKE]),
        st.sampled_from(OURS + STRANGERS),
    ),
    max_size=3,
)
PAYMENTS = st.lists(
    st.tuples(
        st.sampled_from([*OURS, *STRANGERS, None]), st.integers(0, 3), LOGS, st.booleans()
    ),
    max_size=10,
)


@settings(max_examples=200, deadline=None)
@given(PAYMENTS, st.sets(st.integers(0, 12), max_size=3))
def test_what_concerns_us_is_the_same_both_ways(
    drawn: list[tuple[str | None, int, list[Json], bool]], own_numbers: set[int]
) -> None:
    """Hits, strays and outcomes of our own transactions; the count of transactions as well."""
    block, receipts = assembled(
        *(
            payment(
                number,
                value=value,
                to=to,
                logs=[dict(log) for log in logs] if success else [],
                status="0x1" if success else "0x0",
            )
            for number, (to, value, logs, success) in enumerate(drawn)
        )
    )
    own = frozenset(f"0x{number:064x}" for number in own_numbers)
    whole = decoded(block, receipts)
    lean = leanly(*placed(block, receipts), interest_in(OURS, own))
    assert matters(lean, own) == matters(whole, own)
    assert [t for t in lean.strays() if t.recipient in OURS] == [
        t for t in whole.strays() if t.recipient in OURS
    ]
    assert (lean.ref, len(lean.outcomes)) == (whole.ref, len(whole.outcomes))
    for name in own & set(whole.outcomes):
        assert lean.outcomes[name] == whole.outcomes[name]


NAMES = ("chainstorage/11098450", "chainstorage/17053184", "squid/18000000")


@pytest.mark.skipif(not FIXTURES.exists(), reason="no recorded blocks beside this checkout")
@pytest.mark.parametrize("name", NAMES)
def test_recorded_blocks_say_the_same_both_ways(name: str) -> None:
    """Mainnet blocks, every tenth address that they pay once or twice is ours."""
    block = recorded(FIXTURES / f"{name}.block.json")
    receipts = recorded(FIXTURES / f"{name}.receipts.json")
    tokens = frozenset(log["address"] for receipt in receipts for log in receipt["logs"])
    whole = decoded(block, receipts, tokens, int(block["number"], 16))
    count = Counter(transfer.recipient for transfer in whole.transfers)
    ours = frozenset(sorted(to for to, times in count.items() if times < 3)[::10])
    own = frozenset(list(whole.outcomes)[::40])
    logs = [log for receipt in receipts for log in receipt["logs"]]
    single = {receipt["transactionHash"]: receipt for receipt in receipts}
    height = int(block["number"], 16)
    lean = leanly(block, logs, single, interest_in(ours, own), tokens, height)

    def matter(read: Block) -> list[Transfer]:
        return [t for t in read.transfers if t.recipient in ours or t.tx_hash in own]

    assert len(matter(whole)) > len(ours) > 0
    assert matter(lean) == matter(whole)
    assert {name: lean.outcomes[name] for name in own} == {
        name: whole.outcomes[name] for name in own
    }
    assert len(lean.transfers) < len(whole.transfers)


def test_only_receipts_that_matter_are_read() -> None:
    """Payments to us, and those that show where the block ends; of the others nobody knows."""
    lean = leanly(*answers(), interest_in(OURS))
    assert [t.units for t in lean.transfers if t.recipient in OURS] == [5, 500, 500, 500]
    assert {t.ordinal for t in lean.transfers if t.tx_hash == TOKENS} == {0, 1}
    assert len(lean.outcomes) == 5
    assert lean.outcomes[END].success
    stranger = f"0x{3:064x}"
    assert stranger in lean.outcomes
    with pytest.raises(Incomplete, match="was not read"):
        lean.outcomes[stranger]
    with pytest.raises(KeyError):
        lean.outcomes[OTHER_HASH]


def test_an_empty_block_needs_no_receipt() -> None:
    """Its header says that there is nothing, and an empty list alone would not."""
    block, receipts = assembled()
    assert leanly(*placed(block, receipts), interest_in(OURS)).transfers == ()
    lying, _ = assembled(transactionsRoot="0x" + "11" * 32)
    with pytest.raises(Incomplete, match="transactions root"):
        leanly(*placed(lying, []), interest_in(OURS))


def test_a_block_of_which_much_matters_is_better_read_whole() -> None:
    """Sixty-four single receipts are the most that is asked for."""
    many = [payment(n, value=1, to=PAYEE) for n in range(RECEIPTS_MAX + 1)]
    assert leanly(*placed(*assembled(*many[1:])), interest_in([PAYEE])).transfers
    with pytest.raises(TooMuch):
        leanly(*placed(*assembled(*many)), interest_in([PAYEE]))


def test_a_failed_payment_pays_nothing() -> None:
    """Case 1: value in the block, status 0 in the receipt."""
    block, receipts = assembled(payment(1, value=5, to=OURS[0], status="0x0"), payment(2))
    assert leanly(*placed(block, receipts), interest_in(OURS)).transfers == ()


def test_an_address_that_is_added_later_overtakes_the_block() -> None:
    """Only one that the block may have paid; who was known already is in it."""
    keys = AddressKeys()
    keys.update(OURS[:2])
    lean = leanly(*answers(), Interest(keys.perhaps, lambda: keys.version))
    assert not lean.overtaken()
    keys.update(["0x" + "e0" * 20])
    assert not lean.overtaken()
    keys.update([OURS[2]])
    assert lean.overtaken()
