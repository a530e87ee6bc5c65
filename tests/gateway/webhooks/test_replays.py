"""New secrets, deliveries and ranges once more, and the feed that pollers read."""

from typing import Any

import pytest

from gateway.webhooks.secrets import EndpointSecrets
from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio

URL = "https://shop.example/hooks"


async def endpoint(shop: Shop, key: str, **fields: Any) -> dict[str, Any]:
    """Register an endpoint."""
    answer = await shop.call("POST", "/v1/webhook_endpoints", key, json={"url": URL, **fields})
    made: dict[str, Any] = answer.json()
    return made


async def deliveries(shop: Shop, key: str) -> list[dict[str, Any]]:
    """Return the log, oldest first."""
    page = (await shop.call("GET", "/v1/webhook_deliveries", key)).json()
    return list(reversed(page["data"]))


async def ended(shop: Shop, status: str) -> None:
    """End every delivery."""
    await shop.run(
        "UPDATE webhook_delivery SET status = :status, ended_at = now()", status=status
    )


async def test_a_rotation_shows_a_new_secret_and_says_how_long_the_old_one_lives(
    shop: Shop,
) -> None:
    """At once with `overlap_hours: 0`; the change is in the audit log, no secret is."""
    _, key = await shop.merchant_and_key()
    made = await endpoint(shop, key)
    path = f"/v1/webhook_endpoints/{made['id']}/rotate_secret"
    turned = (await shop.call("POST", path, key, json={})).json()
    master = EndpointSecrets(shop.settings.secret("webhooks.master_secret_file"))
    assert turned["secret"] == master.of(made["id"], 2) != made["secret"]
    assert turned["previous_secret_until"] is not None
    at_once = (await shop.call("POST", path, key, json={"overlap_hours": 0})).json()
    assert (at_once["secret_version"], "previous_secret_until" in at_once) == (3, False)
    for bad in ({"overlap_hours": 73}, {"overlap_hours": -1}, {"overlap_hours": "1"}, {"x": 1}):
        assert (await shop.call("POST", path, key, json=bad)).status_code == 422
    noted = await shop.rows(
        "SELECT after::text AS said FROM audit_log WHERE action = 'webhook_endpoint.secret_rotated'"
    )
    assert len(noted) == 2
    assert all("whsec" not in row.said for row in noted)


async def test_an_endpoint_with_ed25519_shows_its_public_key(shop: Shop) -> None:
    """Once, beside the secret."""
    _, key = await shop.merchant_and_key()
    made = await endpoint(shop, key, ed25519=True)
    master = EndpointSecrets(shop.settings.secret("webhooks.master_secret_file"))
    assert made["public_key"] == master.public_key(made["id"], 1)
    shown = (await shop.call("GET", f"/v1/webhook_endpoints/{made['id']}", key)).json()
    assert (shown["ed25519"], "public_key" in shown) == (True, False)


async def test_a_redelivery_is_a_new_delivery_of_the_same_event(shop: Shop) -> None:
    """One that is still under way is not doubled, and a disabled endpoint gets nothing."""
    _, key = await shop.merchant_and_key()
    made = await endpoint(shop, key)
    await shop.invoice(key)
    [first] = await deliveries(shop, key)
    path = f"/v1/webhook_deliveries/{first['id']}/redeliver"
    early = await shop.call("POST", path, key)
    assert (early.status_code, early.json()["code"]) == (409, "delivery_not_ended")
    await ended(shop, "succeeded")
    again = (await shop.call("POST", path, key)).json()
    assert again["id"] != first["id"]
    assert (again["event_id"], again["status"]) == (first["event_id"], "scheduled")
    await ended(shop, "exhausted")
    change = {"status": "disabled"}
    await shop.call("PATCH", f"/v1/webhook_endpoints/{made['id']}", key, json=change)
    refused = await shop.call("POST", path, key)
    assert (refused.status_code, refused.json()["code"]) == (409, "endpoint_disabled")


