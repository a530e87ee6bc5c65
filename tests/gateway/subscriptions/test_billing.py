"""Subscriptions from the first bill to the last, by the worker's round and real payments."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.subscriptions.billing import bill_round
from tests.gateway.customers.conftest import has, rich
from tests.gateway.subscriptions.conftest import Club

pytestmark = pytest.mark.anyio
ETH = "ETH-ETHEREUM"


async def test_a_member_is_billed_paid_reminded_and_renewed(club: Club) -> None:
    """The calendar is kept, the 31st too; a reminder goes out before the next period begins."""
    club.shop.clock.at = datetime(2027, 1, 31, 12, tzinfo=UTC)
    mine = await club.subscribe(await club.package())
    assert await club.standing(mine) == ("past_due", "none")
    await club.bill()
    await club.bill()
    [period] = await club.periods(mine)
    invoice = await club.get(f"/invoices/{period['invoice_id']}")
    assert (invoice["amount"], invoice["customer_id"]) == ("25.00", club.member)
    assert invoice["metadata"] == {"subscription_id": mine}
    await club.pay(mine)
    await club.bill()
    assert await club.standing(mine) == ("active", "active")
    [period] = await club.periods(mine)
    assert (period["status"], period["end"][:10]) == ("paid", "2027-02-28")
    await club.bill(days=24)
    assert len(await club.periods(mine)) == 1
    await club.bill(days=2)
    ahead, _ = await club.periods(mine)
    assert (ahead["status"], ahead["start"][:10], ahead["end"][:10]) == (
        "open",
        "2027-02-28",
        "2027-03-31",
    )
    await club.pay(mine)
    await club.bill()
    assert (await club.get(f"/subscriptions/{mine}"))["paid_until"][:10] == "2027-03-31"
    assert await club.events(mine) == ["created", "billed", "activated", "billed", "renewed"]
    mails = await club.shop.rows("SELECT recipient, kind FROM notification ORDER BY id")
    assert [tuple(row) for row in mails if row.kind.startswith("subscription.")] == [
        ("ann@example.org", "subscription.reminder")
    ] * 2
    rows = await club.shop.rows("SELECT actor FROM audit_log WHERE action = 'invoice.created'")
    assert {row.actor for row in rows} == {f"auto:{mine}"}


async def test_every_period_can_be_read(club: Club) -> None:
    """By pages, newest first: a day's package has a hundred of them before the spring."""
    mine = await club.subscribe(await club.package(period="day"), reminder_days=0)
    for _ in range(3):
        await club.bill()
        await club.pay(mine)
        await club.bill()
        club.shop.clock.at += timedelta(days=1)
    every = [each["start"] for each in await club.periods(mine)]
    assert len(every) == 3
    path = f"/subscriptions/{mine}/periods?limit=2"
    first = await club.get(path)
    second = await club.get(f"{path}&starting_after={first['next_cursor']}")
    assert [each["start"] for each in first["data"] + second["data"]] == every
    assert (first["has_more"], second["has_more"]) == (True, False)
    back = await club.get(f"{path}&ending_before={second['data'][0]['start']}")
    assert [each["start"] for each in back["data"]] == every[:2]
    for odd in (
        "starting_after=2026",
        "ending_before=sub_1",
        "starting_after=2026-01-01T00:00",
    ):
        assert (await club.get(f"{path}&{odd}"))["errors"][0]["code"] == "invalid_parameter"


async def test_who_does_not_pay_has_a_grace_and_then_it_is_over(club: Club) -> None:
    """Past due but still a member; after the grace ended, and free to subscribe anew."""
    package = await club.package(period="week")
    mine = await club.subscribe(package, grace_days=2, reminder_days=0)
    await club.bill()
    await club.pay(mine)
    await club.bill()
    await club.bill(days=7, minutes=1)
    assert await club.standing(mine) == ("past_due", "active")
    await club.bill(days=1)
    assert await club.standing(mine) == ("past_due", "active")
    await club.bill(days=1, minutes=2)
    assert await club.standing(mine) == ("ended", "none")
    assert [each["status"] for each in await club.periods(mine)] == ["unpaid", "paid"]
    assert (await club.events(mine))[-3:] == ["billed", "past_due", "ended"]
    await club.bill(days=60)
    assert len(await club.periods(mine)) == 2
    await club.subscribe(package)


async def test_a_trial_is_given_once(club: Club) -> None:
    """A member without paying; billed before it ends; not again for the same package."""
    package = await club.package(trial_days=14)
    mine = await club.subscribe(package)
    assert await club.standing(mine) == ("trialing", "active")
    await club.bill(days=10)
    assert await club.periods(mine) == []
    await club.bill(days=2)
    assert len(await club.periods(mine)) == 1
    await club.bill(days=2, minutes=1)
    assert await club.standing(mine) == ("past_due", "none")
    await club.post(f"/subscriptions/{mine}/cancel", 200)
    assert await club.standing(mine) == ("canceled", "none")
    again = await club.subscribe(package)
    assert await club.standing(again) == ("past_due", "none")


