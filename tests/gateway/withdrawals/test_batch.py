"""Many payouts in one call: each stands alone, and each has its own answer."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.gateway.shop import Shop
from tests.gateway.withdrawals.test_request import ASK, OUTSIDE, balance

pytestmark = pytest.mark.anyio


async def batch(
    shop: Shop, key: str, *items: dict[str, Any], once: str | None = None
) -> httpx.Response:
    """Ask for payouts that differ from 12.5 USDC as said."""
    headers = {"Idempotency-Key": once or shop.clock().id("once")}
    body = {"items": [{**ASK, **item} for item in items]}
    return await shop.call("POST", "/v1/withdrawals/batch", key, json=body, headers=headers)


async def funded(shop: Shop, units: int = 100_000_000) -> tuple[str, str]:
    """Return a merchant with a balance, and its key."""
    merchant, key = await shop.merchant_and_key()
    await shop.fund(merchant, "USDC-ETHEREUM", units)
    return merchant, key


def codes(answer: httpx.Response) -> list[str | None]:
    """Return the problem of each item, None where it was accepted."""
    return [each.get("problem", {}).get("code") for each in answer.json()["data"]]


async def test_each_item_is_a_withdrawal_of_its_own(shop: Shop) -> None:
    """Own reference, own hold, own event; a refused one leaves no trace and stops nobody."""
    _, key = await funded(shop)
    answer = await batch(
        shop,
        key,
        {"reference": "a"},
        {"destination": "0x12"},
        {"reference": "a"},
        {"amount": "0"},
        {"payment_method": "X-Y"},
        {"amount": "2", "reference": "b"},
    )
    assert answer.status_code == 201, answer.text
    document = answer.json()
    assert codes(answer) == [
        None,
        "invalid_address",
        "reference_already_used",
        "invalid_amount",
        "unknown_payment_method",
        None,
    ]
    assert (document["items"], document["succeeded"], document["refused"]) == (6, 2, 4)
    assert [set(each) for each in document["data"]] == [
        {"index", name}
        for name in ("withdrawal", "problem", "problem", "problem", "problem", "withdrawal")
    ]
    assert document["data"][1]["problem"]["errors"][0]["pointer"] == "/items/1/destination"
    assert await balance(shop, key) == ("83.500000", "16.500000")
    made = document["data"][0]["withdrawal"]
    one = await shop.call("GET", f"/v1/withdrawals/{made['id']}", key)
    assert one.json() == made
    assert (made["batch_id"], made["batch_index"]) == (document["id"], 0)
    events = (await shop.call("GET", "/v1/events", key)).json()["data"]
    assert [event["type"] for event in events] == ["withdrawal.created"] * 2


async def test_the_balance_goes_to_those_that_come_first(shop: Shop) -> None:
    """In the order of the items, to the last unit."""
    _, key = await funded(shop, 27_000_000)
    answer = await batch(shop, key, {}, {"amount": "20"}, {}, {"amount": "1"})
    assert codes(answer) == [None, "insufficient_balance", None, "insufficient_balance"]
    assert await balance(shop, key) == ("0.000000", "27.000000")


async def test_batches_in_opposite_order_do_not_wait_for_each_other(shop: Shop) -> None:
    """Two currencies each, the one first here and last there: both are asked for whole."""
    merchant, key = await funded(shop)
    await shop.fund(merchant, "ETH-ETHEREUM", 10**19)
    coins = {"payment_method": "ETH-ETHEREUM", "amount": "0.1"}
    tokens = {"amount": "0.1"}
    forth, back = [coins, tokens] * 5, [tokens, coins] * 5
    answers = await asyncio.gather(
        *(batch(shop, key, *items) for items in (forth, back, forth, back))
    )
    assert [answer.status_code for answer in answers] == [201] * 4
    assert [answer.json()["succeeded"] for answer in answers] == [10] * 4
    made = [each["withdrawal"] for each in answers[1].json()["data"]]
    assert [each["batch_index"] for each in made] == list(range(10))
    assert [each["currency"] for each in made] == ["USDC", "ETH"] * 5


async def test_the_database_knows_whose_batch_it_is(shop: Shop) -> None:
    """Another merchant's withdrawal cannot be put into it, whoever writes the row."""
    _, key = await funded(shop)
    made = (await batch(shop, key, {})).json()
    stranger = await shop.merchant()
    with pytest.raises(IntegrityError, match="in a batch of somebody else"):
        async with shop.database.unit_of_work(stranger) as session:
            await session.execute(
                text(
                    "INSERT INTO withdrawal (id, merchant_id, livemode, currency_id, network_id,"
                    " units, fee_units, destination, status, created_by, batch_id, batch_index,"
                    " created_at, updated_at) VALUES ('wdr_x', :merchant, false, 'USDC-ETHEREUM',"
                    " 'ethereum', 1, 1000000, '0x', 'pending', 'key_1', :batch, 7, now(), now())"
                ),
                {"merchant": stranger, "batch": made["id"]},
            )