async def test_a_delivery_shows_the_body_that_was_sent(shop: Shop) -> None:
    """Byte for byte, so that a receiver's log can be compared."""
    _, key = await shop.merchant_and_key()
    await endpoint(shop, key)
    invoice = await shop.invoice(key)
    [first] = await deliveries(shop, key)
    shown = (await shop.call("GET", f"/v1/webhook_deliveries/{first['id']}", key)).json()
    event = await shop.call("GET", f"/v1/events/{first['event_id']}", key)
    assert shown["request_body"] == event.text
    assert invoice["id"] in shown["request_body"]


async def test_a_replay_queues_what_never_arrived(shop: Shop) -> None:
    """By range and type; `any` queues all, an empty range is refused."""
    _, key = await shop.merchant_and_key()
    made = await endpoint(shop, key)
    first, _ = await shop.invoice(key), await shop.invoice(key)
    await shop.call("POST", f"/v1/invoices/{first['id']}/cancel", key)
    await ended(shop, "exhausted")
    await shop.run(
        "UPDATE webhook_delivery SET status = 'succeeded' WHERE subject = :id AND sequence = 1",
        id=first["id"],
    )
    path = f"/v1/webhook_endpoints/{made['id']}/replay"

    async def queued(**body: Any) -> int:
        answer = await shop.call(
            "POST", path, key, json={"since": "2020-01-01T00:00:00Z", **body}
        )
        assert answer.status_code == 202, answer.text
        count: int = answer.json()["queued"]
        await ended(shop, "exhausted")
        return count

    assert await queued() == 2
    assert await queued(types=["invoice.canceled"]) == 1
    assert await queued(status="any") == 3
    assert await queued(until="2020-01-02T00:00:00Z") == 0
    for bad in (
        {"since": "2020-01-02T00:00:00Z", "until": "2020-01-01T00:00:00Z"},
        {"since": "yesterday"}, {}, {"since": "2020-01-01T00:00:00Z", "types": ["x"]},
        {"since": "2020-01-01T00:00:00"},
    ):  # fmt: skip
        assert (await shop.call("POST", path, key, json=bad)).status_code == 422


async def test_another_merchant_and_the_other_mode_can_do_none_of_it(shop: Shop) -> None:
    """404 on every route."""
    merchant, key = await shop.merchant_and_key()
    made = await endpoint(shop, key)
    await shop.invoice(key)
    [first] = await deliveries(shop, key)
    await ended(shop, "exhausted")
    _, other = await shop.merchant_and_key()
    live = await shop.key(merchant, livemode=True)
    for stranger in (other, live):
        for method, path, body in (
            ("GET", f"/v1/webhook_endpoints/{made['id']}", None),
            ("POST", f"/v1/webhook_endpoints/{made['id']}/rotate_secret", {}),
            (
                "POST",
                f"/v1/webhook_endpoints/{made['id']}/replay",
                {"since": "2020-01-01T00:00:00Z"},
            ),
            ("GET", f"/v1/webhook_deliveries/{first['id']}", None),
            ("POST", f"/v1/webhook_deliveries/{first['id']}/redeliver", None),
        ):
            answer = await shop.call(method, path, stranger, json=body)
            assert answer.status_code == 404, path


async def test_the_feed_goes_on_from_its_cursor(shop: Shop) -> None:
    """Oldest first; the cursor is there where nothing is new; nonsense is refused."""
    _, key = await shop.merchant_and_key()
    invoices = [await shop.invoice(key) for _ in range(3)]
    await shop.run("UPDATE event SET feed = position WHERE position <= 2")

    async def read(**query: str) -> tuple[list[str], str, bool]:
        query = {"order": "oldest", **query}
        page = (await shop.call("GET", "/v1/events", key, params=query)).json()
        subjects = [event["subject"] for event in page["data"]]
        return subjects, page["next_cursor"], page["has_more"]

    first, cursor, more = await read(limit="1")
    assert (first, more) == ([invoices[0]["id"]], True)
    second, cursor, more = await read(starting_after=cursor)
    assert (second, more) == ([invoices[1]["id"]], False)
    assert await read(starting_after=cursor) == ([], cursor, False)
    await shop.run("UPDATE event SET feed = position")
    assert (await read(starting_after=cursor))[0] == [invoices[2]["id"]]
    for bad in ({"starting_after": "evt_1"}, {"ending_before": "1"}, {"order": "up"}):
        answer = await shop.call("GET", "/v1/events", key, params={"order": "oldest", **bad})
        assert answer.status_code == 422