async def test_two_workers_make_one_invoice_and_a_crash_none(club: Club) -> None:
    """One period, one invoice, whoever looks and whatever dies in the middle."""
    mine = await club.subscribe(await club.package())
    club.shop.clock.at += timedelta(seconds=1)
    moments = [club.shop.clock() for _ in range(4)]
    await club.shop.run("UPDATE network_health SET final_height = final_height")
    async with club.shop.owner.unit_of_work(None) as session:
        await session.execute(text("ALTER TABLE subscription_period ADD CONSTRAINT crash CHECK (invoice_id IS NULL)"))  # fmt: skip
    with pytest.raises(DBAPIError, match="crash"):
        await bill_round(club.worker, club.shop.settings, moments[0])
    assert await club.shop.rows("SELECT id FROM invoice") == []
    async with club.shop.owner.unit_of_work(None) as session:
        await session.execute(text("ALTER TABLE subscription_period DROP CONSTRAINT crash"))
    rounds = (bill_round(club.worker, club.shop.settings, moment) for moment in moments)
    await asyncio.gather(*rounds)
    assert len(await club.shop.rows("SELECT id FROM invoice")) == 1
    assert await club.events(mine) == ["created", "billed"]


async def test_nobody_pays_for_time_in_which_nobody_asked(club: Club) -> None:
    """A worker that was away for months bills one period, from now, with its whole grace."""
    mine = await club.subscribe(await club.package(), grace_days=5)
    await club.bill()
    await club.pay(mine)
    await club.bill()
    await club.bill(days=100)
    ahead, _ = await club.periods(mine)
    assert ahead["start"] == (await club.get(f"/subscriptions/{mine}"))["next_period_start"]
    assert datetime.fromisoformat(ahead["start"]) > club.at() - timedelta(minutes=1)
    assert datetime.fromisoformat(ahead["deadline"]) > club.at() + timedelta(days=4)


async def test_without_a_way_to_pay_it_is_billed_later(club: Club) -> None:
    """The reason is on the row; nothing was left half done."""
    mine = await club.subscribe(await club.package())
    await club.shop.run("DELETE FROM free_address")
    await club.bill()
    assert "pool_empty" in (await club.get(f"/subscriptions/{mine}"))["reason"]
    assert await club.periods(mine) == []
    await club.shop.stock("ethereum", 5, first=100)
    await club.bill(minutes=11)
    assert (await club.get(f"/subscriptions/{mine}"))["reason"] is None
    assert len(await club.periods(mine)) == 1


async def test_the_customers_balance_pays_where_it_is_wished_for(club: Club) -> None:
    """One transfer per period; what it does not cover is an invoice."""
    member = await rich(club.shop, club.key, 15 * 10**15)
    club.member = member
    mine = await club.subscribe(await club.package(), auto_charge=ETH)
    await club.bill()
    assert await club.standing(mine) == ("active", "active")
    assert await has(club.shop, member) == (5 * 10**15, 0)
    assert await has(club.shop, club.merchant) == (10**16, 0)
    [period] = await club.periods(mine)
    assert (period["status"], period["invoice_id"]) == ("paid", None)
    [transfer] = (await club.get(f"/customers/{member}/transfers"))["data"]
    assert transfer["id"] == period["transfer_id"]
    told = (await club.get("/events?type=customer.balance_changed"))["data"][0]
    assert told["data"]["object"]["confirmed_atomic"] == str(5 * 10**15)
    await club.bill(days=31, minutes=1)
    ahead, _ = await club.periods(mine)
    assert (ahead["status"], ahead["invoice_id"] is None) == ("open", False)
    assert await has(club.shop, member) == (5 * 10**15, 0)
    assert await club.standing(mine) == ("past_due", "active")


async def test_cancel_pause_resume_and_another_plan(club: Club) -> None:
    """What is open is called off, what is paid counts; a change begins with the next period."""
    gold, silver = await club.package(), await club.package(name="Silver", price="10")
    mine = await club.subscribe(gold, reminder_days=0)
    await club.bill()
    await club.pay(mine)
    await club.bill()
    await club.post(f"/subscriptions/{mine}/change_plan", 200, package_id=silver)
    await club.post(f"/subscriptions/{mine}/pause", 200)
    await club.bill(days=40)
    assert await club.standing(mine) == ("active", "none")
    assert len(await club.periods(mine)) == 1
    await club.post(f"/subscriptions/{mine}/resume", 200)
    await club.bill()
    ahead, _ = await club.periods(mine)
    assert ahead["package_id"] == silver
    invoice = await club.get(f"/invoices/{ahead['invoice_id']}")
    assert invoice["amount"] == "10.00"
    await club.post(f"/subscriptions/{mine}/pause", 200)
    assert (await club.get(f"/invoices/{invoice['id']}"))["status"] == "canceled"
    await club.post(f"/subscriptions/{mine}/resume", 200)
    await club.bill()
    await club.pay(mine)
    await club.bill()
    await club.post(f"/subscriptions/{mine}/cancel", 200, at_period_end=True)
    await club.bill(days=10)
    assert await club.standing(mine) == ("active", "active")
    await club.bill(days=25)
    assert await club.standing(mine) == ("canceled", "none")
    await club.post(f"/subscriptions/{mine}/pause", 409)


