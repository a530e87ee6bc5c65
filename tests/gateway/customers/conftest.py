"""The stage of this room's tests."""

from typing import Any

from tests.gateway.shop import Shop, shop

__all__ = ["shop"]


async def customer(shop: Shop, key: str, **fields: Any) -> str:
    """Write a customer down and return its id."""
    answer = await shop.call("POST", "/v1/customers", key, json=fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def address(shop: Shop, key: str, customer_id: str, network: str = "ethereum") -> str:
    """Return the customer's address on a network."""
    path = f"/v1/customers/{customer_id}/deposit_addresses"
    answer = await shop.call("POST", path, key, json={"network": network})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["address"])


async def rich(shop: Shop, key: str, units: int = 10**18, **fields: Any) -> str:
    """Return a customer who has paid so much ETH to its address."""
    made = await customer(shop, key, **fields)
    to = await address(shop, key, made)
    await shop.pay(to, "ETH-ETHEREUM", units, tx=f"0x{made}", final=True)
    return made


async def has(shop: Shop, account: str, currency: str = "ETH-ETHEREUM") -> tuple[int, int]:
    """Return confirmed and locked units of an account."""
    rows = await shop.rows(
        "SELECT confirmed, locked FROM wallet WHERE account = :account AND currency_id = :currency",
        account=account,
        currency=currency,
    )
    return (int(rows[0][0]), int(rows[0][1])) if rows else (0, 0)
