"""Requests that the client signs pass where a merchant demands signatures."""

import base64
from datetime import UTC, datetime

import pytest
from cryptic_gateway import AsyncClient, Signer, Unauthenticated
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.client.conftest import Served

pytestmark = pytest.mark.anyio


async def test_a_merchant_who_demands_signatures_gets_them(served: Served) -> None:
    """With the key's private half everything passes; without it, or with another, no change does."""
    shop = served.shop
    merchant_id = await shop.merchant()
    private_key = Ed25519PrivateKey.from_private_bytes(b"1" * 32)
    public_key = base64.b64encode(private_key.public_key().public_bytes_raw()).decode()
    async with AsyncClient(served.url, await shop.key(merchant_id, livemode=True)) as gateway:
        made = await gateway.request(
            "POST",
            "/api_keys",
            body={
                "name": "till",
                "scopes": [
                    "customers:read",
                    "customers:write",
                    "settings:read",
                    "settings:write",
                ],
                "public_key": public_key,
            },
        )
    signer = Signer(made["id"], private_key)
    async with AsyncClient(served.url, made["key"], signer=signer) as gateway:
        shop.clock.at = datetime.now(UTC)
        demand = {"security": {"require_signature": True}}
        await gateway.request("PATCH", "/settings", body=demand)
        customer = await gateway.customers.create(reference="a-1")
        listed = [each.id async for each in gateway.customers.all(reference="a-1")]
        assert listed == [customer.id]
    other = Signer(made["id"], Ed25519PrivateKey.from_private_bytes(b"2" * 32))
    for wrong in (None, other):
        async with AsyncClient(served.url, made["key"], signer=wrong) as gateway:
            with pytest.raises(Unauthenticated):
                await gateway.customers.create(reference="a-2")