async def test_a_batch_happens_once(shop: Shop) -> None:
    """It needs a key, and the same key answers the same."""
    _, key = await funded(shop)
    bare = await shop.call("POST", "/v1/withdrawals/batch", key, json={"items": [ASK]})
    assert (bare.status_code, bare.json()["code"]) == (400, "idempotency_key_required")
    first, again = [await batch(shop, key, {}, {}, once="1") for _ in range(2)]
    assert first.json() == again.json()
    assert await balance(shop, key) == ("73.000000", "27.000000")


async def test_one_to_a_hundred_items(shop: Shop) -> None:
    """None and 101 are refused as a whole; a hundred fit."""
    _, key = await funded(shop)
    for count in (0, 101):
        refused = await batch(shop, key, *[{"amount": "0.1"}] * count)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "/items"
    full = await batch(shop, key, *[{"amount": "0.1"}] * 100)
    assert (full.json()["succeeded"], full.json()["refused"]) == (90, 10)


async def test_another_key_approves_the_whole(shop: Shop) -> None:
    """A result per withdrawal; what is no longer pending keeps its state and says so."""
    merchant, key = await funded(shop)
    made = (await batch(shop, key, {}, {"destination": "x"}, {}, {"amount": "9"})).json()
    path = f"/v1/withdrawal_batches/{made['id']}"
    ids = [each["withdrawal"]["id"] for each in made["data"] if "withdrawal" in each]
    await shop.call("POST", f"/v1/withdrawals/{ids[0]}/cancel", key)
    own = await shop.call("POST", f"{path}/approve", key)
    assert codes(own) == ["withdrawal_not_open", "own_request", None], (
        "the last is below the limit"
    )
    approver = await shop.key(merchant)
    answer = await shop.call("POST", f"{path}/approve", approver)
    assert answer.status_code == 200
    assert codes(answer) == ["withdrawal_not_open", None, "withdrawal_not_open"]
    assert [each["index"] for each in answer.json()["data"]] == [0, 2, 3]
    assert answer.json()["data"][0]["withdrawal_id"] == ids[0]
    shown = (await shop.call("GET", path, key)).json()
    assert (shown["items"], shown["statuses"]) == (4, {"approved": 2, "canceled": 1})
    page = await shop.call("GET", "/v1/withdrawals", key, params={"batch_id": made["id"]})
    assert {row["id"] for row in page.json()["data"]} == set(ids)


async def test_reject_releases_every_hold(shop: Shop) -> None:
    """With one reason for all."""
    merchant, key = await funded(shop)
    made = (await batch(shop, key, {}, {})).json()
    approver = await shop.key(merchant)
    path = f"/v1/withdrawal_batches/{made['id']}/reject"
    answer = await shop.call("POST", path, approver, json={"reason": "wrong month"})
    assert codes(answer) == [None, None]
    reasons = {each["withdrawal"]["failure_reason"] for each in answer.json()["data"]}
    assert reasons == {"wrong month"}
    assert await balance(shop, key) == ("100.000000", "0.000000")


