"""HEAD is answered wherever GET is, without the body, and OPTIONS says so (RFC 9110, 9.3)."""

import httpx
import pytest
import structlog

from tests.gateway.accounts.test_signed_requests import Signer, code
from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio

PER_ANSWER = {"x-request-id", "ratelimit"}


def lasting(answer: httpx.Response) -> dict[str, str]:
    """Return the headers that two answers of one kind have in common."""
    return {name: value for name, value in answer.headers.items() if name not in PER_ANSWER}


async def test_head_is_get_without_its_body(shop: Shop) -> None:
    """The same status and headers, the body's length among them: pages, state, API, refusals."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key)
    page = f"/i/{invoice['id']}"
    for path, status in (
        (page, 200), (f"{page}/status", 200), (f"{page}/receipt", 409), ("/i/inv_none", 404),
        ("/i/checkout.css", 200), ("/metrics", 200), ("/v1/health", 200),
        ("/v1/invoices", 200), (f"/v1/invoices/{invoice['id']}", 200), ("/v1/invoices?x=1", 422),
        ("/schema/openapi.json", 200), ("/v1/nothing", 404), ("/v1/withdrawals/batch", 405),
    ):  # fmt: skip
        got = await shop.call("GET", path, key)
        head = await shop.call("HEAD", path, key)
        assert (head.status_code, head.content) == (status, b""), path
        assert got.status_code == status
        if path != "/metrics":  # it counts the requests between the two
            assert lasting(head) == lasting(got), path
    stranger = await shop.call("HEAD", "/v1/invoices")
    assert (stranger.status_code, stranger.content) == (401, b"")


async def test_head_of_a_stream_ends_at_once(shop: Shop) -> None:
    """Neither the events of an open invoice nor a whole export are sent to nobody."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key)
    events = await shop.call("HEAD", f"/i/{invoice['id']}/events")
    assert (events.status_code, events.content) == (200, b"")
    assert events.headers["content-type"].startswith("text/event-stream")
    export = await shop.call("HEAD", "/v1/invoices/export", key)
    assert (export.status_code, export.content) == (200, b"")


async def test_options_and_405_name_every_method(shop: Shop) -> None:
    """Also where several parts of the program share a path."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key)
    for path, methods in (
        ("/v1/invoices", "GET, HEAD, OPTIONS, POST"),
        (f"/v1/invoices/{invoice['id']}", "GET, HEAD, OPTIONS, PATCH"),
        (f"/i/{invoice['id']}", "GET, HEAD, OPTIONS"),
        (f"/i/{invoice['id']}/choose", "OPTIONS, POST"),
        ("/v1/withdrawals/batch", "OPTIONS, POST"),
    ):
        options = await shop.call("OPTIONS", path)
        assert (options.status_code, options.headers["allow"]) == (204, methods), path
        refused = await shop.call("PUT", path, key)
        assert (refused.status_code, refused.headers["allow"]) == (405, methods), path
    refused = await shop.call("HEAD", f"/i/{invoice['id']}/choose")
    assert (refused.status_code, refused.content) == (405, b"")


async def test_a_line_and_the_numbers_say_what_was_asked(shop: Shop) -> None:
    """HEAD, not GET; and a status is a number, also of a page."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key)
    with structlog.testing.capture_logs() as logs:
        await shop.call("HEAD", f"/i/{invoice['id']}")
        await shop.call("GET", f"/i/{invoice['id']}/receipt")
    lines = [(each["method"], each["route"], str(each["status"])) for each in logs]
    assert lines == [
        ("HEAD", "/i/{invoice_id}", "200"),
        ("GET", "/i/{invoice_id}/receipt", "409"),
    ]
    assert [type(each["status"]) for each in logs] == [int, int]
    text = (await shop.call("GET", "/metrics")).text
    assert 'method="HEAD",route="/i/{invoice_id}",status="200"} 1.0' in text


async def test_a_signed_head_is_signed_as_head(shop: Shop) -> None:
    """The signature covers the method that was sent, not the one that answers."""
    merchant = await Signer.opened(shop)
    path = "/v1/api_keys"
    head = await merchant.send("HEAD", path, merchant.headers("HEAD", path))
    assert (head.status_code, head.content) == (200, b"")
    other = await merchant.send("GET", path, merchant.headers("HEAD", path))
    assert code(other) == (401, "signature_invalid")
