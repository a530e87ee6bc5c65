"""Settings: read, changed by sections, and what each is for."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from gateway.http.reading import BODY_BYTES_MAX
from tests.gateway.conftest import TestApi

pytestmark = pytest.mark.anyio

CHANGES: dict[str, Any] = {
    "notifications": {"invoice.settled": ["email", "chat"], "withdrawal.failed": []},
    "invoices": {
        "expiry_minutes": 15,
        "monitoring_days": 30,
        "payment_tolerance_percent": "1.25",
        "confirmation_policy": [{"below": "100.00", "currency": "USD", "confirmations": 1}],
        "payment_methods": ["ETH-ETHEREUM"],
        "success_url": "https://shop.example/thanks",
        "cancel_url": None,
    },
    "branding": {
        "display_name": "Café",
        "primary_color": "#0f766e",
        "logo_url": "https://shop.example/logo.png",
        "tron_qr": "uri_amount",
    },
    "security": {"allowed_ips": ["127.0.0.0/8"], "require_signature": False},
    "tax": {"rate_percent": "7.7125", "label": "VAT", "inclusive": False},
    "metadata": {"segment": "cafés"},
}


def refusal(answer: Any) -> tuple[int, str, str]:
    """Return status, pointer and code of a refused field."""
    fault = answer.json()["errors"][0]
    return answer.status_code, fault["pointer"], fault["code"]


async def test_settings_are_the_houses_until_they_are_changed(api: TestApi) -> None:
    """Each section by itself; what is left out stays; one home for what the profile has too."""
    merchant_id, key = await api.merchant_and_key()
    other_id, other = await api.merchant_and_key()
    before = (await api.call("GET", "/v1/settings", key)).json()
    assert before["updated_at"] is None
    assert before["notifications"]["withdrawal.failed"] == ["email"]
    assert before["invoices"]["expiry_minutes"] == 60
    assert before["branding"]["tron_qr"] == "address"
    changed = (await api.call("PATCH", "/v1/settings", key, json=CHANGES)).json()
    for section, fields in CHANGES.items():
        assert {name: changed[section][name] for name in fields} == fields, section
    assert changed["notifications"]["security.alert"] == ["email"]
    assert (await api.call("GET", "/v1/settings", key)).json() == changed
    profile = (await api.call("GET", "/v1/merchant", key)).json()
    assert (profile["invoice_expiry_minutes"], profile["monitoring_days"]) == (15, 30)
    cleared = {
        "tax": None, "branding": {"logo_url": None}, "invoices": {"confirmation_policy": None},
    }  # fmt: skip
    less = (await api.call("PATCH", "/v1/settings", key, json=cleared)).json()
    assert (less["tax"], less["branding"]["logo_url"]) == (None, None)
    assert less["branding"]["display_name"] == "Café"
    assert less["invoices"]["confirmation_policy"] is None
    again = (await api.call("PATCH", "/v1/settings", key, json=cleared)).json()
    assert again == less
    assert (await api.call("GET", "/v1/settings", other)).json() == {
        **before,
        "merchant_id": other_id,
    }
    rows = await api.rows(
        "SELECT * FROM audit_log WHERE action LIKE 'settings.%changed' ORDER BY id"
    )
    assert [row.merchant_id for row in rows] == [merchant_id] * 2
    assert rows[0].after["tax_rate"] == "7.7125"
    assert rows[1].before["tax_label"] == "VAT"
    assert rows[1].after["confirmation_policy"] is None
    async with api.database.unit_of_work(other_id) as session:
        found = await session.execute(text("SELECT merchant_id FROM merchant_settings"))
        assert found.all() == []
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with api.database.unit_of_work(other_id) as session:
            await session.execute(
                text(
                    "INSERT INTO merchant_settings (merchant_id, updated_at)"
                    " VALUES (:id, now()) ON CONFLICT (merchant_id) DO UPDATE SET tax_inclusive = false"
                ),
                {"id": merchant_id},
            )


async def test_what_settings_refuse(api: TestApi) -> None:
    """Every fault names its field, and nothing of the request is kept."""
    _, key = await api.merchant_and_key()
    policy = [{"below": "1e3", "currency": "USD", "confirmations": 1}]
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"notifications": {"x/y": []}}, "/notifications/x~1y", "unknown_kind"),
        ({"notifications": {"invoice.settled": ["pager"]}}, "/notifications", "invalid"),
        ({"invoices": {"payment_methods": ["BTC-BITCOIN"]}},
         "/invoices/payment_methods/0", "unknown_payment_method"),
        ({"invoices": {"confirmation_policy": policy}},
         "/invoices/confirmation_policy/0/below", "invalid_amount"),
        ({"invoices": {"payment_tolerance_percent": "10.5"}},
         "/payment_tolerance_percent", "invalid"),
        ({"branding": {"logo_url": "http://shop.example/a.png"}}, "/branding/logo_url", "invalid"),
        ({"branding": {"logo_url": "https://shop.example/a.png; script-src *"}},
         "/branding/logo_url", "invalid"),
        ({"branding": {"primary_color": "red"}}, "/branding/primary_color", "invalid"),
        ({"security": {"allowed_ips": ["x"]}}, "/security/allowed_ips/0", "invalid_network"),
        ({"security": {"allowed_ips": ["10.0.0.0/8"]}},
         "/security/allowed_ips", "would_lock_you_out"),
        ({"tax": {"rate_percent": "100", "label": "x"}}, "/tax/rate_percent", "invalid"),
        ({"tax": {"rate_percent": "1.00001", "label": "x"}}, "/tax/rate_percent", "invalid"),
    ]  # fmt: skip
    for body, pointer, code in cases:
        answer = await api.call(
            "PATCH", "/v1/settings", key, json={"metadata": {"a": "b"}, **body}
        )
        status, where, what = refusal(answer)
        assert (status, what) == (422, code), body
        assert where.startswith(pointer), body
    assert (await api.call("GET", "/v1/settings", key)).json()["metadata"] == {}


async def test_the_merchants_own_addresses_hold_for_every_key(api: TestApi) -> None:
    """An operator lets a merchant out again that has moved; another merchant notices nothing."""
    merchant_id, key = await api.merchant_and_key()
    second = await api.key(merchant_id)
    _, other = await api.merchant_and_key()
    operator = await api.key(None)
    path = f"/v1/merchants/{merchant_id}/settings"
    closed = {"security": {"allowed_ips": ["10.0.0.0/8"]}}
    shut = await api.call("PATCH", path, operator, json=closed)
    assert shut.json()["security"]["allowed_ips"] == ["10.0.0.0/8"]
    for each in (key, second):
        answer = await api.call("GET", "/v1/merchant", each)
        assert (answer.status_code, answer.json()["code"]) == (403, "ip_not_allowed")
    assert (await api.call("GET", "/v1/merchant", other)).status_code == 200
    assert (await api.call("GET", path, operator)).json() == shut.json()
    opened: dict[str, Any] = {"security": {"allowed_ips": []}}
    assert (await api.call("PATCH", path, operator, json=opened)).status_code == 200
    assert (await api.call("GET", "/v1/merchant", key)).status_code == 200
    rows = await api.rows("SELECT * FROM audit_log WHERE action = 'settings.security_changed'")
    assert [row.merchant_id for row in rows] == [merchant_id] * 2
    for foreign in ("mer_nobody",):
        answer = await api.call("GET", f"/v1/merchants/{foreign}/settings", operator)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_alerts_are_not_led_away_in_silence(api: TestApi) -> None:
    """Whoever turns them off, or gives another mailbox, is told of at the mailbox of before."""
    merchant_id, key = await api.merchant_and_key()
    query = (
        "SELECT recipient FROM notification WHERE merchant_id = :id"
        " AND subject LIKE '%alerts%' ORDER BY id"
    )

    async def told() -> list[str]:
        return [row.recipient for row in await api.rows(query, id=merchant_id)]

    async def changed(path: str, body: dict[str, Any]) -> None:
        answer = await api.call("PATCH", path, key, json=body)
        assert answer.status_code == 200, answer.text

    await changed("/v1/merchant", {"email": "ann@shop.example"})
    await changed("/v1/settings", {"notifications": {"withdrawal.failed": []}})
    assert await told() == []
    await changed("/v1/settings", {"notifications": {"security.alert": []}})
    await changed("/v1/settings", {"notifications": {"security.alert": []}})
    assert await told() == ["ann@shop.example"]
    await changed("/v1/merchant", {"email": "eve@evil.example", "name": "Shop"})
    await changed("/v1/merchant", {"name": "Shops"})
    assert await told() == ["ann@shop.example"] * 2


async def test_metadata_that_the_database_would_refuse_is_refused_by_name(api: TestApi) -> None:
    """It spells the same with spaces between: a body that just fits does not fit there."""
    _, key = await api.merchant_and_key()
    metadata = {f"k{number:02}": "\x01" * 215 for number in range(50)}
    room = BODY_BYTES_MAX - len(msgspec.json.encode({"metadata": metadata}))
    for place in range(room):
        metadata[f"k{place % 50:02}"] += "a"
    answer = await api.call(
        "PATCH",
        "/v1/settings",
        key,
        content=msgspec.json.encode({"metadata": metadata}),
        headers={"Content-Type": "application/json"},
    )
    assert refusal(answer) == (422, "/metadata", "too_large")
    line = "\x01" * 200
    address = dict.fromkeys(("line1", "line2", "city", "region", "postal_code"), line)
    answer = await api.call("PATCH", "/v1/merchant", key, json={"address": address})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
