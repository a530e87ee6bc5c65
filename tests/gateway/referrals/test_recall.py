"""A reversal stops what is not signed yet, whoever of those it concerns has asked for it."""

import pytest

from gateway.db import Database
from gateway.domain import posting
from gateway.referrals.sharing import share_round
from tests.gateway.customers.conftest import address, customer
from tests.gateway.referrals.market import USDC, balances, bought, house_rates, paid, spent
from tests.gateway.referrals.test_reversal import UNITS, taken_back
from tests.gateway.referrals.test_sharing import chain, customers
from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio


async def asked(shop: Shop, key: str, amount: str, **fields: str) -> str:
    """Ask for a payout of USDC; return its id."""
    answer = await shop.call(
        "POST",
        "/v1/withdrawals",
        key,
        json={
            "payment_method": USDC,
            "destination": f"0x{'ab' * 20}",
            "amount": amount,
            **fields,
        },
        headers={"Idempotency-Key": shop.clock().id("once")},
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_a_merchant_who_charged_its_customer_does_not_get_away_with_it(
    shop: Shop,
) -> None:
    """What it charged and has asked for is called back: nothing is missing, nothing leaves."""
    merchant, key = await shop.merchant_and_key()
    payer = await customer(shop, key)
    await shop.pay(await address(shop, key, payer), USDC, 10 * UNITS, final=True)
    [deposit] = await shop.rows("SELECT id FROM deposit")
    await asked(shop, key, "1", customer_id=payer)
    body = {"direction": "charge", "payment_method": USDC, "amount": "8"}
    path = f"/v1/customers/{payer}/transfers"
    await shop.call("POST", path, key, json=body, headers={"Idempotency-Key": "1"})
    await asked(shop, key, "7")
    await taken_back(shop, deposit.id)
    rows = await shop.rows("SELECT status FROM withdrawal")
    assert [row.status for row in rows] == ["rejected"] * 2
    everybody = (payer, merchant, posting.SUSPENSE, posting.CUSTODY)
    assert await balances(shop, *everybody) == [0, 0, 0, 0]


async def test_a_commission_on_its_way_out_is_called_back(shop: Shop, worker: Database) -> None:
    """The referrer asked for it; it is not signed; the house has it back."""
    merchants, keys = await chain(shop)
    await house_rates(shop, 5000)
    deposit = await paid(shop, keys[2], 500 * UNITS)
    await share_round(worker, shop.clock())
    await asked(shop, keys[1], "1.5")
    await taken_back(shop, deposit)
    assert await balances(shop, *merchants, "revenue", "suspense", "custody") == [0] * 6


async def test_a_merchant_does_without_what_its_own_referrer_spent(
    shop: Shop, worker: Database
) -> None:
    """It is no loss of the house: the merchant promised it, and paid it."""
    merchant, key, first, second = await customers(shop)
    await shop.fund(merchant, USDC, 1000)
    await bought(shop, key, second, 10_000, "0x1")
    [deposit] = await shop.rows("SELECT id FROM deposit")
    await share_round(worker, shop.clock())
    assert await balances(shop, merchant, first, second) == [10_500, 500, 0]
    await spent(shop, first, 400)
    await taken_back(shop, deposit.id)
    everybody = (merchant, first, second, "suspense")
    assert await balances(shop, *everybody) == [600, 0, 0, 0]


async def test_a_persons_word_outlives_the_payment(shop: Shop) -> None:
    """What was marked is final: no round looks at it again for the payment that went."""
    _, key = await shop.merchant_and_key()
    deposit = await paid(shop, key, UNITS)
    [row] = await shop.rows("SELECT invoice_id FROM deposit")
    path = f"/v1/invoices/{row.invoice_id}"
    mark = {"status": "invalid", "reason": "fraud"}
    assert (await shop.call("POST", f"{path}/mark", key, json=mark)).status_code == 200
    await taken_back(shop, deposit)
    shown = (await shop.call("GET", path, key)).json()
    assert (shown["status"], shown["exception"], shown["final"]) == ("invalid", "marked", True)
