"""Our signatures before the reference library."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.webhooks.documents import EventDocument
from gateway.webhooks.secrets import EndpointSecrets
from gateway.webhooks.signing import body_of, headers, key_of

BODY = '{"name":"Zoë · 支付"}'.encode()


def signed(*secrets: str, at: datetime | None = None) -> dict[str, str]:
    """Sign the body with these secrets."""
    keys = [key_of(secret) for secret in secrets]
    return headers(keys, "evt_1", at or datetime.now(UTC), BODY)


def secret(version: int = 1, endpoint: str = "whe_1") -> str:
    """Return an endpoint's secret."""
    return EndpointSecrets("master").of(endpoint, version)


def test_the_reference_library_accepts_it() -> None:
    """Also with a body that is not ASCII."""
    Webhook(secret()).verify(BODY, signed(secret()))


def test_both_secrets_verify_after_a_rotation() -> None:
    """The newest comes first."""
    both = signed(secret(2), secret(1))
    assert len(both["webhook-signature"].split(" ")) == 2
    Webhook(secret(1)).verify(BODY, both)
    Webhook(secret(2)).verify(BODY, both)


@pytest.mark.parametrize("change", ["id", "body", "timestamp", "secret"])
def test_any_change_is_refused(change: str) -> None:
    """Id, time and body are all signed."""
    these, body, known = signed(secret()), BODY, secret()
    if change == "id":
        these["webhook-id"] = "evt_2"
    if change == "timestamp":
        these["webhook-timestamp"] = str(int(these["webhook-timestamp"]) + 1)
    if change == "body":
        body += b" "
    if change == "secret":
        known = secret(endpoint="whe_2")
    with pytest.raises(WebhookVerificationError):
        Webhook(known).verify(body, these)


def test_an_old_request_is_refused() -> None:
    """The timestamp is the attempt's, so a recorded request is worthless after five minutes."""
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(secret()).verify(
            BODY, signed(secret(), at=datetime.now(UTC) - timedelta(seconds=301))
        )


def test_secrets_differ_by_endpoint_and_version() -> None:
    """Each is 32 bytes, in the form that every library takes."""
    made = [secret(1), secret(2), secret(1, "whe_2"), EndpointSecrets("other").of("whe_1", 1)]
    assert len(set(made)) == 4
    assert {len(base64.b64decode(each.removeprefix("whsec_"))) for each in made} == {32}
    assert all(each.startswith("whsec_") for each in made)


def test_the_body_is_the_same_bytes_every_time() -> None:
    """Compact UTF-8 JSON with RFC 3339 time, in the order of the event feed."""
    document = EventDocument(
        id="evt_1", object="event", type="invoice.settled",
        timestamp=datetime(2026, 11, 20, 14, tzinfo=UTC), api_version="2026-11-20",
        livemode=True, merchant_id="mer_1", subject="inv_1", sequence=7,
        data={},
    )  # fmt: skip
    data = '{"object": {"name": "é: , {", "empty": null, "control": "\\u001f", "big": 18446744073709551616}}'
    assert body_of(document, data).decode() == (
        '{"id":"evt_1","object":"event","type":"invoice.settled",'
        '"timestamp":"2026-11-20T14:00:00Z","api_version":"2026-11-20","livemode":true,'
        '"merchant_id":"mer_1","subject":"inv_1","sequence":7,'
        '"data":{"object":{"name":"é: , {","empty":null,"control":"\\u001f","big":18446744073709551616}}}'
    )
