"""The public door, live: every move of an invoice as it comes, few listeners, and the receipt."""

import asyncio
import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from sqlalchemy.pool import QueuePool

from devnet.system.waiting import until
from gateway.checkout.listeners import PER_INVOICE_MAX, Listeners
from gateway.checkout.live_controller import HEARTBEAT_SECONDS
from gateway.domain.errors import Unavailable
from tests.gateway.shop import PRICES, Shop

pytestmark = pytest.mark.anyio
BEFORE_A_HEARTBEAT = HEARTBEAT_SECONDS * 2 / 3


class Listener:
    """A browser that holds one stream open, spoken to in ASGI."""

    def __init__(self, shop: Shop, path: str) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.text = ""
        self.gone = asyncio.Event()
        self.ended = False
        self.task = asyncio.create_task(self._call(shop.api.asgi, path))

    def states(self) -> list[str]:
        """Return the states that came so far."""
        lines = [line for line in self.text.splitlines() if line.startswith("data: ")]
        return [json.loads(line[6:])["state"] for line in lines]

    async def heard(self, *states: str) -> None:
        """Wait until these states have come, in this order."""

        async def probe() -> bool | None:
            return self.states() == list(states) or None

        await until(probe, f"{states}", seconds_max=BEFORE_A_HEARTBEAT)

    async def leave(self) -> None:
        """Go away, as a closed window does."""
        self.gone.set()
        await self.task

    async def _call(self, app: Any, path: str) -> None:
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
            "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"",
            "root_path": "", "headers": [], "client": ("127.0.0.1", 1), "server": ("gateway", 80),
        }  # fmt: skip
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await self.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = {k.decode().lower(): v.decode() for k, v in message["headers"]}
            else:
                self.text += message.get("body", b"").decode()
                self.ended = not message.get("more_body", False)
            if self.ended:
                self.gone.set()

        await app(scope, receive, send)


async def test_every_move_is_told_until_it_is_final(shop: Shop) -> None:
    """The state at once, then each other one; no database connection is held in between."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, payment_methods=["USDT-TRON"])
    address = invoice["payment_options"][0]["address"]
    path = f"/i/{invoice['id']}/events"
    listeners = [Listener(shop, path) for _ in range(PER_INVOICE_MAX)]
    for each in listeners:
        await each.heard("waiting")

    async def idle() -> bool | None:
        return cast("QueuePool", shop.database.engine.pool).checkedout() == 0 or None

    await until(idle, "listeners to hold no connection", seconds_max=10)
    first = listeners[0]
    assert (first.status, first.headers["content-type"].split(";")[0]) == (
        200,
        "text/event-stream",
    )
    assert first.headers["access-control-allow-origin"] == "*"
    refused = await shop.call("GET", path)
    assert (refused.status_code, refused.json()["code"]) == (503, "too_many_listeners")
    await listeners.pop().leave()
    await shop.pay(address, "USDT-TRON", 49_900_000, tx="aa")
    await first.heard("waiting", "seen")
    await shop.pay(address, "USDT-TRON", 49_900_000, tx="aa", final=True)
    await first.heard("waiting", "seen", "paid")
    async with asyncio.timeout(20):
        await asyncio.gather(*(each.task for each in listeners))
    assert all(each.ended for each in listeners)
    assert (await shop.call("GET", path)).status_code == 200
    assert (await shop.call("GET", "/i/inv_nobody/events")).status_code == 404


async def test_a_process_has_so_many_listeners(shop: Shop) -> None:
    """Whoever leaves makes room; one that looks for all ends with the last of them."""
    listeners = Listeners(shop.database, listeners_max=2, look_seconds=0.01)
    with listeners.joined("inv_1"):
        with listeners.joined("inv_2"), pytest.raises(Unavailable):
            listeners.require_room("inv_3")
        listeners.require_room("inv_3")

    async def rests() -> bool | None:
        return listeners.looking is False or None

    await until(rests, "the looking to end")


async def test_a_move_before_the_first_look_is_not_missed(shop: Shop) -> None:
    """How far an invoice is at the first look may be further than what its listener has read."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key)
    listeners = Listeners(shop.database, look_seconds=0.01)
    with listeners.joined(invoice["id"]) as news:

        async def woken() -> bool | None:
            return news.is_set() or None

        await until(woken, "the first look", seconds_max=BEFORE_A_HEARTBEAT)


async def test_the_receipt_says_what_was_paid(shop: Shop) -> None:
    """Not before it is settled; with its tax, its payments, and nothing of the page's markup."""
    merchant_id, key = await shop.merchant_and_key()
    await shop.run(
        "INSERT INTO merchant_settings (merchant_id, tax_rate, tax_label, updated_at) "
        "VALUES (:merchant_id, 25, 'VAT', now())",
        merchant_id=merchant_id,
    )
    invoice = await shop.invoice(
        key, amount="50.00", payment_methods=["USDT-TRON"], description="<b>Bike</b>"
    )
    path = f"/i/{invoice['id']}/receipt"
    early = await shop.call("GET", path)
    assert (early.status_code, "no receipt yet" in early.text) == (409, True)
    assert path not in (await shop.call("GET", f"/i/{invoice['id']}")).text
    address = invoice["payment_options"][0]["address"]
    await shop.pay(address, "USDT-TRON", 50_000_000, tx="aabb", final=True)
    receipt = await shop.call("GET", path)
    assert receipt.status_code == 200
    for words in ("50.00 USD", "10.00 USD (VAT 25 %)", "&lt;b&gt;Bike", "aabb", invoice["id"]):
        assert words in receipt.text
    assert "default-src 'none'" in receipt.headers["content-security-policy"]
    assert path in (await shop.call("GET", f"/i/{invoice['id']}")).text
    assert (await shop.call("GET", "/i/inv_nobody/receipt")).status_code == 404


async def test_new_rates_and_the_end_of_the_time_are_told_at_once(shop: Shop) -> None:
    """Whoever has a page open is not shown a price that holds no more until the next heartbeat."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, payment_methods=["SOL-SOLANA"])
    listener = Listener(shop, f"/i/{invoice['id']}/events")
    await listener.heard("waiting")
    await shop.prices({**PRICES, "SOL": Decimal(100)})
    refreshed = await shop.call("POST", f"/v1/invoices/{invoice['id']}/refresh_rate", key)
    assert refreshed.status_code == 200, refreshed.text
    await listener.heard("waiting", "waiting")
    await listener.leave()
    ends = datetime.fromisoformat(refreshed.json()["expires_at"])
    shop.clock.at = ends - timedelta(seconds=1)
    listener = Listener(shop, f"/i/{invoice['id']}/events")
    await listener.heard("waiting")
    shop.clock.at = ends
    await listener.heard("waiting", "expired")
    await listener.leave()
