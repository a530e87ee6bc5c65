"""A merchant's webhook endpoints: made, changed, tried, removed."""

import asyncio
import base64
import re
from pathlib import Path

import msgspec
import pytest

from gateway.webhooks.catalogue import EVENT_TYPES
from gateway.webhooks.outbox import DELIVERIES_CHANNEL
from gateway.webhooks.secrets import EndpointSecrets
from tests.gateway.shop import Shop
from tests.gateway.worker.world import PATIENCE_SECONDS

pytestmark = pytest.mark.anyio

URL = "https://shop.example/hooks?a=1"


async def test_the_secret_is_shown_once(shop: Shop) -> None:
    """In the answer to the creation, in the form that every library takes, and never again."""
    _, key = await shop.merchant_and_key()
    answer = await shop.call("POST", "/v1/webhook_endpoints", key, json={"url": URL})
    made = answer.json()
    assert (answer.status_code, made["url"], made["events"]) == (201, URL, ["*"])
    secret = made.pop("secret")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    master = shop.settings.secret("webhooks.master_secret_file")
    assert EndpointSecrets(master).of(made["id"], 1) == secret
    assert (await shop.call("GET", f"/v1/webhook_endpoints/{made['id']}", key)).json() == made
    listed = (await shop.call("GET", "/v1/webhook_endpoints", key)).json()
    assert listed["data"] == [made]
    traces = await shop.rows("SELECT after::text AS said FROM audit_log")
    assert all(secret not in (row.said or "") for row in traces)


