"""The house's fee: kept of what is credited, rounded down, set by operators only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.domain.posting import deposit, processing_fee
from tests.gateway.referrals.market import USDC, WHOLE, balances, fee, paid
from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio
BORN_WITH_A_FEE = (
    "INSERT INTO merchant (id, name, created_at, processing_fee_basis_points)"
    " VALUES ('{merchant}x', 'x', now(), 5)"
)


@given(st.integers(1, 2**256 - 1), st.integers(0, 2000))
def test_the_fraction_is_the_merchants(units: int, basis_points: int) -> None:
    """Never more than its share, less than one unit below it, and all three sum to zero."""
    kept = processing_fee(units, basis_points)
    assert 0 <= units * basis_points - kept * 10_000 < 10_000
    parts = {each.account: each.confirmed for each in deposit("r", "mer_1", USDC, units, fee_units=kept).postings}  # fmt: skip
    assert parts["custody"] == -units
    assert parts["mer_1"] + parts.get("revenue", 0) == units


async def test_a_deposit_is_credited_less_the_fee_of_its_time(shop: Shop) -> None:
    """Nothing by default; then one percent; what was credited before stays as it was."""
    merchant, key = await shop.merchant_and_key()
    await paid(shop, key, 199, tx="0x01")
    assert await balances(shop, merchant, "revenue", "custody") == [199, 0, -199]
    assert await fee(shop, merchant, 100) == {
        "object": "processing_fee",
        "merchant_id": merchant,
        "basis_points": 100,
    }
    await paid(shop, key, 199, tx="0x02")
    assert await balances(shop, merchant, "revenue", "custody") == [397, 1, -398]
    rows = await shop.rows("SELECT fee_units FROM deposit ORDER BY id")
    assert [int(row.fee_units) for row in rows] == [0, 1]
    own = (await shop.call("GET", "/v1/merchant/processing_fee", key)).json()
    assert own["basis_points"] == 100
    [note] = await shop.rows(
        "SELECT * FROM audit_log WHERE action = 'merchant.fee_changed' AND merchant_id = :m",
        m=merchant,
    )
    assert (note.before, note.after) == (
        {"processing_fee_basis_points": 0},
        {"processing_fee_basis_points": 100},
    )


async def test_small_deposits_pay_when_they_leave_suspense(shop: Shop) -> None:
    """Below the minimum nobody is credited and nobody pays; together they are and do."""
    merchant, key = await shop.merchant_and_key()
    await fee(shop, merchant, 1000)
    await shop.run("UPDATE currency SET minimum_deposit_units = 1000 WHERE id = :id", id=USDC)
    invoice = await shop.invoice(key, payment_methods=[USDC])
    address = invoice["payment_options"][0]["address"]
    await shop.pay(address, USDC, 600, tx="0x01", final=True)
    assert await balances(shop, merchant, "suspense", "revenue") == [0, 600, 0]
    await shop.pay(address, USDC, 600, tx="0x02", final=True)
    assert await balances(shop, merchant, "suspense", "revenue") == [1080, 0, 120]


async def test_only_an_operator_changes_a_fee(shop: Shop) -> None:
    """Not the merchant, nor whoever took over the API's role; what was kept once is nobody's to change."""
    merchant, key = await shop.merchant_and_key()
    path = f"/v1/merchants/{merchant}/processing_fee"
    refused = await shop.call("PUT", path, key, json={"basis_points": 0})
    assert refused.status_code == 403
    operator = await shop.key(None, livemode=True)
    too_much = await shop.call("PUT", path, operator, json={"basis_points": 2001})
    assert too_much.status_code == 422
    nobody = await shop.call(
        "PUT", "/v1/merchants/mer_x/processing_fee", operator, json={"basis_points": 1}
    )
    assert nobody.status_code == 404
    for statement in (
        "UPDATE merchant SET processing_fee_basis_points = 1",
        "UPDATE deposit SET fee_units = 0",
        BORN_WITH_A_FEE.format(merchant=merchant),
    ):
        with pytest.raises(DBAPIError, match=r"only an operator|permission denied|row-level"):
            async with shop.database.unit_of_work(merchant) as session:
                await session.execute(text(statement))
    await fee(shop, merchant, 100)
    await paid(shop, key, WHOLE)
    for statement in (
        "UPDATE deposit SET fee_units = 1",
        "UPDATE deposit SET fee_units = 2000000",
    ):
        with pytest.raises(DBAPIError, match=r"written once|deposit_fee_check"):
            await shop.run(statement)
