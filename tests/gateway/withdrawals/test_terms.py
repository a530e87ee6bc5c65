"""What a withdrawal costs and where it is, whoever writes it; and names of one mode only."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.gateway.shop import Shop
from tests.gateway.withdrawals.test_request import ask

pytestmark = pytest.mark.anyio
USDC = "USDC-ETHEREUM"
ASKED = (
    "INSERT INTO withdrawal (id, merchant_id, livemode, currency_id, network_id, units, fee_units,"
    " destination, created_by, created_at, updated_at) VALUES ('wdr_x', :merchant, :live,"
    " 'USDC-ETHEREUM', :network, 5, :fee, '0xaa', 'key_1', now(), now())"
)


async def test_the_apis_role_sets_no_fee_of_its_own(shop: Shop) -> None:
    """Not less than the house takes, and not a merchant's whole balance for the house."""
    merchant, _ = await shop.merchant_and_key()
    right: dict[str, Any] = {"live": False, "network": "ethereum", "fee": 1_000_000}
    for wrong in ({"fee": 0}, {"fee": 10**9}, {"network": "tron"}, {"live": True}):
        with pytest.raises(DBAPIError, match="these are not the terms"):
            async with shop.database.unit_of_work(merchant) as session:
                values = {"merchant": merchant, **right, **wrong}
                await session.execute(text(ASKED), values)
    async with shop.database.unit_of_work(merchant) as session:
        await session.execute(text(ASKED), {"merchant": merchant, **right})


async def test_a_reference_of_test_mode_takes_none_from_real_money(shop: Shop) -> None:
    """A shop tries its payouts with the words that it will use later."""
    merchant, key = await shop.merchant_and_key()
    live = await shop.key(merchant, livemode=True)
    await shop.fund(merchant, USDC, 100_000_000)
    await shop.fund(merchant, "ETH-MAINNET", 10**18)
    assert (await ask(shop, key, reference="salary-1")).status_code == 201
    real = {"payment_method": "ETH-MAINNET", "amount": "0.1", "reference": "salary-1"}
    assert (await ask(shop, live, **real)).status_code == 201
    assert (await ask(shop, live, **real)).json()["code"] == "reference_already_used"
