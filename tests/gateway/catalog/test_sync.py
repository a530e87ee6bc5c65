"""The catalogue follows the configuration, but never changes what money means."""

from typing import Any

import msgspec
import pytest

from gateway.catalog.sync import sync_catalog
from gateway.settings import NetworkSettings, Settings, SettingsError
from tests.gateway.conftest import ETHEREUM, TestApi

pytestmark = pytest.mark.anyio

ETH, USDC = ETHEREUM.assets


def _changed(value: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(value, **changes)


async def _sync(api: TestApi, networks: dict[str, NetworkSettings]) -> None:
    settings: Settings = _changed(api.settings, networks=networks)
    async with api.owner.unit_of_work(None) as session:
        await sync_catalog(session, settings)


async def _enabled(api: TestApi) -> dict[str, bool]:
    rows = await api.rows(
        "SELECT id, enabled FROM currency UNION ALL SELECT id, enabled FROM network"
    )
    return {row.id: row.enabled for row in rows}


async def test_what_is_configured_is_there(api: TestApi) -> None:
    """Amounts in base units; a second run changes nothing."""
    statement = "SELECT * FROM currency ORDER BY id"
    before = await api.rows(statement)
    eth, usdc = before
    assert (eth.id, eth.code, eth.contract, eth.decimals) == ("ETH-ETHEREUM", "ETH", None, 18)
    assert eth.minimum_deposit_units == 10**15
    assert (usdc.withdrawal_fee_units, usdc.automatic_approval_below_units) == (10**6, 10**7)
    await _sync(api, {"ethereum": ETHEREUM})
    assert await api.rows(statement) == before


async def test_what_left_the_configuration_is_disabled_and_may_return(api: TestApi) -> None:
    """Nothing is deleted."""
    base = _changed(ETHEREUM, identity="8453", display_name="Base")
    await _sync(api, {"base": base, "ethereum": _changed(ETHEREUM, assets=[ETH])})
    assert await _enabled(api) == {
        "ethereum": True,
        "ETH-ETHEREUM": True,
        "USDC-ETHEREUM": False,
        "base": True,
        "ETH-BASE": True,
        "USDC-BASE": True,
    }
    await _sync(api, {"ethereum": ETHEREUM})
    assert await _enabled(api) == {
        "ethereum": True,
        "ETH-ETHEREUM": True,
        "USDC-ETHEREUM": True,
        "base": False,
        "ETH-BASE": False,
        "USDC-BASE": False,
    }


async def test_names_and_limits_may_change(api: TestApi) -> None:
    """What is only shown or compared follows at once."""
    assets = [ETH, _changed(USDC, minimum_deposit="2.5", withdrawal_fee="0")]
    await _sync(api, {"ethereum": _changed(ETHEREUM, display_name="New", assets=assets)})
    (network,) = await api.rows("SELECT display_name FROM network")
    assert network.display_name == "New"
    (row,) = await api.rows("SELECT * FROM currency WHERE id = 'USDC-ETHEREUM'")
    assert (row.minimum_deposit_units, row.withdrawal_fee_units) == (2_500_000, 0)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"identity": "1"}, "networks.ethereum.identity: "),
    ({"family": "tron"}, "networks.ethereum.family: "),
    ({"test": False}, "networks.ethereum.test: "),
    ({"assets": [ETH, _changed(USDC, decimals=8)]}, "networks.ethereum.assets.USDC.decimals"),
    (
        {"assets": [ETH, _changed(USDC, contract="0x0")]},
        "networks.ethereum.assets.USDC.contract",
    ),
    ({"assets": [ETH, _changed(USDC, code="USDT")]}, "it is known as USDC-ETHEREUM already"),
    (
        {"assets": [ETH, USDC, USDC]},
        "networks.ethereum.assets.USDC: the code stands there twice",
    ),
    (
        {"assets": [ETH, USDC, _changed(USDC, code="USDX")]},
        "networks.ethereum.assets.USDC.contract: the contract stands there twice",
    ),
    (
        {"assets": [ETH, _changed(USDC, minimum_deposit="0.0000001")]},
        "networks.ethereum.assets.USDC.minimum_deposit: ",
    ),
]


async def test_what_money_means_may_not_change(api: TestApi) -> None:
    """One line that names the key, and nothing is written."""
    statement = "SELECT * FROM currency ORDER BY id"
    before = await api.rows(statement)
    for changes, message in REFUSED:
        with pytest.raises(SettingsError) as refused:
            await _sync(api, {"ethereum": _changed(ETHEREUM, **changes)})
        assert message in str(refused.value)
        assert "\n" not in str(refused.value)
        assert await api.rows(statement) == before
