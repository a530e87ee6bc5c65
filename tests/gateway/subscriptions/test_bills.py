"""Open bills: paid in time though nobody had read the block yet, and priced as coins move."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from gateway.db import CROSS_TENANT
from gateway.invoices.expiry import expire_round
from gateway.subscriptions.billing import bill_round
from tests.gateway.shop import NETWORKS, PRICES
from tests.gateway.subscriptions.conftest import Club

pytestmark = pytest.mark.anyio


async def test_who_paid_in_time_is_not_put_out_before_the_block_is_read(club: Club) -> None:
    """The watcher is seconds behind, as it always is: the bill's last block is still to come."""
    mine = await club.subscribe(await club.package(), grace_days=1)
    await club.bill()
    await club.bill(days=1, seconds=-5)
    [period] = await club.periods(mine)
    behind = club.at()
    club.shop.clock.at += timedelta(seconds=10)
    for name in NETWORKS:
        await club.shop.healthy(name, head_time=behind)
    await expire_round(club.worker, club.shop.settings, club.shop.clock())
    await bill_round(club.worker, club.shop.settings, club.shop.clock())
    assert (await club.standing(mine))[0] == "past_due"
    now, club.shop.clock.at = club.at(), behind
    await club.pay(mine)
    club.shop.clock.at = now
    await club.bill(minutes=2)
    assert await club.standing(mine) == ("active", "active")
    assert (await club.get(f"/invoices/{period['invoice_id']}"))["exception"] == "none"


async def test_a_bill_follows_the_price_of_its_coin(club: Club) -> None:
    """Within the hour it holds, and while the coin stands still; what is paid stays as it was."""
    mine = await club.subscribe(await club.package())
    await club.bill()
    [period] = await club.periods(mine)

    async def asked() -> tuple[str, int]:
        shown = await club.get(f"/invoices/{period['invoice_id']}")
        [option] = shown["payment_options"]
        return option["amount"], len(await club.told(shown["id"]))

    assert await asked() == ("0.010000000000000000", 0)
    cheaper = {**PRICES, "ETH": Decimal(2000)}
    await club.shop.run("UPDATE subscription SET look_at = created_at")
    await club.bill(cheaper, minutes=30)
    assert await asked() == ("0.010000000000000000", 0), "a rate holds for an hour"
    await club.bill(cheaper, minutes=61)
    assert await asked() == ("0.012500000000000000", 1)
    await club.bill({**PRICES, "ETH": Decimal(2015)}, hours=2)
    assert await asked() == ("0.012500000000000000", 1), "less than a percent is no move"
    await club.shop.run("DELETE FROM price_history")
    club.shop.clock.at += timedelta(hours=2)
    await bill_round(club.worker, club.shop.settings, club.shop.clock())
    assert await asked() == ("0.012500000000000000", 1), "no price, no other amount"
    await club.bill(cheaper, minutes=1)
    await club.pay(mine)
    await club.bill(hours=3)
    assert await asked() == ("0.012500000000000000", 1)
    assert (await club.standing(mine))[0] == "active"


async def test_what_could_never_be_billed_is_no_package(club: Club) -> None:
    """A currency that nobody knows, and digits that its coin does not have."""
    for body, pointer, code in (
        ({"currency": "XXX"}, "/currency", "unknown_currency"),
        ({"currency": "USDC", "price": "0.0000001"}, "/price", "invalid_amount"),
        ({"currency": "USD", "price": "0.001"}, "/price", "invalid_amount"),
    ):
        full = {"name": "Gold", "price": "25.00", "period": "month", **body}
        refused = await club.post("/packages", 422, **full)
        [fault] = refused["errors"]
        assert (fault["pointer"], fault["code"]) == (pointer, code)
    assert await club.package(currency="ETH", price="0.000000000000000001")


async def letters(club: Club) -> list[str]:
    """Return what the customer was written, oldest first."""
    rows = await club.shop.rows("SELECT kind FROM notification ORDER BY id")
    kinds = [row.kind.partition(".") for row in rows]
    return [kind for room, _, kind in kinds if room == "subscription"]


async def subjects(club: Club) -> list[str]:
    """Return what the letters to the customer say, oldest first."""
    rows = await club.shop.rows("SELECT kind, subject FROM notification ORDER BY id")
    return [row.subject for row in rows if row.kind.startswith("subscription.")]


async def test_a_bill_that_comes_late_puts_nobody_out(club: Club) -> None:
    """Between two periods, and while nobody can be asked to pay; not for longer than the grace."""
    mine = await club.subscribe(await club.package(), reminder_days=0, grace_days=2)
    await club.bill()
    await club.pay(mine)
    await club.bill()
    club.shop.clock.at += timedelta(days=31, minutes=1)
    assert await club.standing(mine) == ("active", "active"), "no worker has looked yet"
    await club.shop.run("DELETE FROM free_address")
    await club.bill()
    assert "pool_empty" in (await club.get(f"/subscriptions/{mine}"))["reason"]
    assert await club.standing(mine) == ("active", "active")
    await club.bill(days=2)
    assert await club.standing(mine) == ("active", "none")


