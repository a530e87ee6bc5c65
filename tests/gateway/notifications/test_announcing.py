"""Events and changes become messages by the merchant's wishes, each of them once."""

import asyncio
from typing import Any

import msgspec
import pytest

from gateway.audit.service import record
from gateway.db import CROSS_TENANT, Database
from gateway.domain.actor import Actor
from gateway.notifications.announcing import announce_changes, announce_events
from gateway.postgres.url import role_url
from gateway.webhooks.alerts import emit_alert
from gateway.webhooks.feed import place_events
from gateway.webhooks.outbox import emit
from tests.gateway.conftest import TestApi

pytestmark = pytest.mark.anyio

INVOICE = {
    "id": "inv_1", "amount": "10.00", "currency": "USD",
    "amount_paid": "4.00", "amount_due": "6.00", "description": "<https://evil>",
}  # fmt: skip
WITHDRAWAL = {
    "id": "wdr_1", "amount": "5", "payment_method": "USDC-ETHEREUM",
    "destination": "0x5", "tx_hash": None,
}  # fmt: skip


async def _happens(api: TestApi, merchant_id: str, type_: str, thing: dict[str, Any]) -> None:
    async with api.owner.unit_of_work(CROSS_TENANT) as session:
        await emit(
            session, api.clock(), type_=type_, merchant_id=merchant_id, livemode=False,
            subject=thing["id"], data={"object": thing},
        )  # fmt: skip
        await place_events(session)


async def _wishes(api: TestApi, merchant_id: str, wishes: dict[str, list[str]]) -> None:
    await api.rows(
        "UPDATE merchant SET email = 'boss@shop.example' WHERE id = :id RETURNING id",
        id=merchant_id,
    )
    await api.rows(
        "INSERT INTO merchant_settings (merchant_id, notifications, updated_at)"
        " VALUES (:id, CAST(:wishes AS jsonb), now()) RETURNING merchant_id",
        id=merchant_id, wishes=msgspec.json.encode(wishes).decode(),
    )  # fmt: skip


async def _target(api: TestApi, key: str, name: str, address: str) -> None:
    body = {"name": name, "address": address}
    answer = await api.call("POST", "/v1/notification_targets", key, json=body)
    assert answer.status_code == 201, answer.text


async def _told(api: TestApi, key: str) -> list[tuple[str, str]]:
    page = (await api.call("GET", "/v1/notifications", key)).json()
    return sorted((row["kind"], row["recipient"]) for row in page["data"])


async def test_events_reach_the_channels_that_were_chosen(api: TestApi) -> None:
    """Without a wish the house's: exceptions and failures by mail, success to nobody."""
    merchant_id, key = await api.merchant_and_key()
    other, other_key = await api.merchant_and_key()
    await _wishes(
        api, merchant_id, {"invoice.settled": ["sms", "chat"], "withdrawal.failed": []}
    )
    await _target(
        api,
        key,
        "phone",
        "twilio://AC" + "a" * 32 + ":" + "b" * 32 + "@15551231234/15551231235",
    )
    await _target(api, key, "team", "tgram://123456789:abcdefg_hijklmnop/12315544/")
    for type_ in ("invoice.settled", "invoice.partially_paid", "invoice.created"):
        await _happens(api, merchant_id, type_, INVOICE)
        await _happens(api, other, type_, {**INVOICE, "id": "inv_2"})
    for type_ in ("withdrawal.completed", "withdrawal.failed"):
        await _happens(api, merchant_id, type_, WITHDRAWAL)
    worker = Database(role_url(api.settings, "worker"), pool_size=2)
    for _ in range(2):
        await asyncio.gather(*(announce_events(worker, api.clock()) for _ in range(2)))
    await worker.aclose()
    assert await _told(api, key) == [
        ("invoice.exception", "boss@shop.example"),
        ("invoice.settled", "phone"),
        ("invoice.settled", "team"),
    ]
    assert await _told(api, other_key) == []
    page = (await api.call("GET", "/v1/notifications?kind=invoice.exception", key)).json()
    [row] = page["data"]
    assert row["subject"] == "[test] Invoice inv_1 was paid in part"
    assert "4.00 USD" in row["body"]
    assert "evil" not in row["body"]
    live = await api.key(merchant_id, livemode=True)
    assert await _told(api, live) == []


