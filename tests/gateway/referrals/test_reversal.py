"""A payment that is taken back takes fee and commissions with it, to the unit."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from gateway.db import Database
from gateway.deposits.arrival import Desk
from gateway.deposits.reversal import reverse
from gateway.domain import posting
from gateway.domain.errors import Conflict, NotFound
from gateway.referrals.sharing import share_round
from tests.gateway.customers.conftest import address, customer
from tests.gateway.referrals.market import USDC, balances, house_rates, paid, spent
from tests.gateway.referrals.test_sharing import chain
from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio
UNITS = 1_000_000


@given(st.integers(1, 2**255), st.integers(0, 2000), st.integers(-5, 2**255))
def test_a_reversal_is_the_inverse_whatever_is_left(
    units: int, basis_points: int, left: int
) -> None:
    """Custody and revenue get theirs in full; account and suspense together give the rest."""
    fee = posting.processing_fee(units, basis_points)
    forward = posting.deposit("r", "mer_1", USDC, units, fee_units=fee)
    parts = ((posting.CUSTODY, units), (posting.REVENUE, -fee))
    back = posting.reversal(
        "r", "mer_1", posting.Credit("mer_1", USDC, units - fee, left, parts)
    )
    total: Counter[str] = Counter()
    for each in (*forward.postings, *back.postings):
        total[each.account] += each.confirmed
    assert total[posting.CUSTODY] == total[posting.REVENUE] == 0
    assert total["mer_1"] == -total[posting.SUSPENSE] == max(0, units - fee - max(left, 0))


async def taken_back(shop: Shop, deposit: str) -> None:
    """Reverse a deposit as the operator at the machine does."""
    async with shop.owner.unit_of_work(None) as session:
        await reverse(Desk(session, shop.clock(), "http://x"), deposit)


async def test_everything_goes_back_to_where_it_was(shop: Shop, worker: Database) -> None:
    """Balances, revenue and custody as before; told to payer and referrers; once."""
    merchants, keys = await chain(shop)
    await house_rates(shop, 3000, 1500)
    deposit = await paid(shop, keys[2], UNITS)
    await share_round(worker, shop.clock())
    assert await balances(shop, *merchants, "revenue", "custody") == [
        *(1500, 3000, 990_000, 5500),
        -UNITS,
    ]
    await taken_back(shop, deposit)
    everybody = (*merchants, "revenue", "custody", "suspense")
    assert await balances(shop, *everybody) == [0] * 6
    [earned] = (await shop.call("GET", "/v1/commissions?status=reversed", keys[1])).json()[
        "data"
    ]
    [event] = (await shop.call("GET", "/v1/events?type=commission.reversed", keys[1])).json()[
        "data"
    ]
    assert event["data"]["object"] == earned
    [total] = (await shop.call("GET", "/v1/commissions/totals", keys[1])).json()["data"]
    assert (total["earned"], total["reversed"], total["net"]) == (
        "0.003000",
        "0.003000",
        "0.000000",
    )
    shown = (await shop.call("GET", f"/v1/deposits/{deposit}", keys[2])).json()
    assert (shown["status"], shown["reason"]) == ("rejected", "reversed")
    invoice = (await shop.call("GET", f"/v1/invoices/{shown['invoice_id']}", keys[2])).json()
    assert (invoice["status"], invoice["exception"]) == ("invalid", "reorged")
    with pytest.raises(Conflict):
        await taken_back(shop, deposit)
    with pytest.raises(NotFound):
        await taken_back(shop, "dep_x")
    await share_round(worker, shop.clock())
    assert await balances(shop, *everybody) == [0] * 6


async def test_what_was_paid_out_is_missing_in_suspense_and_no_more(
    shop: Shop, worker: Database
) -> None:
    """The house has its fee back, the rest shows; nobody can take more from there."""
    merchants, keys = await chain(shop)
    await house_rates(shop, 3000)
    deposit = await paid(shop, keys[2], UNITS)
    await share_round(worker, shop.clock())
    for account, units in ((merchants[1], 2999), (merchants[2], 90_000)):
        await spent(shop, account, units)
    await taken_back(shop, deposit)
    assert await balances(shop, *merchants, "revenue", "suspense", "custody") == [
        *(0, 0, 0, 0),
        -92_999,
        92_999,
    ]
    with pytest.raises(IntegrityError, match="suspense does not cover"):
        await spent(shop, posting.SUSPENSE, 1)


async def test_a_pot_that_was_not_shared_never_is(shop: Shop, worker: Database) -> None:
    """The payment went before the worker came."""
    merchants, keys = await chain(shop)
    await house_rates(shop, 3000)
    await taken_back(shop, await paid(shop, keys[2], UNITS))
    await share_round(worker, shop.clock())
    assert await balances(shop, *merchants, "revenue") == [0, 0, 0, 0]
    [pot] = await shop.rows("SELECT reason FROM commission_pot")
    assert pot.reason == "the payment was reversed"


async def test_what_waits_to_be_paid_out_is_taken_back_as_well(shop: Shop) -> None:
    """Whoever hid a reversed deposit in a request and called it off would have it for nothing."""
    merchant, key = await shop.merchant_and_key()
    deposit = await paid(shop, key, 10 * UNITS)
    body = {"payment_method": USDC, "destination": f"0x{'ab' * 20}"}
    made = []
    for reference, amount in (("a", "1"), ("b", "5")):
        answer = await shop.call(
            "POST",
            "/v1/withdrawals",
            key,
            json={**body, "amount": amount, "reference": reference},
            headers={"Idempotency-Key": reference},
        )
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["id"])
    await shop.fund(merchant, USDC, 4 * UNITS)
    await taken_back(shop, deposit)
    rows = await shop.rows("SELECT id, status FROM withdrawal ORDER BY created_at, id")
    assert [tuple(row) for row in rows] == [(made[0], "pending"), (made[1], "rejected")]
    [wallet] = await shop.rows(
        "SELECT confirmed, locked FROM wallet WHERE account = :id", id=merchant
    )
    assert int(wallet.confirmed + wallet.locked) == 4 * UNITS
    assert await balances(shop, posting.SUSPENSE) == [0]


async def test_what_a_merchant_took_from_its_customer_is_taken_back_from_the_merchant(
    shop: Shop,
) -> None:
    """A deposit that was never there is not kept by charging whoever made it."""
    merchant, key = await shop.merchant_and_key()
    payer = await customer(shop, key)
    await shop.pay(await address(shop, key, payer), USDC, 10 * UNITS, final=True)
    [deposit] = await shop.rows("SELECT id FROM deposit")
    body = {"direction": "charge", "payment_method": USDC, "amount": "8"}
    path = f"/v1/customers/{payer}/transfers"
    charged = await shop.call("POST", path, key, json=body, headers={"Idempotency-Key": "1"})
    assert charged.status_code == 201, charged.text
    await taken_back(shop, deposit.id)
    everybody = (payer, merchant, posting.SUSPENSE, posting.CUSTODY)
    assert await balances(shop, *everybody) == [0, 0, 0, 0]
