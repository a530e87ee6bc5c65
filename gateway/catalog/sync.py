"""From the configuration to the rows: names may change, what money means may not.

Runs as gw_owner. Nothing is deleted: what has left the configuration is disabled, because
invoices, deposits and balances still point to it.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.catalog.repository import currencies, networks
from gateway.domain.money import AmountError, to_units
from gateway.models import Currency, Network
from gateway.settings import AssetSettings, NetworkSettings, Settings, SettingsError

_AMOUNTS = {
    "minimum_deposit": "minimum_deposit_units",
    "withdrawal_fee": "withdrawal_fee_units",
    "automatic_approval_below": "automatic_approval_below_units",
}


async def sync_catalog(session: AsyncSession, settings: Settings) -> None:
    """Make the catalogue follow the configuration; `SettingsError` names a change it refuses."""
    wanted = {
        name: {method_id(name, asset): asset for asset in network.assets}
        for name, network in settings.networks.items()
    }
    _refuse_duplicates(settings)
    known_networks = await networks(session)
    for name, network in settings.networks.items():
        _sync_network(session, known_networks.get(name), name, network)
    await session.flush()
    known = await currencies(session)
    for name, assets in wanted.items():
        for currency_id, asset in assets.items():
            _sync_currency(session, known, currency_id, name, asset)
    _disable_absent(known_networks, known, wanted)
    await session.flush()


def method_id(network: str, asset: AssetSettings) -> str:
    """Return the payment method's id, such as `USDT-TRON`."""
    return f"{asset.code}-{network}".upper()


def _sync_network(
    session: AsyncSession, row: Network | None, name: str, network: NetworkSettings
) -> None:
    fixed = {
        "family": network.family,
        "identity": network.identity,
        "test": network.test,
    }
    free = {
        "display_name": network.display_name,
        "local": network.local,
        "final_confirmations": network.final_confirmations,
        "enabled": True,
        "disabled_reason": None,
    }
    if row is None:
        session.add(Network(id=name, **fixed, **free))
        return
    _refuse_changes(f"networks.{name}", row, fixed)
    _set(row, free)


def _sync_currency(
    session: AsyncSession,
    known: Mapping[str, Currency],
    currency_id: str,
    network: str,
    asset: AssetSettings,
) -> None:
    key = f"networks.{network}.assets.{asset.code}"
    fixed = {
        "contract": asset.contract,
        "token_program": asset.token_program,
        "decimals": asset.decimals,
    }
    free = {
        column: _units(f"{key}.{name}", getattr(asset, name), asset.decimals)
        for name, column in _AMOUNTS.items()
    }
    free["fee_on_transfer"] = asset.fee_on_transfer
    row = known.get(currency_id)
    if row is not None:
        _refuse_changes(key, row, fixed)
        _set(row, {**free, "enabled": True})
        return
    for other in known.values():
        if (other.network_id, other.contract) == (network, asset.contract):
            raise SettingsError(f"{key}.contract: it is known as {other.id} already")
    session.add(
        Currency(
            id=currency_id, network_id=network, code=asset.code, enabled=True, **fixed, **free
        )
    )


def _disable_absent(
    known_networks: Mapping[str, Network],
    known: Mapping[str, Currency],
    wanted: Mapping[str, Mapping[str, AssetSettings]],
) -> None:
    for name, network in known_networks.items():
        if name not in wanted:
            network.enabled = False
    for currency_id, currency in known.items():
        if currency_id not in wanted.get(currency.network_id, {}):
            currency.enabled = False


def _refuse_duplicates(settings: Settings) -> None:
    for name, network in settings.networks.items():
        codes = [asset.code for asset in network.assets]
        contracts = [asset.contract for asset in network.assets]
        for asset in network.assets:
            key = f"networks.{name}.assets.{asset.code}"
            if codes.count(asset.code) > 1:
                raise SettingsError(f"{key}: the code stands there twice")
            if contracts.count(asset.contract) > 1:
                raise SettingsError(f"{key}.contract: the contract stands there twice")


def _refuse_changes(key: str, row: Network | Currency, fixed: Mapping[str, Any]) -> None:
    for name, value in fixed.items():
        before = getattr(row, name)
        if before != value:
            raise SettingsError(
                f"{key}.{name}: {value!r} would change what existing money means, it was "
                f"{before!r}; use another name for another thing"
            )


def _set(row: Network | Currency, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if getattr(row, name) != value:
            setattr(row, name, value)


def _units(key: str, text: str, decimals: int) -> int:
    try:
        return to_units(text, decimals)
    except AmountError as fault:
        raise SettingsError(f"{key}: {fault}") from fault
