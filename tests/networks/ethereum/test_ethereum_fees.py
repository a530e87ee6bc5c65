"""What is offered for gas, and when the ceiling stops it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchers.network import Incomplete, Refused
from watchers.networks.ethereum.fees import Fees, gas_limit_for, market_fees, within_ceiling

WEI = st.integers(0, 10**15)


def test_the_offer_is_twice_the_base_and_the_median_tip() -> None:
    """It survives six full blocks; one greedy block does not move the tip."""
    assert market_fees(100, [1, 9, 10**9]) == Fees(max_fee_wei=209, tip_wei=9)


def test_a_tip_is_never_nothing() -> None:
    """A quiet chain reports no tips; builders still want one wei."""
    assert market_fees(7, []) == Fees(max_fee_wei=15, tip_wei=1)
    assert market_fees(7, [0, 0, 0]) == Fees(max_fee_wei=15, tip_wei=1)


@given(base=WEI, tips=st.lists(WEI, max_size=20), gas=st.integers(21_000, 10**6), spare=WEI)
def test_the_fee_never_passes_the_ceiling(
    base: int, tips: list[int], gas: int, spare: int
) -> None:
    """What the next block asks for is offered, or it is refused; never more than allowed."""
    fees = market_fees(base, tips)
    ceiling = (base + fees.tip_wei) * gas + spare
    capped = within_ceiling(fees, base, gas, ceiling)
    assert capped.max_fee_wei * gas <= ceiling
    assert base + fees.tip_wei <= capped.max_fee_wei <= fees.max_fee_wei
    assert capped.tip_wei <= capped.max_fee_wei
    with pytest.raises(Refused, match="ceiling"):
        within_ceiling(fees, base, gas, (base + fees.tip_wei) * gas - 1)


def test_gas_gets_a_fifth_more_unless_it_is_exact() -> None:
    """A plain payment costs 21000, always; anything else may cost more when its turn comes."""
    assert gas_limit_for(21_000) == 21_000
    assert gas_limit_for(50_000) == 60_000
    assert gas_limit_for(50_001) == 60_002


@pytest.mark.parametrize(
    ("estimate", "data"),
    [
        (0, b""),
        (100, b""),
        (20_999, b""),
        (21_000, b"\0\1"),
        (21_019, b"\0\1"),
        (30_000_000, b""),
    ],
)
def test_an_estimate_that_cannot_be_true_is_no_answer(estimate: int, data: bytes) -> None:
    """Too little can never land and holds up the nonce; too much the keystore never signs."""
    with pytest.raises(Incomplete, match="estimates"):
        gas_limit_for(estimate, data)
    assert gas_limit_for(21_020, b"\0\1") == 25_224
