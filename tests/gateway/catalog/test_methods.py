"""Payment methods and networks: available, or the reason why not, each for itself."""

from datetime import timedelta
from decimal import Decimal

import pytest

from gateway.models import AssetHold
from tests.gateway.conftest import TestApi

pytestmark = pytest.mark.anyio


async def _reasons(api: TestApi, key: str) -> dict[str, str | None]:
    methods = (await api.call("GET", "/v1/payment_methods", key)).json()["data"]
    assert all(method["available"] == (method["reason"] is None) for method in methods)
    return {method["payment_method"]: method["reason"] for method in methods}


async def test_everything_in_place_makes_a_method_available(api: TestApi) -> None:
    """With what a shop needs to show it."""
    _, key = await api.merchant_and_key("invoices:read")
    await api.ready_to_sell()
    usdc = (await api.call("GET", "/v1/payment_methods", key)).json()["data"][1]
    assert usdc == {
        "payment_method": "USDC-ETHEREUM",
        "object": "payment_method",
        "currency": "USDC",
        "network": "ethereum",
        "network_name": "Ethereum (local)",
        "contract_address": "0x5FbDB2315678afecb367f032d93F642f64180aa3",
        "decimals": 6,
        "minimum_deposit": "0.000000",
        "withdrawal_fee": "1.000000",
        "available": True,
        "reason": None,
    }
    assert await _reasons(api, key) == {"ETH-ETHEREUM": None, "USDC-ETHEREUM": None}


async def test_each_lack_has_its_reason(api: TestApi) -> None:
    """First the network, then the pool, then the price of that coin alone."""
    _, key = await api.merchant_and_key()
    both = {"ETH-ETHEREUM", "USDC-ETHEREUM"}
    assert await _reasons(api, key) == dict.fromkeys(both, "network_lagging")
    await api.healthy()
    assert await _reasons(api, key) == dict.fromkeys(both, "pool_empty")
    await api.pool(1)
    assert await _reasons(api, key) == dict.fromkeys(both, "price_stale")
    await api.prices({"USDC": Decimal(1)})
    assert await _reasons(api, key) == {"ETH-ETHEREUM": "price_stale", "USDC-ETHEREUM": None}
    await api.prices()
    api.clock.at += timedelta(seconds=api.settings.prices.max_age_seconds + 1)
    await api.healthy()
    assert await _reasons(api, key) == dict.fromkeys(both, "price_stale")


async def test_a_network_lags_by_silence_old_head_or_trouble(api: TestApi) -> None:
    """Any of the three; `/v1/networks` says the same and keeps the trouble's words inside."""
    _, key = await api.merchant_and_key()
    await api.ready_to_sell()

    async def lagging() -> bool:
        (network,) = (await api.call("GET", "/v1/networks", key)).json()["data"]
        reasons = set((await _reasons(api, key)).values())
        assert reasons == ({"network_lagging"} if network["lagging"] else {None})
        assert "secret-node" not in str(network)
        return bool(network["lagging"])

    long_ago = api.clock().at - timedelta(seconds=301)
    assert not await lagging()
    await api.healthy(updated_at=long_ago)
    assert await lagging()
    await api.healthy(head_time=long_ago)
    assert await lagging()
    await api.healthy(trouble="http://secret-node: refused")
    assert await lagging()
    await api.healthy(head_time=None)
    assert not await lagging()


async def test_a_network_tells_how_far_it_is(api: TestApi) -> None:
    """Heights of head, scan and finality."""
    _, key = await api.merchant_and_key()
    await api.healthy(scanned_height=99)
    (network,) = (await api.call("GET", "/v1/networks", key)).json()["data"]
    assert (network["id"], network["family"], network["chain_id"]) == (
        "ethereum",
        "ethereum",
        "eip155:31337",
    )
    heights = [network[name] for name in ("head_height", "scanned_height", "final_height")]
    assert heights == [100, 99, 96]


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        ("changed", "asset_suspended"),
        ("refused", "asset_suspended"),
        ("paused", "asset_paused"),
        ("drift", None),
        ("frozen", None),
    ],
)
async def test_held_asset_is_not_offered_where_paying_with_it_is_in_doubt(
    api: TestApi, cause: str, reason: str | None
) -> None:
    """A drift or a frozen wallet of the house keeps payouts back, not payers."""
    _, key = await api.merchant_and_key()
    await api.ready_to_sell()
    async with api.owner.unit_of_work(None) as session:
        session.add(
            AssetHold(
                currency_id="USDC-ETHEREUM",
                network_id="ethereum",
                cause=cause,
                address="",
                reason="for the operator's eyes",
                since=api.clock().at,
            )
        )
    assert await _reasons(api, key) == {"ETH-ETHEREUM": None, "USDC-ETHEREUM": reason}