async def test_one_package_at_a_time_and_nobody_elses(club: Club) -> None:
    """A second subscription is refused; strangers and other modes see and name nothing."""
    package = await club.package()
    mine = await club.subscribe(package)
    twice = {"customer_id": club.member, "package_id": package}
    refused = await club.post("/subscriptions", 409, **twice)
    assert refused["code"] == "already_subscribed"
    _, stranger = await club.shop.merchant_and_key()
    live = await club.shop.key(club.merchant, livemode=True)
    for thief in (stranger, live):
        for method, path in (
            ("GET", f"/packages/{package}"),
            ("PATCH", f"/packages/{package}"),
            ("GET", f"/subscriptions/{mine}"),
            ("GET", f"/subscriptions/{mine}/periods"),
            ("POST", f"/subscriptions/{mine}/cancel"),
            ("POST", f"/subscriptions/{mine}/pause"),
        ):
            body = {"json": {"name": "x"}} if method == "PATCH" else {}
            answer = await club.shop.call(method, f"/v1{path}", thief, **body)
            assert answer.status_code == 404, (method, path)
        answer = await club.shop.call("POST", "/v1/subscriptions", thief, json=twice)
        assert answer.json()["code"] == "unknown_customer"
    closed = await club.shop.call(
        "PATCH", f"/v1/packages/{package}", club.key, json={"active": False}
    )
    assert closed.json()["active"] is False
    other = await rich(club.shop, club.key)
    refused = await club.post("/subscriptions", 422, customer_id=other, package_id=package)
    assert refused["code"] == "package_closed"


FORBIDDEN = (
    ("api", "UPDATE subscription SET status = 'active'"),
    ("api", "UPDATE subscription SET paid_until = now() + interval '9 years'"),
    ("api", "UPDATE subscription_period SET status = 'paid'"),
    ("api", "UPDATE package SET price = 1"),
    ("api", "SELECT charge_period('{id}', now(), 'ctr_1', 5, now())"),
    ("worker", "SELECT charge_period('{id}', now(), 'ctr_1', 5, now())"),
    ("worker", "UPDATE subscription SET auto_charge = 'ETH-ETHEREUM'"),
    (
        "worker",
        (
            "INSERT INTO journal (kind, ref, merchant_id, at)"
            " VALUES ('transfer', 'x', '{merchant}', now())"
        ),
    ),
    (
        "worker",
        (
            "INSERT INTO customer_transfer SELECT 'ctr_1', merchant_id, livemode, customer_id,"
            " 'ETH-ETHEREUM', 'charge', 5, NULL, 'k', now() FROM subscription"
        ),
    ),
    (
        "worker",
        (
            "INSERT INTO invoice SELECT (jsonb_populate_record(i, "
            "jsonb_build_object('id', 'inv_x', 'customer_id', NULL))).* FROM invoice i"
        ),
    ),
)


async def test_neither_role_says_more_than_it_may(club: Club) -> None:
    """The API cannot say that it is paid, the worker takes no money that nobody wished it to."""
    mine = await club.subscribe(await club.package())
    await club.bill()
    for role, statement in FORBIDDEN:
        database = club.shop.database if role == "api" else club.worker
        sql = statement.format(id=mine, merchant=club.merchant)
        refusal = r"permission denied|row-level security|payments decide|no rows"
        with pytest.raises(DBAPIError, match=refusal):
            async with database.unit_of_work(club.merchant) as session:
                await session.execute(text(sql))


async def test_a_charge_is_as_much_as_the_bill_would_be(club: Club) -> None:
    """Taxes that go on top do so out of a balance as well."""
    club.member = await rich(club.shop, club.key, 15 * 10**15)
    await club.shop.run(
        "INSERT INTO merchant_settings (merchant_id, tax_rate, tax_label, tax_inclusive, updated_at)"
        " VALUES (:id, 20, 'VAT', false, now())",
        id=club.merchant,
    )
    await club.subscribe(await club.package(), auto_charge=ETH)
    await club.bill()
    assert await has(club.shop, club.member) == (3 * 10**15, 0)


async def test_nobody_is_put_out_while_a_chain_is_not_watched(club: Club) -> None:
    """What was paid in time may stand in a block that no watcher has read yet."""
    mine = await club.subscribe(await club.package(), grace_days=2, reminder_days=0)
    await club.bill()
    club.shop.clock.at += timedelta(days=2, minutes=2)
    await bill_round(club.worker, club.shop.settings, club.shop.clock())
    assert (await club.standing(mine))[0] == "past_due"
    await club.bill(minutes=11)
    assert (await club.standing(mine))[0] == "ended"
