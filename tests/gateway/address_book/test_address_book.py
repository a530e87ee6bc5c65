"""The address book: entries that count after a cool-down, and a merchant that pays nobody else."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from tests.gateway.shop import Shop
from tests.gateway.withdrawals.test_request import DESTINATIONS, OUTSIDE, ask, balance

pytestmark = pytest.mark.anyio
ENTRY = {"network": "ethereum", "address": OUTSIDE, "label": "treasury"}
ELSEWHERE = "0x8617E340B3D01FA5F11F306F4090FD50E238070D"


async def add(shop: Shop, key: str, **fields: Any) -> httpx.Response:
    """Add an entry."""
    return await shop.call("POST", "/v1/address_book", key, json={**ENTRY, **fields})


async def only(shop: Shop, key: str, value: bool) -> dict[str, Any]:
    """Close or open the book."""
    body = {"address_book_only": value}
    answer = await shop.call("PATCH", "/v1/withdrawal_settings", key, json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_an_entry_counts_after_a_cool_down(shop: Shop) -> None:
    """24 hours by default; it is on record who added it."""
    merchant, key = await shop.merchant_and_key()
    made = await add(shop, key)
    assert made.status_code == 201, made.text
    entry = made.json()
    assert (entry["address"], entry["label"], entry["usable"]) == (OUTSIDE, "treasury", False)
    shop.clock.at += timedelta(hours=23, minutes=59)
    path = f"/v1/address_book/{entry['id']}"
    assert (await shop.call("GET", path, key)).json()["usable"] is False
    shop.clock.at += timedelta(minutes=1)
    assert (await shop.call("GET", path, key)).json()["usable"] is True
    [row] = await shop.rows("SELECT * FROM audit_log WHERE action = 'address_book.added'")
    assert (row.merchant_id, row.actor) == (merchant, entry["created_by"])
    assert row.after["address"] == OUTSIDE.lower()


async def test_where_money_must_not_go_is_no_entry(shop: Shop) -> None:
    """The same refusals as for a withdrawal, at the field of the entry."""
    _, key = await shop.merchant_and_key()
    for method, address, code in DESTINATIONS:
        network = method.partition("-")[2].lower()
        answer = await add(shop, key, network=network, address=address)
        [fault] = answer.json()["errors"]
        assert (fault["pointer"], fault["code"]) == ("/address", code), address
    for change, pointer in (
        ({"network": "nowhere"}, "/network"),
        ({"network": "mainnet"}, "/network"),
        ({"label": ""}, "/label"),
        ({"usable_at": "2026-01-01T00:00:00Z"}, "/usable_at"),
    ):
        answer = await add(shop, key, **change)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer


async def test_an_address_is_in_the_book_once(shop: Shop) -> None:
    """In any spelling; deleted and added again it begins anew."""
    _, key = await shop.merchant_and_key()
    entry = (await add(shop, key)).json()
    again = await add(shop, key, address=OUTSIDE.lower())
    assert (again.status_code, again.json()["code"]) == (409, "already_in_address_book")
    shop.clock.at += timedelta(hours=25)
    path = f"/v1/address_book/{entry['id']}"
    deleted = (await shop.call("DELETE", path, key)).json()
    assert (deleted["usable"], deleted["deleted_at"] is not None) == (False, True)
    assert (await shop.call("DELETE", path, key)).json()["code"] == "entry_deleted"
    fresh = (await add(shop, key)).json()
    assert (fresh["usable"], fresh["id"] != entry["id"]) == (False, True)
    page = (await shop.call("GET", "/v1/address_book", key)).json()
    assert [row["id"] for row in page["data"]] == [fresh["id"]]


async def test_a_label_is_all_that_changes(shop: Shop) -> None:
    """No field of the API and no column of its role moves an entry or its cool-down."""
    merchant, key = await shop.merchant_and_key()
    entry = (await add(shop, key)).json()
    path = f"/v1/address_book/{entry['id']}"
    renamed = await shop.call("PATCH", path, key, json={"label": "vault"})
    assert renamed.json() == {**entry, "label": "vault"}
    for change in ({"usable_at": "2020-01-01T00:00:00Z"}, {"address": ELSEWHERE}):
        answer = await shop.call("PATCH", path, key, json={"label": "x", **change})
        assert answer.status_code == 422
    for column in ("usable_at = created_at", "address = 'x'", "merchant_id = 'x'"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with shop.database.unit_of_work(merchant) as session:
                await session.execute(text(f"UPDATE address_book_entry SET {column}"))


async def test_a_closed_book_lets_money_go_to_its_entries_only(shop: Shop) -> None:
    """Not to a stranger, not to one that cools down, not to a deleted one."""
    merchant, key = await shop.merchant_and_key()
    await shop.fund(merchant, "USDC-ETHEREUM", 100_000_000)
    await only(shop, key, value=True)
    entry = (await add(shop, key)).json()
    for destination, code in (
        (ELSEWHERE, "not_in_address_book"),
        (OUTSIDE, "address_cooling_down"),
    ):
        answer = await ask(shop, key, destination=destination)
        [fault] = answer.json()["errors"]
        assert (fault["pointer"], fault["code"]) == ("/destination", code)
    assert await balance(shop, key) == ("100.000000", "0.000000")
    shop.clock.at += timedelta(hours=24)
    assert (await ask(shop, key)).status_code == 201
    await shop.call("DELETE", f"/v1/address_book/{entry['id']}", key)
    assert (await ask(shop, key)).json()["code"] == "not_in_address_book"


async def test_what_was_asked_for_before_the_book_closed_is_not_approved_after(
    shop: Shop,
) -> None:
    """Closing counts at once: a request that waits goes nowhere else either."""
    merchant, key = await shop.merchant_and_key()
    approver = await shop.key(merchant)
    await shop.fund(merchant, "USDC-ETHEREUM", 100_000_000)
    asked = (await ask(shop, key, destination=ELSEWHERE)).json()
    await only(shop, key, value=True)
    refused = await shop.call("POST", f"/v1/withdrawals/{asked['id']}/approve", approver)
    assert (refused.status_code, refused.json()["code"]) == (422, "not_in_address_book")


async def test_opening_the_book_takes_a_cool_down(shop: Shop) -> None:
    """A stolen key can switch it off, and then has to wait while somebody notices."""
    merchant, key = await shop.merchant_and_key()
    await shop.fund(merchant, "USDC-ETHEREUM", 100_000_000)
    assert (await only(shop, key, value=True))["address_book_only"] is True
    opened = await only(shop, key, value=False)
    assert (opened["address_book_only"], opened["restricted_until"] is None) == (False, False)
    assert (await only(shop, key, value=False)) == opened, "asking again does not prolong it"
    shop.clock.at += timedelta(hours=23)
    assert (await ask(shop, key)).json()["code"] == "not_in_address_book"
    shop.clock.at += timedelta(hours=1)
    assert (await ask(shop, key)).status_code == 201
    shown = (await shop.call("GET", "/v1/withdrawal_settings", key)).json()
    assert (shown["restricted_until"], shown["cooldown_hours"]) == (None, 24)
    rows = await shop.rows(
        "SELECT before, after FROM audit_log WHERE action = 'withdrawal_settings.changed' ORDER BY id"
    )
    assert [row.after["address_book_only"] for row in rows] == [True, False]


async def test_books_of_others_do_not_exist(shop: Shop) -> None:
    """Neither another merchant's nor the other mode's; their settings are apart too."""
    merchant, key = await shop.merchant_and_key()
    entry = (await add(shop, key)).json()
    await only(shop, key, value=True)
    _, other = await shop.merchant_and_key()
    live = await shop.key(merchant, livemode=True)
    path = f"/v1/address_book/{entry['id']}"
    for stranger in (other, live):
        answers = [
            await shop.call("GET", path, stranger),
            await shop.call("DELETE", path, stranger),
            await shop.call("PATCH", path, stranger, json={"label": "x"}),
        ]
        assert [answer.status_code for answer in answers] == [404] * 3
        assert (await shop.call("GET", "/v1/address_book", stranger)).json()["data"] == []
        settings = (await shop.call("GET", "/v1/withdrawal_settings", stranger)).json()
        assert settings["address_book_only"] is False


async def test_changing_the_book_needs_the_right_to_change_settings(shop: Shop) -> None:
    """A till that asks for payouts adds no destination."""
    merchant, key = await shop.merchant_and_key()
    entry = (await add(shop, key)).json()
    narrow = await shop.key(merchant, ["withdrawals:create", "withdrawals:read"])
    path = f"/v1/address_book/{entry['id']}"
    assert (await add(shop, narrow, address=ELSEWHERE)).status_code == 403
    assert (await shop.call("DELETE", path, narrow)).status_code == 403
    assert (await shop.call("PATCH", path, narrow, json={"label": "x"})).status_code == 403
    body = {"address_book_only": False}
    answer = await shop.call("PATCH", "/v1/withdrawal_settings", narrow, json=body)
    assert answer.status_code == 403
    assert (await shop.call("GET", path, narrow)).status_code == 200
    listed = await shop.call("GET", "/v1/address_book", narrow, params={"network": "tron"})
    assert listed.json()["data"] == []
