"""Two merchants with keys, people and one real object of every kind."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import URL

from tests.gateway.people.conftest import People
from tests.gateway.shop import Shop

ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"
METHOD = "ETH-ETHEREUM"


@dataclass
class Side:
    """A merchant with keys of every scope, its owner, and its objects by parameter."""

    shop: Shop
    people: People
    worker: URL
    """Where the database is, for what the worker does."""
    merchant_id: str
    key: str
    live_key: str
    email: str
    person: str
    """A session of the merchant's owner, stepped up."""
    ids: dict[str, str] = field(default_factory=dict)

    async def made(self, path: str, status: int = 201, **body: Any) -> dict[str, Any]:
        """Create an object through the API and return its document."""
        headers = {"Idempotency-Key": f"made {path} {self.shop.clock().id('x')}"}
        answer = await self.shop.call("POST", path, self.key, json=body, headers=headers)
        assert answer.status_code == status, (path, answer.text)
        document: dict[str, Any] = answer.json()
        return document

    async def seen(self, statement: str) -> str:
        """Return the one id that a statement finds among all tenants' rows."""
        rows = await self.shop.rows(statement, merchant=self.merchant_id)
        return str(rows[0][0])


@dataclass
class Stage:
    """Two merchants who shall not know of each other, an operator's key and an admin."""

    shop: Shop
    mine: Side
    theirs: Side
    operator: str
    live_operator: str
    admin: str
    document: dict[str, Any]
    """The OpenAPI document."""
