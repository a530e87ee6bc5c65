"""Reading the audit log: each tenant its own, with both sides, and nobody anybody else's."""

from typing import Any

import pytest
from sqlalchemy import text

from tests.gateway.people.conftest import People
from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio


async def log(people: People, key: str, path: str = "/v1/audit_log", **query: Any) -> Any:
    """Return a page."""
    answer = await people.call("GET", path, key, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_merchant_reads_who_changed_what_from_where(people: People) -> None:
    """Newest first, filtered, with both sides; another merchant finds nothing of it."""
    merchant_id, key = await people.merchant_and_key()
    _, stranger = await people.merchant_and_key()
    people.clock.at = people.clock().at
    answer = await people.call("PATCH", "/v1/merchant", key, json={"name": "New"})
    newest, oldest = (await log(people, key))["data"]
    assert (newest["object"], newest["action"]) == ("audit_entry", "merchant.changed")
    assert (newest["before"], newest["after"]) == ({"name": "Shop"}, {"name": "New"})
    assert (newest["address"], newest["endpoint"]) == ("127.0.0.1", "PATCH /v1/merchant")
    assert newest["request_id"] == answer.headers["x-request-id"]
    assert newest["actor"].startswith("key_")
    assert oldest["action"] == "merchant.created"
    for wanted, found in (
        ({"action": "merchant.created"}, [oldest]),
        ({"actor": newest["actor"]}, [newest]),
        ({"subject": "nobody"}, []),
        ({"created[gte]": newest["created_at"]}, [newest]),
        ({"created[lt]": newest["created_at"]}, [oldest]),
    ):
        assert (await log(people, key, **wanted))["data"] == found, wanted
    await people.call(
        "PATCH", f"/v1/merchants/{merchant_id}", await people.key(None), json={"name": "Newer"}
    )
    [house, *_] = (await log(people, key))["data"]
    assert (house["after"], house["address"]) == ({"name": "Newer"}, None)
    theirs = await log(people, stranger)
    assert merchant_id not in str(theirs)
    assert len(theirs["data"]) == 1
    operator = await people.key(None)
    path = f"/v1/merchants/{merchant_id}/audit_log"
    shown = (await log(people, operator, path))["data"]
    assert (shown[0]["address"], shown[1]) == ("127.0.0.1", newest)
    assert [each["id"] for each in shown] == [house["id"], newest["id"], oldest["id"]]
    assert (await people.call("GET", path, key)).status_code == 403
    nobody = await people.call("GET", "/v1/merchants/mer_nobody/audit_log", operator)
    assert nobody.status_code == 404


async def test_pages_join_to_the_whole_though_many_came_at_once(people: People) -> None:
    """What one request wrote has one time: no entry is left out or shown twice, in either way."""
    merchant_id, key = await people.merchant_and_key()
    async with people.owner.unit_of_work(None) as session:
        for place in range(7):
            await session.execute(
                text(
                    "INSERT INTO audit_log (merchant_id, actor, action, subject, at)"
                    " VALUES (:id, 'x', 'x.done', :subject, '2020-01-01T00:00:00Z')"
                ),
                {"id": merchant_id, "subject": str(place)},
            )
    wanted = {"action": "x.done"}
    whole = (await log(people, key, **wanted))["data"]
    assert [each["subject"] for each in whole] == list("6543210")
    assert [each["id"] for each in whole] == [
        f"aud_1577836800000000_{n}" for n in range(6, -1, -1)
    ]
    found, cursor = [], None
    while True:
        more: dict[str, str] = {} if cursor is None else {"starting_after": cursor}
        page = await log(people, key, limit=3, **wanted, **more)
        found += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == whole
    back = await log(people, key, limit=2, ending_before=whole[4]["id"], **wanted)
    assert back["data"] == whole[2:4]
    for cursor in (
        "aud_1577836800000000_7",
        "aud_1_1",
        "aud_x_0",
        "aud_99999999999999999_0",
        "1",
    ):
        refused = await people.call("GET", f"/v1/audit_log?starting_after={cursor}", key)
        assert (refused.status_code, refused.json()["code"]) == (422, "unknown_cursor"), cursor


async def test_who_may_read_it(people: People) -> None:
    """Owners and managers, not whoever may look at invoices; the house's own are for admins."""
    root = await people.admin()
    merchant_id, key = await people.merchant_and_key("invoices:read", "settings:read")
    refused = await people.call("GET", "/v1/audit_log", key)
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    owner = await people.owner_of(merchant_id)
    manager = await people.member(owner, "manager", "manager@shop.example")
    viewer = await people.member(owner, "viewer", "viewer@shop.example")
    for person, status in ((owner, 200), (manager, 200), (viewer, 403)):
        answer = await people.call("GET", "/v1/audit_log", person)
        assert answer.status_code == status
    actions = {each["action"] for each in (await log(people, owner))["data"]}
    assert "invitation.created" in actions
    own = (await log(people, root, "/v1/house/audit_log"))["data"]
    assert own
    assert merchant_id not in str([each["subject"] for each in own])
    operator = await people.key(None)
    for other in (owner, operator):
        answer = await people.call("GET", "/v1/house/audit_log", other)
        assert answer.status_code == 403


async def test_a_test_key_reads_nothing_where_money_is_real(shop: Shop) -> None:
    """It tells of both modes: what real money did is not for keys that lie in test systems."""
    merchant_id, test = await shop.merchant_and_key()
    live, house = await shop.key(merchant_id, livemode=True), await shop.key(None)
    for path, key in (
        ("/v1/audit_log", test),
        (f"/v1/merchants/{merchant_id}/audit_log", house),
    ):
        refused = await shop.call("GET", path, key)
        assert (refused.status_code, refused.json()["code"]) == (403, "live_key_required")
    assert (await shop.call("GET", "/v1/audit_log", live)).status_code == 200
