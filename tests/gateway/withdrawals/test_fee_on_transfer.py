"""A token that keeps a part of every transfer is taken in and not paid out: nothing is held for it."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.gateway.shop import Shop
from tests.gateway.withdrawals.test_batch import batch, codes
from tests.gateway.withdrawals.test_estimate import estimate
from tests.gateway.withdrawals.test_request import ask, balance
from tests.gateway.withdrawals.test_terms import ASKED

pytestmark = pytest.mark.anyio


async def test_no_payout_of_it_is_taken_whichever_way_it_is_asked_for(shop: Shop) -> None:
    """Its code says why; the balance stays free, and the API's own role gets no further."""
    merchant, key = await shop.merchant_and_key()
    await shop.fund(merchant, "USDC-ETHEREUM", 100_000_000)
    await shop.run("UPDATE currency SET fee_on_transfer = true WHERE id = 'USDC-ETHEREUM'")
    for answer in (await ask(shop, key), await estimate(shop, key)):
        [error] = answer.json()["errors"]
        assert (answer.status_code, error["pointer"]) == (422, "/payment_method")
        assert error["code"] == "fee_on_transfer"
    assert codes(await batch(shop, key, {}, {})) == ["fee_on_transfer"] * 2
    assert await balance(shop, key) == ("100.000000", "0.000000")
    values = {"merchant": merchant, "live": False, "network": "ethereum", "fee": 1_000_000}
    with pytest.raises(DBAPIError, match="these are not the terms"):
        async with shop.database.unit_of_work(merchant) as session:
            await session.execute(text(ASKED), values)
