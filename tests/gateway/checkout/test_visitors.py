"""Whoever looks at payers' pages again and again waits, and nobody else does."""

from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest

from gateway.checkout.visitors import Visitors
from gateway.domain.errors import TooMany
from gateway.domain.places import place_of
from tests.gateway.shop import Shop

AT = datetime(2026, 11, 20, 14, 0, 20, tzinfo=UTC)


def looks(visitors: Visitors, *addresses: str | None, at: datetime = AT) -> list[int]:
    """Return for each visit how long to wait, 0 where it is let in."""
    waits = []
    for address in addresses:
        try:
            visitors.admit(address, at)
            waits.append(0)
        except TooMany as refusal:
            waits.append(refusal.retry_after_seconds)
    return waits


def test_an_address_has_so_many_visits_a_minute() -> None:
    """By itself, an IPv6 line as a whole, until the minute is over; 0 is no limit."""
    visitors = Visitors(2)
    assert looks(visitors, *["8.8.8.8"] * 3, "::ffff:8.8.8.8") == [0, 0, 40, 40]
    assert looks(visitors, "8.8.4.4") == [0]
    line = ["2a00:1:2:3::1", "2a00:1:2:3::2", "2a00:1:2:3:ffff::3", "2a00:1:2:4::1"]
    assert looks(visitors, *line) == [0, 0, 40, 0]
    assert looks(visitors, "8.8.8.8", at=AT + timedelta(seconds=40)) == [0]
    assert looks(Visitors(0), *["8.8.8.8"] * 3) == [0, 0, 0]


def test_a_proxy_that_nobody_named_is_not_taken_for_one_visitor() -> None:
    """All payers are behind it: a limit would keep them from paying."""
    inside = ["127.0.0.1", "10.0.0.1", "fd00::1", "::1", None, "unknown"]
    assert looks(Visitors(1), *inside * 2) == [0] * 12
    assert place_of("unknown") == place_of(None) == "nowhere"


@pytest.mark.anyio
async def test_too_many_visits_are_told_with_a_time_to_come_again(shop: Shop) -> None:
    """As a page to people, as a problem to programs, before the database is asked."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key)
    few = msgspec.structs.replace(shop.settings.api, visits_per_minute=2)
    async with shop.beside(msgspec.structs.replace(shop.settings, api=few)) as limited:
        outside = httpx.ASGITransport(limited.api.asgi, client=("8.8.8.8", 1))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=outside, base_url="http://gateway") as payer:
            for path in ("", "/status"):
                assert (await payer.get(f"/i/{invoice['id']}{path}")).status_code == 200
            page = await payer.get(f"/i/{invoice['id']}")
            assert (page.status_code, "wait a little" in page.text) == (429, True)
            status = await payer.get("/i/inv_nobody/status")
            assert (status.status_code, status.json()["code"]) == (429, "rate_limited")
            events = await payer.get(f"/i/{invoice['id']}/events")
            assert (events.status_code, events.json()["code"]) == (429, "rate_limited")
            for answer in (page, status, events):
                assert 0 < int(answer.headers["retry-after"]) <= 60
            # Another site's page reads no header that is not named for it.
            for answer in (status, events):
                assert answer.headers["access-control-allow-origin"] == "*"
                assert answer.headers["access-control-expose-headers"] == "Retry-After"
            assert "access-control-allow-origin" not in page.headers
        assert (await limited.call("GET", f"/i/{invoice['id']}")).status_code == 200
