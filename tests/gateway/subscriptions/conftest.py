"""The stage of this room's tests: a shop with a customer, and the worker's role."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.db import Database
from gateway.invoices.expiry import expire_round
from gateway.subscriptions.billing import bill_round
from tests.conftest import FreshDatabase
from tests.gateway.customers.conftest import customer
from tests.gateway.shop import NETWORKS, PRICES, Shop, shop

__all__ = ["shop"]


@dataclass
class Club:
    """A merchant with a customer, and a worker that is told when to look."""

    shop: Shop
    worker: Database
    merchant: str
    key: str
    member: str

    async def post(self, path: str, status: int = 201, **body: Any) -> dict[str, Any]:
        """Post and return the document; `status` is what must come."""
        answer = await self.shop.call("POST", f"/v1{path}", self.key, json=body)
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    async def get(self, path: str) -> Any:
        """Return a document."""
        return (await self.shop.call("GET", f"/v1{path}", self.key)).json()

    async def package(self, **fields: Any) -> str:
        """Write a package down: 25 USD a month in ETH."""
        body = {"name": "Gold", "price": "25.00", "currency": "USD", "period": "month"}
        usual = {"payment_methods": ["ETH-ETHEREUM"]}
        return str((await self.post("/packages", **{**body, **usual, **fields}))["id"])

    async def subscribe(self, package: str, **fields: Any) -> str:
        """Make the customer a member and return the subscription."""
        body = {"customer_id": self.member, "package_id": package, **fields}
        return str((await self.post("/subscriptions", **body))["id"])

    async def bill(self, prices: dict[str, Decimal] | None = None, /, **later: int) -> None:
        """Let time pass, with fresh prices and watchers, and let the worker look."""
        self.shop.clock.at += timedelta(**later)
        await self.shop.prices(prices or PRICES)
        for name in NETWORKS:
            await self.shop.healthy(name)
        await expire_round(self.worker, self.shop.settings, self.shop.clock())
        await bill_round(self.worker, self.shop.settings, self.shop.clock())

    async def pay(self, subscription: str) -> None:
        """Pay the open period's invoice on the chain, for good."""
        [period] = [
            each for each in await self.periods(subscription) if each["status"] == "open"
        ]
        invoice = await self.get(f"/invoices/{period['invoice_id']}")
        [option] = invoice["payment_options"]
        await self.shop.pay(
            option["address"],
            "ETH-ETHEREUM",
            int(option["amount_atomic"]),
            tx=f"0x{period['invoice_id']}",
            final=True,
        )

    async def periods(self, subscription: str) -> list[dict[str, Any]]:
        """Return the billed periods, newest first."""
        return list((await self.get(f"/subscriptions/{subscription}/periods"))["data"])

    async def standing(self, subscription: str) -> tuple[str, str]:
        """Return status and membership."""
        found = await self.get(f"/subscriptions/{subscription}")
        return found["status"], found["membership"]

    async def events(self, subscription: str) -> list[str]:
        """Return what was told, without the common beginning."""
        rows = await self.shop.rows(
            "SELECT type FROM event WHERE subject = :id ORDER BY sequence", id=subscription
        )
        return [row.type.removeprefix("subscription.") for row in rows]

    async def told(self, invoice: str) -> list[str]:
        """Return how often an invoice was told to have other rates."""
        statement = (
            "SELECT id FROM event WHERE subject = :id AND type = 'invoice.rate_refreshed'"
        )
        return [row.id for row in await self.shop.rows(statement, id=invoice)]

    def at(self) -> datetime:
        """Return the time."""
        return self.shop.clock.at


@pytest.fixture
async def club(shop: Shop, database: FreshDatabase) -> AsyncIterator[Club]:
    """Open it."""
    merchant, key = await shop.merchant_and_key()
    member = await customer(shop, key, email="ann@example.org")
    worker = Database(database.url("worker"), pool_size=4)
    yield Club(shop, worker, merchant, key, member)
    await worker.aclose()