async def test_one_letter_at_a_time(club: Club) -> None:
    """Due and unpaid in the same minute is one letter; who is deleted gets none at all."""
    mine = await club.subscribe(await club.package(period="week"), reminder_days=0)
    await club.bill()
    await club.pay(mine)
    await club.bill()
    await club.bill(days=7, minutes=1)
    assert (await club.standing(mine))[0] == "past_due"
    assert await letters(club) == ["reminder", "reminder"]
    await club.pay(mine)
    await club.bill()
    await club.post(f"/subscriptions/{mine}/cancel", 200)
    mine = await club.subscribe(await club.package(period="week", trial_days=5))
    await club.bill(days=3)
    assert (await letters(club))[2:] == ["reminder"]
    await club.bill(days=3)
    assert (await letters(club))[2:] == ["reminder", "past_due"]
    await club.post(f"/subscriptions/{mine}/cancel", 200)
    mine = await club.subscribe(await club.package(period="week", trial_days=5))
    await club.bill(days=3)
    await club.shop.call("DELETE", f"/v1/customers/{club.member}", club.key)
    before = await letters(club)
    await club.bill(days=3)
    assert (await club.standing(mine))[0] == "past_due"
    assert await letters(club) == before


async def test_a_letter_asks_for_what_the_bill_asks_for(club: Club) -> None:
    """With the tax that lies on the price; who has paid a part, or all, is not told otherwise."""
    tax = {"label": "VAT", "rate_percent": "19", "inclusive": False}
    live = await club.shop.live_key(club.key)
    answer = await club.shop.call("PATCH", "/v1/settings", live, json={"tax": tax})
    assert answer.status_code == 200, answer.text
    mine = await club.subscribe(await club.package(period="week", trial_days=5))
    await club.bill(days=3)
    [period] = await club.periods(mine)
    [option] = (await club.get(f"/invoices/{period['invoice_id']}"))["payment_options"]
    half = int(option["amount_atomic"]) // 2
    await club.shop.pay(option["address"], "ETH-ETHEREUM", half, tx="0x1", final=True)
    await club.bill(days=3)
    assert await subjects(club) == [
        "Gold: 29.75 USD is due.",
        "Gold: 29.75 USD has been paid in part only.",
    ]
    await club.pay(mine)
    await club.bill()
    await club.bill(days=5)
    [option] = (await club.get(f"/invoices/{(await club.periods(mine))[0]['invoice_id']}"))[
        "payment_options"
    ]
    units = int(option["amount_atomic"])
    await club.shop.pay(option["address"], "ETH-ETHEREUM", units, tx="0x2")
    await club.bill(days=3)
    assert (await club.standing(mine))[0] == "past_due"
    assert (await subjects(club))[2:] == ["Gold: 29.75 USD is due."]


async def test_an_end_that_was_wished_for_is_taken_back(club: Club) -> None:
    """Before it comes; it is billed on as if nothing had been."""
    mine = await club.subscribe(await club.package(), reminder_days=0)
    await club.bill()
    await club.pay(mine)
    await club.bill()
    await club.post(f"/subscriptions/{mine}/cancel", 200, at_period_end=True)
    shown = await club.post(f"/subscriptions/{mine}/resume", 200)
    assert shown["cancel_at_period_end"] is False
    await club.bill(days=31, minutes=1)
    assert (await club.standing(mine))[0] == "past_due"
    assert len(await club.periods(mine)) == 2


async def test_an_altered_address_is_an_alarm_of_the_worker_too(club: Club) -> None:
    """It is on record, nobody is shown it, and the bill waits with its reason."""
    mine = await club.subscribe(await club.package())
    await club.shop.run(
        "UPDATE address_pool SET path = 'm/9' WHERE network_id = 'ethereum' AND status = 'AVAILABLE'"
    )
    await club.bill()
    assert await club.periods(mine) == []
    [noted] = await club.shop.rows(
        "SELECT actor, merchant_id FROM audit_log WHERE action = 'address.unverified'"
    )
    assert tuple(noted) == (f"auto:{mine}", club.merchant)


async def test_the_worker_changes_no_rate_of_an_ordinary_invoice(club: Club) -> None:
    """Nor of a bill that is paid or called off: its role sees open bills to change, and no more."""
    await club.subscribe(await club.package())
    await club.bill()
    await club.shop.invoice(club.key, payment_methods=["ETH-ETHEREUM"])
    cheapen = text("UPDATE payment_option SET amount_units = 1, rate_at = now() RETURNING 1")
    async with club.worker.unit_of_work(CROSS_TENANT) as session:
        assert len((await session.execute(cheapen)).all()) == 1
    await club.shop.run("UPDATE subscription_period SET status = 'void'")
    async with club.worker.unit_of_work(CROSS_TENANT) as session:
        assert (await session.execute(cheapen)).all() == []