async def test_the_secret_is_not_kept_in_clear_for_a_replay(shop: Shop) -> None:
    """The same request gets the same answer, out of a sealed row."""
    _, key = await shop.merchant_and_key()
    answers = [
        await shop.call(
            "POST",
            "/v1/webhook_endpoints",
            key,
            json={"url": URL},
            headers={"Idempotency-Key": "1"},
        )
        for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    [row] = await shop.rows("SELECT response_body FROM idempotency_key")
    assert answers[0].json()["secret"] not in row.response_body


FORBIDDEN_URLS = [
    "http://shop.example/", "ftp://shop.example/", "https://", "shop.example", "",
    "https://user:pw@shop.example/", "https://127.0.0.1/", "https://[::1]/",
    "https://2130706433/", "https://10.0.0.1/", "https://169.254.169.254/latest/",
    "https://shop.example:22/", "https://shop.example:99999/", "https://shop example/",
    "https://shop.example/\r\nX: 1", "javascript:alert(1)",
]  # fmt: skip


async def test_a_secret_is_rotated_without_a_word(shop: Shop) -> None:
    """The overlap is a day where nobody says otherwise: no body is needed to say nothing."""
    _, key = await shop.merchant_and_key()
    made = (await shop.call("POST", "/v1/webhook_endpoints", key, json={"url": URL})).json()
    path = f"/v1/webhook_endpoints/{made['id']}/rotate_secret"
    answer = await shop.call("POST", path, key)
    assert answer.status_code == 200, answer.text
    assert answer.json()["secret"] != made["secret"]
    key_id = (await shop.call("GET", "/v1/api_keys", key)).json()["data"][0]["id"]
    rolled = await shop.call("POST", f"/v1/api_keys/{key_id}/roll", key)
    assert rolled.status_code == 201, rolled.text
    assert (await shop.call("GET", "/v1/merchant", key)).status_code == 200


async def test_where_events_must_not_go(shop: Shop) -> None:
    """Said when it is registered, not when the first event is lost."""
    _, key = await shop.merchant_and_key()
    for url in FORBIDDEN_URLS:
        answer = await shop.call("POST", "/v1/webhook_endpoints", key, json={"url": url})
        assert answer.status_code == 422, url
        assert answer.json()["errors"][0]["pointer"] == "/url"
    assert await shop.rows("SELECT 1 FROM webhook_endpoint") == []


async def test_events_are_names_of_the_catalogue(shop: Shop) -> None:
    """Sorted and once; `*` swallows the rest."""
    _, key = await shop.merchant_and_key()

    async def events_of(*names: str) -> tuple[int, list[str]]:
        body = {"url": URL, "events": list(names)}
        answer = await shop.call("POST", "/v1/webhook_endpoints", key, json=body)
        return answer.status_code, answer.json().get("events") or answer.json()["errors"]

    assert await events_of("ping", "invoice.settled", "ping") == (
        201,
        ["invoice.settled", "ping"],
    )
    assert await events_of("invoice.settled", "*") == (201, ["*"])
    status, [first] = await events_of("ping", "invoice.payed")
    assert (status, first["pointer"]) == (422, "/events/1")  # type: ignore[index]
    assert (await events_of())[0] == 422


async def test_changes_are_checked_and_on_record(shop: Shop) -> None:
    """The secret stays; a new URL or enabling forgives what had failed, and the senders are told."""
    _, key = await shop.merchant_and_key()
    made = (await shop.call("POST", "/v1/webhook_endpoints", key, json={"url": URL})).json()
    path = f"/v1/webhook_endpoints/{made['id']}"
    body = {"status": "enabled", "events": ["ping"], "url": "https://shop.example/new"}
    forgiving = [body, {"url": body["url"]}, {"status": "enabled"}]
    async with shop.owner.listening(DELIVERIES_CHANNEL) as ears:
        for each in forgiving:
            await shop.run(
                "UPDATE webhook_endpoint SET status = 'disabled', exhausted_in_a_row = 10,"
                " failing_since = now()"
            )
            assert "failing_since" in (await shop.call("GET", path, key)).json()
            changed = (await shop.call("PATCH", path, key, json=each)).json()
            assert "failing_since" not in changed
            [row] = await shop.rows("SELECT exhausted_in_a_row FROM webhook_endpoint")
            assert row.exhausted_in_a_row == 0
        await shop.call("PATCH", path, key, json={"events": ["ping"]})
        await shop.rows(f"SELECT pg_notify('{DELIVERIES_CHANNEL}', 'end')")
        told = []
        async for each in ears.notifies(timeout=PATIENCE_SECONDS):
            told.append(each.payload)
            if each.payload == "end":
                break
    assert told == [*[made["id"]] * len(forgiving), "end"]
    assert {name: changed[name] for name in body} == body
    assert "secret" not in changed
    [noted, *_] = await shop.rows(
        "SELECT before FROM audit_log WHERE action = 'webhook_endpoint.changed' ORDER BY id"
    )
    assert noted.before["url"] == URL
    for bad in ({"url": "http://x.example"}, {"events": ["x"]}, {"status": "on"}, {"id": "1"}):
        assert (await shop.call("PATCH", path, key, json=bad)).status_code == 422


async def test_a_removed_endpoint_is_gone(shop: Shop) -> None:
    """It hears nothing more, and its place is free."""
    _, key = await shop.merchant_and_key()
    made = (await shop.call("POST", "/v1/webhook_endpoints", key, json={"url": URL})).json()
    path = f"/v1/webhook_endpoints/{made['id']}"
    assert (await shop.call("DELETE", path, key)).status_code == 204
    for method in ("GET", "DELETE"):
        assert (await shop.call(method, path, key)).status_code == 404
    assert (await shop.call("POST", f"{path}/test", key)).status_code == 404
    await shop.invoice(key)
    assert await shop.rows("SELECT 1 FROM webhook_delivery") == []


async def test_twenty_endpoints_are_enough(shop: Shop) -> None:
    """Also when several come at once for the last place."""
    _, key = await shop.merchant_and_key()
    body = {"url": URL}
    for _ in range(19):
        assert (await shop.call("POST", "/v1/webhook_endpoints", key, json=body)).is_success
    last = await asyncio.gather(
        *(shop.call("POST", "/v1/webhook_endpoints", key, json=body) for _ in range(6))
    )
    assert sorted(answer.status_code for answer in last) == [201, *[409] * 5]


async def test_a_test_goes_to_this_endpoint_alone(shop: Shop) -> None:
    """Whatever it subscribed to; a disabled one has to be enabled first."""
    _, key = await shop.merchant_and_key()
    body = {"url": URL, "events": ["invoice.settled"]}
    one, _ = [
        (await shop.call("POST", "/v1/webhook_endpoints", key, json=each)).json()
        for each in (body, {"url": URL})
    ]
    path = f"/v1/webhook_endpoints/{one['id']}"
    event = (await shop.call("POST", f"{path}/test", key)).json()
    assert (event["type"], event["subject"], event["sequence"]) == ("ping", one["id"], 1)
    assert (await shop.call("POST", f"{path}/test", key)).json()["sequence"] == 2
    rows = await shop.rows("SELECT endpoint_id, event_id FROM webhook_delivery ORDER BY id")
    assert {row.endpoint_id for row in rows} == {one["id"]}
    await shop.call("PATCH", path, key, json={"status": "disabled"})
    refused = await shop.call("POST", f"{path}/test", key)
    assert (refused.status_code, refused.json()["code"]) == (409, "endpoint_disabled")


async def test_another_merchants_endpoint_does_not_exist(shop: Shop) -> None:
    """404 on every route; nothing in its lists; scopes are asked for."""
    merchant, key = await shop.merchant_and_key()
    made = (await shop.call("POST", "/v1/webhook_endpoints", key, json={"url": URL})).json()
    _, other = await shop.merchant_and_key()
    path = f"/v1/webhook_endpoints/{made['id']}"
    answers = [
        await shop.call("GET", path, other),
        await shop.call("PATCH", path, other, json={"url": "https://thief.example/"}),
        await shop.call("DELETE", path, other),
        await shop.call("POST", f"{path}/test", other),
    ]
    assert [answer.status_code for answer in answers] == [404] * 4
    assert (await shop.call("GET", "/v1/webhook_endpoints", other)).json()["data"] == []
    reader = await shop.key(merchant, ["webhooks:read"])
    assert (await shop.call("DELETE", path, reader)).status_code == 403
    assert (await shop.call("GET", path, reader)).status_code == 200


async def test_on_a_lan_http_is_fine(shop: Shop) -> None:
    """Where the operator says so: shop and gateway on one machine, and the demo."""
    _, key = await shop.merchant_and_key()
    lan = msgspec.structs.replace(shop.settings.webhooks, allow_private=True)
    async with shop.beside(msgspec.structs.replace(shop.settings, webhooks=lan)) as open_shop:
        body = {"url": "http://127.0.0.1:9000/hook"}
        answer = await open_shop.call("POST", "/v1/webhook_endpoints", key, json=body)
    assert answer.status_code == 201


def test_the_catalogue_is_dotted_names() -> None:
    """`subject.what_happened`, but for the ping."""
    assert all(name == "ping" or name.count(".") == 1 for name in EVENT_TYPES)


def test_the_guide_lists_every_event_and_no_other() -> None:
    """A merchant chooses by it."""
    guide = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text()
    table = guide.partition("\n## Events\n")[2].partition("\n## ")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    assert sorted(re.findall(r"`([^`]+)`", "".join(rows))) == sorted(EVENT_TYPES)
