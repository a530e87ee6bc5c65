"""The event feed and the delivery log."""

import msgspec
import pytest
from sqlalchemy import text

from gateway.domain.moment import CROCKFORD
from gateway.webhooks.documents import EventDocument
from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio


async def test_the_feed_has_what_the_webhooks_carry(shop: Shop) -> None:
    """Type, subject, sequence and the whole object; newest first, by pages."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, payment_methods=["USDT-TRON"])
    address = invoice["payment_options"][0]["address"]
    await shop.pay(address, "USDT-TRON", 49_900_000, final=True)
    page = (await shop.call("GET", "/v1/events", key, params={"limit": "100"})).json()
    sequence = [
        event["type"]
        for event in sorted(page["data"], key=lambda event: event["sequence"])
        if event["subject"] == invoice["id"]
    ]
    assert sequence == [
        "invoice.created",
        "invoice.payment_detected",
        "invoice.processing",
        "invoice.payment_confirmed",
        "invoice.settled",
    ]
    settled = next(event for event in page["data"] if event["type"] == "invoice.settled")
    assert settled["data"]["object"]["status"] == "settled"
    assert settled["data"]["previous"]["status"] == "processing"
    one = await shop.call("GET", f"/v1/events/{settled['id']}", key)
    assert one.json() == settled
    assert msgspec.json.decode(one.content, type=EventDocument).livemode is False


async def test_the_feed_is_filtered(shop: Shop) -> None:
    """By type and by subject."""
    _, key = await shop.merchant_and_key()
    first, _ = await shop.invoice(key), await shop.invoice(key)
    await shop.call("POST", f"/v1/invoices/{first['id']}/cancel", key)

    async def listed(**query: str) -> list[str]:
        page = (await shop.call("GET", "/v1/events", key, params=query)).json()
        return [event["type"] for event in page["data"]]

    assert await listed(type="invoice.created") == ["invoice.created"] * 2
    assert await listed(subject=first["id"]) == ["invoice.canceled", "invoice.created"]
    assert await listed(type="ping") == []


async def test_the_delivery_log_names_event_and_endpoint(shop: Shop) -> None:
    """What waits has a next attempt; what a receiver answered is shown cut off."""
    _, key = await shop.merchant_and_key()
    body = {"url": "https://shop.example/", "events": ["invoice.created"]}
    endpoint = (await shop.call("POST", "/v1/webhook_endpoints", key, json=body)).json()
    await shop.invoice(key)
    await shop.invoice(key)
    page = (await shop.call("GET", "/v1/webhook_deliveries", key)).json()
    second, first = page["data"]
    assert (first["status"], first["event_type"]) == ("scheduled", "invoice.created")
    assert first["endpoint_id"] == endpoint["id"]
    assert first["next_attempt_at"] is not None
    await shop.run(
        "UPDATE webhook_delivery SET status = 'exhausted', attempts = 10, response_status = 500,"
        " response_body = repeat('x', 5000) WHERE id = :id",
        id=first["id"],
    )
    query = {"status": "exhausted", "endpoint_id": endpoint["id"]}
    answer = await shop.call("GET", "/v1/webhook_deliveries", key, params=query)
    [exhausted] = answer.json()["data"]
    assert (exhausted["next_attempt_at"], exhausted["response_status"]) == (None, 500)
    assert len(exhausted["response_body"]) == 1024
    query = {"event_id": second["event_id"]}
    answer = await shop.call("GET", "/v1/webhook_deliveries", key, params=query)
    assert [row["id"] for row in answer.json()["data"]] == [second["id"]]
    wrong = await shop.call("GET", "/v1/webhook_deliveries", key, params={"status": "lost"})
    assert wrong.status_code == 422


async def test_another_merchants_events_do_not_exist(shop: Shop) -> None:
    """Nor those of the other mode."""
    merchant, key = await shop.merchant_and_key()
    await shop.call("POST", "/v1/webhook_endpoints", key, json={"url": "https://a.example/"})
    await shop.invoice(key)
    [event] = (await shop.call("GET", "/v1/events", key)).json()["data"]
    _, other = await shop.merchant_and_key()
    live = await shop.key(merchant, livemode=True)
    for stranger in (other, live):
        answer = await shop.call("GET", f"/v1/events/{event['id']}", stranger)
        assert answer.status_code == 404
        for path in ("/v1/events", "/v1/webhook_deliveries"):
            assert (await shop.call("GET", path, stranger)).json()["data"] == []


async def test_more_endpoints_than_there_may_be_stop_no_event(shop: Shop) -> None:
    """Written past the API: an event that cannot be written would undo what it tells, anywhere."""
    merchant, key = await shop.merchant_and_key()
    async with shop.database.unit_of_work(merchant) as session:
        await session.execute(
            text(
                "INSERT INTO webhook_endpoint (id, merchant_id, url, api_version, livemode, created_at)"
                " SELECT 'whe_' || n, :merchant, 'https://shop.example/', 'x', false, now()"
                " FROM generate_series(1, 40) n"
            ),
            {"merchant": merchant},
        )
    invoice = await shop.invoice(key)
    told = "SELECT id FROM webhook_delivery WHERE subject = :id"
    assert len(await shop.rows(told, id=invoice["id"])) == len(CROCKFORD)


async def test_nobody_waits_for_an_event_that_there_is_not(shop: Shop) -> None:
    """A misspelled name is refused, in the list and in the feed; it would be empty for ever."""
    _, key = await shop.merchant_and_key()
    for order in ("newest", "oldest"):
        odd = {"type": "invoice.payed", "order": order}
        answer = await shop.call("GET", "/v1/events", key, params=odd)
        assert answer.status_code == 422, answer.text
        [fault] = answer.json()["errors"]
        assert (fault["pointer"], fault["code"]) == ("/type", "unknown_event")
