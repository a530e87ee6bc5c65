"""What every request leaves behind: an id, headers, one log line, two numbers."""

import pytest
import structlog

from tests.gateway.conftest import TestApi

pytestmark = pytest.mark.anyio
PRIVATE = "0000pr1vate000000000000000"


async def test_every_answer_has_an_id_and_a_version(api: TestApi) -> None:
    """Also what no route answered; the caller's own id is not taken over."""
    for path in ("/v1/health", "/nothing", "/v1/merchant"):
        answer = await api.call("GET", path, headers={"X-Request-Id": "mine"})
        assert answer.headers["x-request-id"].startswith("req_")
        assert answer.headers["gateway-version"] == "2026-11-20"
        assert answer.headers["cache-control"] == "no-store"


async def test_a_request_is_one_line_without_secrets(api: TestApi) -> None:
    """Route, status and time, and who it was; neither key nor query."""
    merchant_id, key = await api.merchant_and_key()
    with structlog.testing.capture_logs(
        processors=[structlog.contextvars.merge_contextvars]
    ) as logs:
        answer = await api.call("GET", f"/v1/api_keys?starting_after=key_{PRIVATE}", key)
        await api.call("GET", "/v1/merchants/mer_x")
    own, unknown = logs
    assert own["event"] == "request"
    assert (own["method"], own["route"], own["status"]) == ("GET", "/v1/api_keys", 200)
    assert own["request_id"] == answer.headers["x-request-id"]
    assert own["merchant"] == merchant_id
    assert own["ms"] > 0
    assert (unknown["route"], unknown["status"]) == ("/v1/merchants/{merchant_id}", 401)
    assert "merchant" not in unknown
    assert PRIVATE not in str(logs)
    assert key not in str(logs)


async def test_metrics_count_by_route_and_not_by_address(api: TestApi) -> None:
    """Ids and invented methods do not become new series."""
    operator = await api.key(None)
    for number in range(3):
        await api.call("GET", f"/v1/merchants/mer_{number}", operator)
        await api.call("GET", f"/nothing/{number}")
        await api.call(f"BREW{number}", "/v1/health")
    text = (await api.call("GET", "/metrics")).text
    counted = 'gateway_http_requests_total{method="%s",route="%s",status="%s"} 3.0'
    assert counted % ("GET", "/v1/merchants/{merchant_id}", 404) in text
    assert counted % ("GET", "unmatched", 404) in text
    assert counted % ("OTHER", "unmatched", 405) in text
    assert 'gateway_http_request_seconds_count{route="unmatched"} 6.0' in text