async def test_a_batch_without_any_withdrawal_cannot_be_decided(shop: Shop) -> None:
    """It stands on record with its refusals, and that is all."""
    merchant, key = await funded(shop)
    made = (await batch(shop, key, {"destination": "x"})).json()
    assert made["succeeded"] == 0
    path = f"/v1/withdrawal_batches/{made['id']}/approve"
    answer = await shop.call("POST", path, await shop.key(merchant))
    assert (answer.status_code, answer.json()["code"]) == (409, "batch_empty")


async def test_another_merchants_batch_does_not_exist(shop: Shop) -> None:
    """404 on every route, for the other mode too; its filter finds nothing."""
    merchant, key = await funded(shop)
    made = (await batch(shop, key, {})).json()
    _, other = await shop.merchant_and_key()
    live = await shop.key(merchant, livemode=True)
    path = f"/v1/withdrawal_batches/{made['id']}"
    for stranger in (other, live):
        answers = [await shop.call("GET", path, stranger)]
        answers += [
            await shop.call("POST", f"{path}/{act}", stranger) for act in ("approve", "reject")
        ]
        assert [answer.status_code for answer in answers] == [404] * 3
        query = {"batch_id": made["id"]}
        page = await shop.call("GET", "/v1/withdrawals", stranger, params=query)
        assert page.json()["data"] == []


async def test_each_route_has_its_scope(shop: Shop) -> None:
    """Asking is not approving, and reading is neither."""
    merchant, key = await funded(shop)
    made = (await batch(shop, key, {})).json()
    path = f"/v1/withdrawal_batches/{made['id']}"
    asker = await shop.key(merchant, ["withdrawals:create"])
    assert (await shop.call("POST", f"{path}/approve", asker)).status_code == 403
    assert (await shop.call("POST", f"{path}/reject", asker)).status_code == 403
    assert (await shop.call("GET", path, asker)).status_code == 403
    approver = await shop.key(merchant, ["withdrawals:approve"])
    assert (await batch(shop, approver, {})).status_code == 403
    estimate = {"payment_method": "USDC-ETHEREUM", "amount": "1", "destination": OUTSIDE}
    answer = await shop.call("POST", "/v1/withdrawals/estimate", approver, json=estimate)
    assert answer.status_code == 403


async def test_batches_are_listed_as_they_stand(shop: Shop) -> None:
    """Newest first, page by page, between two times; of one merchant and one mode."""
    merchant, key = await funded(shop)
    first = (await batch(shop, key, {}, {"destination": "x"})).json()
    second = (await batch(shop, key, {"amount": "9"}, {})).json()
    for made in (first, second):
        gone = made["data"][0]["withdrawal"]["id"]
        await shop.call("POST", f"/v1/withdrawals/{gone}/cancel", key)
    shop.clock.at += timedelta(hours=1)
    third = (await batch(shop, key, {"destination": "x"})).json()
    path = "/v1/withdrawal_batches"

    async def listed(asking: str = key, **query: str) -> list[dict[str, Any]]:
        answer = await shop.call("GET", path, asking, params=query)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["data"])

    every = await listed()
    assert [(each["id"], each["items"], each["statuses"]) for each in every] == [
        (third["id"], 1, {}),
        (second["id"], 2, {"canceled": 1, "pending": 1}),
        (first["id"], 2, {"canceled": 1}),
    ]
    assert every == [
        (await shop.call("GET", f"{path}/{each['id']}", key)).json() for each in every
    ]
    page = (await shop.call("GET", f"{path}?limit=2", key)).json()
    assert (page["has_more"], page["next_cursor"]) == (True, second["id"])
    assert await listed(starting_after=second["id"]) == every[2:]
    assert await listed(ending_before=second["id"]) == every[:1]
    assert await listed(**{"created[gte]": shop.at().isoformat()}) == []
    assert await listed(**{"created[lt]": third["created_at"]}) == every[1:]
    _, other = await shop.merchant_and_key()
    assert await listed(other) == []
    assert await listed(await shop.key(merchant, livemode=True)) == []
    asker = await shop.key(merchant, ["withdrawals:create"])
    assert (await shop.call("GET", path, asker)).status_code == 403
