"""Commissions as the worker posts them: once, from the fee, up the chain, never more than it."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.domain.commission import shares
from gateway.referrals.sharing import share_round
from tests.gateway.payout_rules.test_rules import begin, with_entry
from tests.gateway.payout_rules.turns import turn
from tests.gateway.referrals.market import (
    USDC,
    WHOLE,
    balances,
    bought,
    code_of,
    fee,
    house_rates,
    opened,
    paid,
    spent,
)
from tests.gateway.shop import PRICES, Shop

pytestmark = pytest.mark.anyio


@given(
    st.integers(0, 2**256 - 1),
    st.lists(st.integers(0, 10_000), max_size=10).filter(lambda rates: sum(rates) <= 10_000),
)
def test_no_rates_share_more_than_there_is(pot: int, rates: list[int]) -> None:
    """Each level rounds down, so all of them together never reach past the pot."""
    parts = shares(pot, rates)
    assert sum(parts) <= pot
    assert all(0 <= pot * rate - part * 10_000 < 10_000 for part, rate in zip(parts, rates, strict=True))  # fmt: skip


async def chain(shop: Shop) -> tuple[list[str], list[str]]:
    """Open three merchants, each through the one before; the last pays one percent."""
    first, first_key = await shop.merchant_and_key()
    second, second_key = await opened(shop, await code_of(shop, first_key))
    third, third_key = await opened(shop, await code_of(shop, second_key))
    await fee(shop, third, 100)
    return [first, second, third], [first_key, second_key, third_key]


async def test_a_fee_is_shared_up_the_chain_once(shop: Shop, worker: Database) -> None:
    """The nearest is level 1; what nobody earned stays with the house; told, listed, added up."""
    merchants, keys = await chain(shop)
    await house_rates(shop, 3000, 1500, 500)
    await paid(shop, keys[2], 10_000 * 100 + 99)
    assert await balances(shop, *merchants, "revenue") == [0, 0, 990_099, 10_000]
    await asyncio.gather(*(share_round(worker, shop.clock()) for _ in range(2)))
    await share_round(worker, shop.clock())
    assert await balances(shop, *merchants, "revenue") == [1500, 3000, 990_099, 5500]
    [earned] = (await shop.call("GET", "/v1/commissions", keys[1])).json()["data"]
    assert (earned["amount"], earned["level"], earned["status"]) == ("0.003000", 1, "earned")
    assert (earned["account"], earned["payment"]) == (merchants[1], None)
    shown = await shop.call("GET", f"/v1/commissions/{earned['id']}", keys[1])
    assert shown.json() == earned
    assert (
        await shop.call("GET", f"/v1/commissions/{earned['id']}", keys[0])
    ).status_code == 404
    [event] = (await shop.call("GET", "/v1/events?type=commission.earned", keys[1])).json()[
        "data"
    ]
    assert event["data"]["object"] == earned
    [total] = (await shop.call("GET", "/v1/commissions/totals?period=day", keys[1])).json()[
        "data"
    ]
    assert (total["commissions"], total["net"], total["begins_at"]) == (
        1,
        "0.003000",
        "2026-11-20T00:00:00Z",
    )
    [referral] = (await shop.call("GET", "/v1/referrals", keys[1])).json()["data"]
    assert (referral["id"], referral["referred"]) == (earned["referral_id"], None)
    [entry] = (await shop.call("GET", "/v1/balance_entries", keys[1])).json()["data"]
    assert (entry["type"], entry["journal"]) == (
        "fee",
        {"kind": "commission", "ref": earned["id"]},
    )


async def test_the_rates_of_the_payments_time_count(shop: Shop, worker: Database) -> None:
    """Set before the payment they count, set after it they do not, however late the worker is."""
    merchants, keys = await chain(shop)
    await paid(shop, keys[2], WHOLE, tx="0x01")
    await house_rates(shop, 5000)
    await paid(shop, keys[2], WHOLE, tx="0x02")
    await house_rates(shop, 10_000)
    await share_round(worker, shop.clock())
    assert await balances(shop, *merchants, "revenue") == [0, 5000, 1_980_000, 15_000]


async def test_whoever_is_suspended_earns_nothing(shop: Shop, worker: Database) -> None:
    """Its share stays with the house; the level above keeps its own."""
    merchants, keys = await chain(shop)
    await house_rates(shop, 3000, 1500)
    await shop.run("UPDATE merchant SET status = 'suspended' WHERE id = :id", id=merchants[1])
    await paid(shop, keys[2], WHOLE)
    await share_round(worker, shop.clock())
    assert await balances(shop, *merchants, "revenue") == [1500, 0, 990_000, 8500]


async def test_a_withdrawal_fee_is_shared_when_it_is_earned(shop: Shop) -> None:
    """Not when it is held: when the payout is final."""
    merchants, _ = await chain(shop)
    await house_rates(shop, 2500)
    await shop.run(
        "INSERT INTO withdrawal (id, merchant_id, livemode, currency_id, network_id, units, "
        "fee_units, destination, created_by, created_at, updated_at, status) VALUES ('wdr_1', :m, "
        "false, :c, 'ethereum', 5, 1000, '0xaa', 'k', now(), now(), 'confirming')",
        m=merchants[2],
        c=USDC,
    )
    assert await shop.rows("SELECT 1 FROM commission_pot") == []
    await shop.run(
        "UPDATE withdrawal SET status = 'completed', completed_at = :at", at=shop.clock().at
    )
    [pot] = await shop.rows("SELECT * FROM commission_pot")
    assert (pot.payment_id, int(pot.pot_units), pot.party_id) == ("wdr_1", 1000, merchants[2])


async def test_a_payout_rule_pays_commissions_out(shop: Shop, worker: Database) -> None:
    """With its minimum and its period, to an entry of the referrer's address book."""
    referrer, key, entry = await with_entry(shop)
    payer, payer_key = await opened(shop, await code_of(shop, key))
    await fee(shop, payer, 1000)
    await house_rates(shop, 5000)
    await begin(shop, key, entry, threshold="5", keep="0")
    await shop.prices(PRICES)
    await shop.healthy()
    for number, units in enumerate((80 * WHOLE, 40 * WHOLE)):
        assert (await shop.call("GET", "/v1/withdrawals", key)).json()["data"] == []
        await paid(shop, payer_key, units, tx=f"0x{number}")
        await share_round(worker, shop.clock())
        await turn(worker, shop)
    [payout] = (await shop.call("GET", "/v1/withdrawals", key)).json()["data"]
    assert (payout["amount"], payout["fee_charged"]) == ("5.000000", "1.000000")
    assert await balances(shop, referrer) == [0]


