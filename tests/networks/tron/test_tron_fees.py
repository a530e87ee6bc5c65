"""What a Tron payment costs."""

import pytest

from watchers.network import Incomplete
from watchers.networks.tron.answers import Resources
from watchers.networks.tron.fees import (
    Prices,
    bandwidth_burn,
    energy_burn_at_most,
    energy_limit,
    prices_of,
)

PRICES = Prices(energy=100, byte=1_000, activation=1_100_000)
PARAMETERS = {
    "getEnergyFee": 100,
    "getTransactionFee": 1_000,
    "getCreateNewAccountFeeInSystemContract": 1_000_000,
    "getCreateAccountFee": 100_000,
}


def test_prices_come_from_the_chain() -> None:
    """A first payment to an address costs 1.1 TRX at today's parameters."""
    assert prices_of(PARAMETERS) == PRICES


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_an_absent_price_is_not_zero(name: str) -> None:
    """A node that does not state a price is asked again."""
    with pytest.raises(Incomplete, match=name):
        prices_of({key: value for key, value in PARAMETERS.items() if key != name})


@pytest.mark.parametrize(
    ("resources", "burn"),
    [
        (Resources(free_net_limit=600), 0),
        (Resources(free_net_limit=600, free_net_used=300), 0),
        (Resources(free_net_limit=600, free_net_used=301), 300_000),
        (Resources(free_net_limit=600, free_net_used=400, net_limit=200), 300_000),
        (Resources(free_net_limit=600, free_net_used=600, net_limit=300), 0),
        (Resources(), 300_000),
    ],
)
def test_bandwidth_is_free_whole_or_burned_whole(resources: Resources, burn: int) -> None:
    """Neither allowance covers a part of 300 bytes."""
    assert bandwidth_burn(300, resources, PRICES) == burn


def test_the_energy_limit_has_a_margin_and_rounds_up() -> None:
    """A fifth more than simulated; a fraction of a sun is a whole one."""
    assert energy_limit(64_285, PRICES) == 7_714_200
    assert energy_limit(1, Prices(energy=1, byte=1, activation=1)) == 2


@pytest.mark.parametrize(
    ("staked", "used", "burn"),
    [(0, 0, 6_000), (40, 0, 2_000), (60, 10, 1_000), (10, 90, 6_000)],
)
def test_staked_energy_is_used_before_trx(staked: int, used: int, burn: int) -> None:
    """Only what the stake does not cover can burn."""
    resources = Resources(energy_limit=staked, energy_used=used)
    assert energy_burn_at_most(6_000, resources, PRICES) == burn
