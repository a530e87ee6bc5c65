"""Payout rules over HTTP: what may be set, by whom, and who sees it."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from gateway.domain.actor import MERCHANT_SCOPES
from tests.gateway.address_book.test_address_book import add
from tests.gateway.shop import Shop, pool_address

pytestmark = pytest.mark.anyio


async def begin(shop: Shop, key: str, entry_id: str, **fields: Any) -> httpx.Response:
    """Begin a rule: above 50 USDC all but 10 leaves, unless said otherwise."""
    body = {
        "payment_method": "USDC-ETHEREUM",
        "threshold": "50",
        "keep": "10",
        "address_book_entry": entry_id,
        **fields,
    }
    return await shop.call("POST", "/v1/payout_rules", key, json=body)


async def with_entry(shop: Shop) -> tuple[str, str, str]:
    """Return a merchant, its key, and a usable entry of its book."""
    merchant, key = await shop.merchant_and_key()
    entry = (await add(shop, key)).json()
    shop.clock.at += timedelta(hours=24)
    return merchant, key, entry["id"]


async def test_a_rule_is_on_record(shop: Shop) -> None:
    """What it says, who made it, every change with both sides."""
    merchant, key, entry = await with_entry(shop)
    made = await begin(shop, key, entry)
    assert made.status_code == 201, made.text
    rule = made.json()
    assert (rule["threshold"], rule["keep"], rule["approval"], rule["enabled"]) == (
        "50.000000",
        "10.000000",
        "merchant",
        True,
    )
    path = f"/v1/payout_rules/{rule['id']}"
    changed = await shop.call("PATCH", path, key, json={"enabled": False, "keep": "0"})
    assert (changed.json()["enabled"], changed.json()["keep"]) == (False, "0.000000")
    assert (await shop.call("GET", path, key)).json() == changed.json()
    ended = (await shop.call("DELETE", path, key)).json()
    assert ended["deleted_at"] is not None
    assert (await shop.call("PATCH", path, key, json={})).json()["code"] == "rule_deleted"
    assert (await shop.call("GET", "/v1/payout_rules", key)).json()["data"] == []
    rows = await shop.rows(
        "SELECT action, merchant_id, before, after FROM audit_log"
        " WHERE action LIKE 'payout_rule.%' ORDER BY id"
    )
    assert [row.action.partition(".")[2] for row in rows] == ["created", "changed", "deleted"]
    assert rows[1].before == {"enabled": True, "keep_units": "10000000"}
    assert {row.merchant_id for row in rows} == {merchant}


async def test_every_bad_field(shop: Shop) -> None:
    """Pointers, and no rule."""
    _, key, entry = await with_entry(shop)
    tron = await add(shop, key, network="tron", address=pool_address("tron", 900))
    deleted = (await add(shop, key, address=pool_address("ethereum", 901))).json()["id"]
    await shop.call("DELETE", f"/v1/address_book/{deleted}", key)
    changes: list[tuple[dict[str, Any], str]] = [
        ({"payment_method": "X-Y"}, "/payment_method"),
        ({"payment_method": "ETH-MAINNET"}, "/payment_method"),
        ({"threshold": "0"}, "/threshold"),
        ({"threshold": "0.0000001"}, "/threshold"),
        ({"keep": "50"}, "/keep"),
        ({"keep": "-1"}, "/keep"),
        ({"address_book_entry": "adr_nobody"}, "/address_book_entry"),
        ({"address_book_entry": tron.json()["id"]}, "/address_book_entry"),
        ({"address_book_entry": deleted}, "/address_book_entry"),
        ({"approval": "nobody"}, "/approval"),
        ({"period_minutes": 0}, "/period_minutes"),
        ({"destination": "0x"}, "/destination"),
    ]
    for change, pointer in changes:
        answer = await begin(shop, key, **{"entry_id": entry, **change})
        assert answer.status_code == 422, change
        assert answer.json()["errors"][0]["pointer"] == pointer, change
    assert await shop.rows("SELECT 1 FROM payout_rule") == []


async def test_one_rule_per_method(shop: Shop) -> None:
    """Another one only after the first has ended."""
    _, key, entry = await with_entry(shop)
    first = (await begin(shop, key, entry)).json()
    again = await begin(shop, key, entry)
    assert (again.status_code, again.json()["code"]) == (409, "rule_exists")
    await shop.call("DELETE", f"/v1/payout_rules/{first['id']}", key)
    assert (await begin(shop, key, entry)).status_code == 201


async def test_a_rule_that_approves_itself_needs_the_right_to_approve(shop: Shop) -> None:
    """Not at its beginning, not by a change, and not by another change of such a rule."""
    merchant, key, entry = await with_entry(shop)
    clerk = await shop.key(merchant, sorted(MERCHANT_SCOPES - {"withdrawals:approve"}))
    refused = await begin(shop, clerk, entry, approval="automatic")
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    rule = (await begin(shop, clerk, entry)).json()
    path = f"/v1/payout_rules/{rule['id']}"
    automatic = {"approval": "automatic"}
    assert (await shop.call("PATCH", path, clerk, json=automatic)).status_code == 403
    assert (await shop.call("PATCH", path, key, json=automatic)).status_code == 200
    assert (await shop.call("PATCH", path, clerk, json={"keep": "1"})).status_code == 403
    assert (await shop.call("PATCH", path, clerk, json={"approval": "merchant"})).json()[
        "approval"
    ] == "merchant"


async def test_rules_of_others_do_not_exist(shop: Shop) -> None:
    """Neither another merchant's nor the other mode's; nor may theirs name my entry."""
    merchant, key, entry = await with_entry(shop)
    rule = (await begin(shop, key, entry)).json()
    _, other = await shop.merchant_and_key()
    live = await shop.key(merchant, livemode=True)
    path = f"/v1/payout_rules/{rule['id']}"
    for stranger in (other, live):
        answers = [
            await shop.call("GET", path, stranger),
            await shop.call("DELETE", path, stranger),
            await shop.call("PATCH", path, stranger, json={"enabled": False}),
        ]
        assert [answer.status_code for answer in answers] == [404] * 3
        assert (await shop.call("GET", "/v1/payout_rules", stranger)).json()["data"] == []
    theirs = await begin(shop, other, entry)
    assert theirs.json()["errors"][0]["code"] == "unknown_entry"
    reader = await shop.key(merchant, ["withdrawals:read"])
    assert (await shop.call("GET", path, reader)).status_code == 200
    assert (await shop.call("DELETE", path, reader)).status_code == 403