async def test_changes_of_the_account_are_alerts(api: TestApi) -> None:
    """A new key is told to the people, and to endpoints where the merchant wants that."""
    merchant_id, key = await api.merchant_and_key()
    await _wishes(api, merchant_id, {"security.alert": ["email", "webhook"]})
    body = {"url": "https://shop.example/h"}
    ends = [await api.call("POST", "/v1/webhook_endpoints", key, json=body) for _ in range(2)]
    await api.call("DELETE", f"/v1/webhook_endpoints/{ends[0].json()['id']}", key)
    made = await api.call(
        "POST", "/v1/api_keys", key, json={"name": "x", "scopes": ["invoices:read"]}
    )
    assert made.status_code == 201, made.text
    worker = Database(role_url(api.settings, "worker"), pool_size=2)
    await api.rows("SELECT link_audit(1000)")
    for _ in range(2):
        await announce_changes(worker, api.clock(), emit_alert)
    await worker.aclose()
    page = (await api.call("GET", "/v1/notifications", key)).json()
    subjects = sorted(row["subject"] for row in page["data"])
    assert subjects == [
        "A new API key was made",
        *["A webhook endpoint was added"] * 2,
        "A webhook endpoint was removed",
    ]
    assert all("key_" in row["body"] for row in page["data"])
    events = (await api.call("GET", "/v1/events?type=security.alert", key)).json()["data"]
    actions = {event["data"]["object"]["action"] for event in events}
    assert actions == {
        "api_key.created",
        "webhook_endpoint.created",
        "webhook_endpoint.deleted",
    }


async def test_only_a_sign_in_from_a_new_place_is_an_alert(api: TestApi) -> None:
    """The same person from the same address is no news; from another it is."""
    merchant_id, key = await api.merchant_and_key()
    await _wishes(api, merchant_id, {})
    worker = Database(role_url(api.settings, "worker"), pool_size=2)
    for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
        actor = Actor("usr_1", merchant_id, frozenset(), livemode=False, address=address)
        async with api.owner.unit_of_work(CROSS_TENANT) as session:
            await record(session, actor, api.clock(), action="session.created", subject="ses_1")
        await api.rows("SELECT link_audit(1000)")
        await announce_changes(worker, api.clock(), emit_alert)
    await worker.aclose()
    page = (await api.call("GET", "/v1/notifications", key)).json()
    assert [row["body"].split("From: ")[1].split("\n")[0] for row in page["data"]] == [
        "192.0.2.2",
        "192.0.2.1",
    ]


async def test_a_broken_address_stops_nobody(api: TestApi) -> None:
    """One merchant's unusable address is skipped; the cursor moves on for the others."""
    first, _ = await api.merchant_and_key()
    second, _ = await api.merchant_and_key()
    for merchant_id in (first, second):
        await _wishes(api, merchant_id, {})
    await api.rows(
        "UPDATE merchant SET email = E'a@b.example\\nBcc: x@y' WHERE id = :id RETURNING id",
        id=first,
    )
    await _happens(api, first, "invoice.invalid", {**INVOICE, "id": "inv_3"})
    await _happens(api, second, "invoice.invalid", {**INVOICE, "id": "inv_4"})
    worker = Database(role_url(api.settings, "worker"), pool_size=2)
    await announce_events(worker, api.clock())
    await worker.aclose()
    rows = await api.rows(
        "SELECT recipient FROM notification WHERE merchant_id IN (:first, :second)",
        first=first,
        second=second,
    )
    assert [row.recipient for row in rows] == ["boss@shop.example"]


async def test_what_opens_a_way_in_or_out_is_an_alert(api: TestApi) -> None:
    """Each change that helps whoever stole a key or a session is told, what only sells is not."""
    merchant_id, key = await api.merchant_and_key()
    await _wishes(api, merchant_id, {})
    actions = (
        "api_key.outlives_maker", "payout_rule.changed", "payout_rule.created",
        "settings.security_changed", "user.role_changed", "notification_target.deleted",
        "settings.changed", "user.changed", "invoice.created",
    )  # fmt: skip
    for action in actions:
        actor = Actor("usr_1", merchant_id, frozenset(), livemode=False)
        async with api.owner.unit_of_work(CROSS_TENANT) as session:
            await record(session, actor, api.clock(), action=action, subject="x_1")
    worker = Database(role_url(api.settings, "worker"), pool_size=2)
    await api.rows("SELECT link_audit(1000)")
    await announce_changes(worker, api.clock(), emit_alert)
    await worker.aclose()
    assert len(await _told(api, key)) == 6
