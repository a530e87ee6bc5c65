"""Codes, who comes through them, and rates: what is given, what is refused, who may see it."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from devnet.system.waiting import until
from tests.gateway.referrals.market import code_of, house_rates, opened
from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio
UNKNOWN = "/referral_code"


async def test_a_code_refers_until_it_is_revoked(shop: Shop) -> None:
    """Drawn at random; in small letters too; afterwards it refers nobody, and nobody is unreferred."""
    merchant, key = await shop.merchant_and_key()
    code = await code_of(shop, key)
    assert len(code) == 12
    assert code != await code_of(shop, key)
    await opened(shop, code.lower())
    [referral] = (await shop.call("GET", "/v1/referrals", key)).json()["data"]
    assert (referral["programme"], referral["referrer"]) == ("house", merchant)
    listed = (await shop.call("GET", "/v1/referral_codes", key)).json()["data"]
    mine = next(row for row in listed if row["code"] == code)
    path = f"/v1/referral_codes/{mine['id']}"
    _, stranger = await shop.merchant_and_key()
    assert (await shop.call("DELETE", path, stranger)).status_code == 404
    assert (await shop.call("GET", "/v1/referrals", stranger)).json()["data"] == []
    live = await shop.live_key(key)
    revoked = (await shop.call("DELETE", path, live)).json()
    assert revoked["revoked_at"] is not None
    assert (await shop.call("DELETE", path, live)).json() == revoked
    await refused(shop, code, "unknown_referral_code")
    assert len((await shop.call("GET", "/v1/referrals", key)).json()["data"]) == 1


async def refused(shop: Shop, code: str, why: str, **body: str) -> None:
    """Expect that no merchant is opened with this code."""
    before = await shop.rows("SELECT count(*) FROM merchant")
    answer = await shop.call(
        "POST",
        "/v1/merchants",
        await shop.key(None, livemode=True),
        json={"name": "Shop", "referral_code": code, **body},
    )
    assert answer.status_code == 422
    [fault] = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == (UNKNOWN, why)
    assert await shop.rows("SELECT count(*) FROM merchant") == before


async def test_nobody_refers_himself(shop: Shop) -> None:
    """The same e-mail address, an unknown code, a customer's code, a suspended merchant's."""
    merchant, key = await opened(shop, None, email="Owner@example.com")
    code = await code_of(shop, key)
    await refused(shop, code, "self_referral", email="owner@EXAMPLE.com")
    await refused(shop, "NOBODYSCODE1", "unknown_referral_code")
    customer = (await shop.call("POST", "/v1/customers", key, json={"reference": "a"})).json()[
        "id"
    ]
    theirs = await code_of(shop, key, customer=customer)
    await refused(shop, theirs, "unknown_referral_code")
    await shop.run("UPDATE merchant SET status = 'suspended' WHERE id = :id", id=merchant)
    await refused(shop, code, "unknown_referral_code")


async def test_a_customers_code_serves_its_merchant_only(shop: Shop) -> None:
    """Another merchant's customer is not referred by it, nor may another draw one for it."""
    _, key = await shop.merchant_and_key()
    customer = (await shop.call("POST", "/v1/customers", key, json={"reference": "a"})).json()[
        "id"
    ]
    code = await code_of(shop, key, customer=customer)
    _, stranger = await shop.merchant_and_key()
    answer = await shop.call(
        "POST", "/v1/referral_codes", stranger, json={"customer": customer}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_customer")
    body = {"reference": "b", "referral_code": code}
    answer = await shop.call("POST", "/v1/customers", stranger, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_referral_code")
    made = (await shop.call("POST", "/v1/customers", key, json=body)).json()["id"]
    path = f"/v1/referrals?programme=merchant&referrer={customer}"
    [referral] = (await shop.call("GET", path, key)).json()["data"]
    assert referral["referred"] == made


async def test_a_code_of_ones_own_choice_is_an_operators_to_give(shop: Shop) -> None:
    """In capital letters, once; the API's role writes none for its tenant."""
    merchant, key = await shop.merchant_and_key()
    path = f"/v1/merchants/{merchant}/referral_codes"
    operator = await shop.key(None, livemode=True)
    given = await shop.call("POST", path, operator, json={"code": "Summer26"})
    assert (given.status_code, given.json()["code"], given.json()["vanity"]) == (
        201,
        "SUMMER26",
        True,
    )
    taken = await shop.call("POST", path, operator, json={"code": "SUMMER26"})
    assert (taken.status_code, taken.json()["code"]) == (409, "code_taken")
    assert (await shop.call("POST", path, key, json={"code": "MINE"})).status_code == 403
    [listed] = (await shop.call("GET", "/v1/referral_codes", key)).json()["data"]
    assert listed["id"] == given.json()["id"]
    for values in ("'MINE', true", "'MINE', false", "'WINTER262626', true"):
        with pytest.raises(DBAPIError, match="row-level security"):
            async with shop.database.unit_of_work(merchant) as session:
                await session.execute(text(
                    "INSERT INTO referral_code (code, vanity, id, merchant_id, created_by, created_at)"
                    f" VALUES ({values}, 'rfc_x', '{merchant}', 'x', now())"
                ))  # fmt: skip


async def test_who_may_not_move_money_promises_nobody_a_share_of_it(shop: Shop) -> None:
    """Settings alone are not enough: rates send deposits of the merchant to its customers."""
    merchant = await shop.merchant()
    key = await shop.key(merchant, ("settings:write", "settings:read"), livemode=True)
    path, body = "/v1/referral_schedules", {"rates": [1], "share_basis_points": 1}
    refused = await shop.call("POST", path, key, json=body)
    assert (refused.status_code, "transfers:create" in refused.text) == (403, True)
    assert (await shop.call("GET", path, key)).json()["data"] == []
    paying = await shop.key(merchant, ("settings:write", "transfers:create"), livemode=True)
    assert (await shop.call("POST", path, paying, json=body)).status_code == 201


async def test_rates_share_no_more_than_everything_and_never_the_past(shop: Shop) -> None:
    """The API says so by field; the database says so to everybody."""
    merchant = await shop.merchant()
    key = await shop.key(merchant, livemode=True)
    path = "/v1/referral_schedules"
    for body, pointer in (
        ({"rates": [9000, 1001], "share_basis_points": 100}, "/rates"),
        ({"rates": [-1], "share_basis_points": 100}, "/rates/0"),
        ({"rates": [1], "share_basis_points": 10_001}, "/share_basis_points"),
        (
            {"rates": [1], "share_basis_points": 1, "effective_from": "2026-11-20T13:59:59Z"},
            "/effective_from",
        ),
        (
            {
                "rates": [1],
                "share_basis_points": 1,
                "effective_from": "9999-12-31T23:59:59-12:00",
            },
            "/effective_from",
        ),
    ):
        answer = await shop.call("POST", path, key, json=body)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    body = {"rates": [9000, 1000], "share_basis_points": 100, "effective_from": "2026-12-01T00:00:00Z"}  # fmt: skip
    made = await shop.call("POST", path, key, json=body)
    assert made.status_code == 201, made.text
    again = await shop.call("POST", path, key, json=body)
    assert (again.status_code, again.json()["code"]) == (409, "schedule_exists")
    assert (await shop.call("GET", path, key)).json()["data"] == [made.json()]
    house = await house_rates(shop, 2000, 1000)
    operator = await shop.key(None)
    shown = await shop.call("GET", "/v1/house/referral_schedules", operator)
    assert shown.json()["data"] == [house]
    assert (await shop.call("GET", "/v1/house/referral_schedules", key)).status_code == 403
    with pytest.raises(DBAPIError, match="referral_schedule_whole"):
        await shop.run(
            "INSERT INTO referral_schedule (id, merchant_id, rates, share_basis_points, effective_from,"
            " created_by, created_at) VALUES ('x', :m, '{9000,1001}', 1, now(), 'x', now())",
            m=merchant,
        )


@pytest.mark.parametrize("born", ["merchant", "customer"])
async def test_a_code_that_is_revoked_meanwhile_is_refused_all_the_same(
    shop: Shop, born: str
) -> None:
    """It was in force when it was looked at, and no more when somebody would have come through it."""
    _, key = await shop.merchant_and_key()
    referrer = (await shop.call("POST", "/v1/customers", key, json={})).json()["id"]
    code = await code_of(shop, key, **({} if born == "merchant" else {"customer": referrer}))
    body = {"referral_code": code, **({"name": "Shop"} if born == "merchant" else {})}
    caller = await shop.key(None, livemode=True) if born == "merchant" else key
    async with shop.owner.unit_of_work(None) as session:
        await session.execute(text("UPDATE referral_code SET revoked_at = now()"))
        await session.execute(text(f"LOCK TABLE {born} IN EXCLUSIVE MODE"))
        asking = asyncio.create_task(shop.call("POST", f"/v1/{born}s", caller, json=body))
        await until(lambda: _waits(shop, born), f"an insert into {born}", seconds_max=10)
    answer = await asking
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_referral_code")
    assert answer.json()["errors"][0]["pointer"] == UNKNOWN


async def _waits(shop: Shop, table: str) -> bool | None:
    found = await shop.rows(
        "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = CAST(:table AS regclass)",
        table=table,
    )
    return bool(found) or None
