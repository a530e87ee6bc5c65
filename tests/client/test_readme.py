"""What the client's README tells people to paste works against the real application."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from anyio import to_thread
from standardwebhooks import Webhook

from tests.client.conftest import Served

pytestmark = pytest.mark.anyio

README = Path(__file__).parents[2] / "clients" / "python" / "README.md"
ETHER = 10**18


def examples() -> dict[str, Any]:
    """Return the functions of the README's Python blocks."""
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL):
        exec(compile(code, str(README), "exec"), names)  # noqa: S102 - our own page
    return names


async def test_an_order_is_sold_paid_and_told(served: Served) -> None:
    """The payer's transfer settles the invoice that the example made, and its webhook is read."""
    page, shop = examples(), served.shop
    told = await to_thread.run_sync(page["sell"], served.url, served.key, "1234")
    again = await to_thread.run_sync(page["sell"], served.url, served.key, "1234")
    assert told == again
    checkout_url, address = told.split()
    assert checkout_url.startswith(shop.settings.api.public_url)
    assert not await to_thread.run_sync(page["paid"], served.url, served.key, "1234")
    await shop.pay(address, "ETH-ETHEREUM", ETHER, final=True)
    assert await to_thread.run_sync(page["paid"], served.url, served.key, "1234")
    events = await shop.call("GET", "/v1/events?type=invoice.settled", served.key)
    [event] = events.json()["data"]
    assert _delivered(page["receive"], event) == (204, event["subject"])


def _delivered(receive: Any, event: dict[str, Any]) -> Any:
    secret = "whsec_" + "c2VjcmV0IG9mIHRoZSBlbmRwb2ludCBvZiBhIHRlc3Q="
    body, webhook = msgspec.json.encode(event), Webhook(secret)
    at = datetime.now(UTC)
    signature = webhook.sign(event["id"], at, body.decode())
    headers = {
        "Webhook-Id": event["id"],
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": signature,
    }
    assert receive(secret, headers, body + b" ") == (401, None)
    return receive(secret, headers, body)


async def test_what_is_refused_names_its_fields(served: Served) -> None:
    """A problem of the gateway is an exception with pointers."""
    refused = examples()["refused"]
    assert await to_thread.run_sync(refused, served.url, served.key) == ["/amount"]