async def customers(shop: Shop) -> tuple[str, str, str, str]:
    """Return a merchant with a key, and two customers of it, the second through the first."""
    merchant, key = await shop.merchant_and_key()
    first = (await shop.call("POST", "/v1/customers", key, json={"reference": "a"})).json()[
        "id"
    ]
    code = await code_of(shop, key, customer=first)
    body = {"reference": "b", "referral_code": code}
    second = (await shop.call("POST", "/v1/customers", key, json=body)).json()["id"]
    schedule = {"rates": [5000], "share_basis_points": 1000}
    live = await shop.live_key(key)
    await shop.call("POST", "/v1/referral_schedules", live, json=schedule)
    return merchant, key, first, second


async def test_a_merchant_shares_what_it_got_of_its_customers_payment(
    shop: Shop, worker: Database
) -> None:
    """Out of its own balance: where that is too small the commission waits and says why."""
    merchant, key, first, second = await customers(shop)
    await fee(shop, merchant, 1000)
    await bought(shop, key, second, 10_000, "0x1")
    assert await balances(shop, merchant, first, second, "revenue") == [9000, 0, 0, 1000]
    await spent(shop, merchant, 9000)
    await share_round(worker, shop.clock())
    [waits] = (await shop.call("GET", "/v1/commissions/waiting", key)).json()["data"]
    assert (waits["amount_atomic"], waits["reason"]) == (
        "900",
        "the merchant's balance does not cover it",
    )
    await shop.fund(merchant, USDC, 450)
    await share_round(worker, shop.clock())
    assert await balances(shop, merchant, first) == [450, 0], "not before its time"
    shop.clock.at += timedelta(minutes=15)
    await share_round(worker, shop.clock())
    assert await balances(shop, merchant, first, second, "revenue") == [0, 450, 0, 1000]
    [earned] = (await shop.call("GET", f"/v1/commissions?account={first}", key)).json()["data"]
    assert (earned["programme"], earned["account"]) == ("merchant", first)
    told = (await shop.call("GET", "/v1/events?type=customer.balance_changed", key)).json()
    newest = told["data"][0]["data"]["object"]
    assert (newest["customer_id"], newest["confirmed_atomic"]) == (first, "450")
    assert (await shop.call("GET", "/v1/commissions/waiting", key)).json()["data"] == []


FORGED = (
    "INSERT INTO commission (id, merchant_id, account, payer, referral_id, payment_id, programme, level, "
    "rate_basis_points, currency_id, units, livemode, created_at) SELECT 'com_x', r.merchant_id, {account}, "
    "'revenue', r.id, p.payment_id, 'house', 1, 3000, p.currency_id, {units}, false, now() "
    "FROM commission_pot p JOIN referral r ON r.referred_id = p.party_id"
)
JOURNAL = "INSERT INTO journal (kind, ref, merchant_id, at) VALUES ('commission', 'com_x', '{merchant}', now())"
POSTINGS = (
    "INSERT INTO balance_history (journal_id, account, currency_id, change_type, delta_confirmed, delta_locked, "
    "at) SELECT j.id, v.account, 'USDC-ETHEREUM', 'FEE', v.units, 0, now() FROM journal j, "
    "(VALUES ('{merchant}', {units}), ('revenue', -{units})) AS v (account, units) WHERE j.kind = '{kind}'"
)
FORGERIES = [
    # account, units of the commission, units posted, kind of journal, what the database says
    ("r.referrer_id", 3001, 3001, "commission", "not what its payment earned"),
    ("r.referrer_id", 3000, 3001, "commission", "does not fit its commission"),
    ("r.referred_id", 3000, 3000, "commission", "not what its payment earned|does not fit"),
    ("r.referrer_id", 3000, 0, "commission", "not what its payment earned"),
    ("r.referrer_id", 3000, 3000, "deposit", "row-level security"),
]


async def test_the_worker_posts_nothing_but_what_was_earned(
    shop: Shop, worker: Database
) -> None:
    """Another amount, another account, another journal, none: refused by the database itself."""
    merchants, keys = await chain(shop)
    await house_rates(shop, 3000)
    await paid(shop, keys[2], WHOLE)
    for account, units, posted, kind, words in FORGERIES:
        with pytest.raises(DBAPIError, match=words):
            async with worker.unit_of_work(CROSS_TENANT) as session:
                await session.execute(text(FORGED.format(account=account, units=units)))
                if posted:
                    await _posted(session, merchants[1], posted, kind)
    await share_round(worker, shop.clock())
    assert await balances(shop, *merchants, "revenue") == [0, 3000, 990_000, 7000]
    with pytest.raises(DBAPIError, match="does not fit its commission"):
        async with worker.unit_of_work(CROSS_TENANT) as session:
            late = POSTINGS.format(merchant=merchants[0], units=1, kind="commission")
            await session.execute(text(late))
    for statement in ("UPDATE commission SET units = 1", "DELETE FROM commission"):
        with pytest.raises(DBAPIError, match="it is reversed or it stays"):
            await shop.run(statement)


async def _posted(session: AsyncSession, merchant: str, units: int, kind: str) -> None:
    await session.execute(text(JOURNAL.format(merchant=merchant)))
    await session.execute(text(POSTINGS.format(merchant=merchant, units=units, kind=kind)))


async def test_many_levels_are_never_more_than_the_fee(shop: Shop) -> None:
    """The database counts by itself: parts that fit one by one and not together are refused."""
    merchants, keys = await chain(shop)
    await house_rates(shop, 10_000)
    await paid(shop, keys[2], WHOLE)
    await shop.run("UPDATE commission_pot SET reason = 'x'")
    forged = FORGED.format(account="r.referrer_id", units=10_000).replace("3000", "10000", 1)
    second = forged.replace("com_x", "com_y").replace("'house', 1", "'house', 2")
    with pytest.raises(DBAPIError, match="more than it earned"):
        async with shop.owner.unit_of_work(None) as session:
            await session.execute(text(forged))
            await session.execute(text(second))
    assert merchants


OWN_RATES_FOR_THE_HOUSE = (
    "INSERT INTO referral_schedule (id, rates, effective_from, created_by, created_at) "
    "VALUES ('x', '{1}', now(), 'x', now())"
)


async def test_the_api_posts_no_commission_and_fills_no_pot(shop: Shop) -> None:
    """Nor does it refer anybody: that happens at birth, by the database."""
    merchants, keys = await chain(shop)
    await house_rates(shop, 3000)
    await paid(shop, keys[2], WHOLE)
    for statement in (
        FORGED.format(account="r.referrer_id", units=3000),
        JOURNAL.format(merchant=merchants[1]),
        "INSERT INTO referral SELECT * FROM referral",
        "UPDATE merchant SET referred_by = NULL",
        "UPDATE commission_pot SET shared_at = now()",
        OWN_RATES_FOR_THE_HOUSE,
    ):
        with pytest.raises(DBAPIError, match=r"permission denied|row-level security"):
            async with shop.database.unit_of_work(merchants[1]) as session:
                await session.execute(text(statement))
    for statement in (
        "UPDATE commission_pot SET pot_units = 99999",
        "UPDATE referral SET referrer_id = 'mer_x'",
        "UPDATE merchant SET referred_by = 'OTHER'",
        "UPDATE referral_schedule SET rates = '{10000}'",
    ):
        with pytest.raises(DBAPIError, match=r"never changes|append-only"):
            await shop.run(statement)
