"""What the types of the file cannot say: ranges, things that exclude each other, mainnet's rules."""

import math
import re
from ipaddress import ip_network

from gateway.settings.networks import AssetSettings, NetworkSettings, SweepSettings
from gateway.settings.sections import (
    ApiSettings,
    PeopleSettings,
    PriceSettings,
    Settings,
    SettingsError,
)

NETWORK_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
"""What the keystore takes too: both houses' tests hold it against the same names."""


def check(settings: Settings) -> None:
    """Raise `SettingsError` naming the first key that cannot be."""
    if not settings.networks:
        raise SettingsError("networks: at least one network is needed")
    for name, network in settings.networks.items():
        _check_network(settings, name, network)
    for code, price in settings.prices.static.items():
        _decimal(f"prices.static.{code}", price)
    _check_prices(settings.prices)
    if settings.webhooks.per_merchant < 1:
        raise SettingsError("webhooks.per_merchant: 1 or more")
    if settings.database.slow_query_milliseconds < 1:
        raise SettingsError("database.slow_query_milliseconds: 1 or more")
    if not 0 <= settings.worker.metrics_port <= 65_535:
        raise SettingsError("worker.metrics_port: 0 (nowhere) to 65535")
    if settings.notifications.per_recipient_hour < 1:
        raise SettingsError("notifications.per_recipient_hour: 1 or more")
    _check_people(settings.people)
    if not 0 <= settings.withdrawals.cooldown_hours <= 8760:
        raise SettingsError("withdrawals.cooldown_hours: 0 to 8760")
    _check_api(settings.api)
    if not re.fullmatch(r"([0-9a-f]{64})?", settings.keystore.pool_public_key):
        raise SettingsError("keystore.pool_public_key: it is not 64 hex digits")


def _check_api(api: ApiSettings) -> None:
    if not 0 <= api.port <= 65_535:
        raise SettingsError("api.port: 0 (any free one) to 65535")
    if api.requests_per_minute < 0:
        raise SettingsError("api.requests_per_minute: 0 (no limit) or more")
    if api.visits_per_minute < 0:
        raise SettingsError("api.visits_per_minute: 0 (no limit) or more")
    _web_address("api.public_url", api.public_url)
    for proxy in api.trusted_proxies:
        try:
            network = ip_network(proxy)
        except ValueError as fault:
            raise SettingsError(f"api.trusted_proxies: {proxy!r} is no network") from fault
        if network.prefixlen == 0:
            raise SettingsError(
                "api.trusted_proxies: who trusts everybody lets callers name their own address"
            )


def _check_people(people: PeopleSettings) -> None:
    if not 1 <= people.session_idle_minutes <= people.session_hours * 60 <= 10_080:
        raise SettingsError(
            "people.session_idle_minutes: 1 to people.session_hours, a week at most"
        )
    if people.page_url:
        _web_address("people.page_url", people.page_url)
    if not 1 <= people.invitation_days <= 90:
        raise SettingsError("people.invitation_days: 1 to 90")
    if people.argon2_lanes < 1 or people.argon2_iterations < 1 or people.hashing_at_once < 1:
        raise SettingsError(
            "people.argon2_lanes, argon2_iterations, hashing_at_once: 1 or more"
        )
    if not 8 * people.argon2_lanes <= people.argon2_memory_kib <= 4_194_304:
        raise SettingsError("people.argon2_memory_kib: 8 for each lane to 4194304")


def _check_prices(prices: PriceSettings) -> None:
    if len(set(prices.sources)) != len(prices.sources):
        raise SettingsError("prices.sources: the same source twice")
    if prices.refresh_seconds < 1 or prices.max_age_seconds < prices.refresh_seconds:
        raise SettingsError("prices.refresh_seconds: 1 to prices.max_age_seconds")
    if not 0 < prices.spread_per_mille < 1000:
        raise SettingsError("prices.spread_per_mille: 1 to 999")
    if prices.at_least is not None and not 1 <= prices.at_least <= len(prices.sources):
        raise SettingsError(
            f"prices.at_least: 1 to {len(prices.sources)}, the sources there are"
        )
    if "coinmarketcap" in prices.sources and prices.coinmarketcap.key_file is None:
        raise SettingsError("prices.coinmarketcap.key_file: this source needs a key")


def _check_network(settings: Settings, name: str, network: NetworkSettings) -> None:
    key = f"networks.{name}"
    if not NETWORK_NAME.fullmatch(name):
        raise SettingsError(f"{key}: a name is up to 32 of a-z, 0-9 and _, a letter first")
    if not network.rpc_urls:
        raise SettingsError(f"{key}.rpc_urls: at least one node is needed")
    if sum(asset.contract is None for asset in network.assets) != 1:
        raise SettingsError(f"{key}.assets: exactly one asset without contract is needed")
    for url in network.rpc_urls:
        _web_address(f"{key}.rpc_urls", url)
    _check_providers(key, network)
    if network.reconcile_seconds < 1:
        raise SettingsError(f"{key}.reconcile_seconds: 1 or more")
    if not re.fullmatch(r"(0x[0-9a-fA-F]{40})?", network.multicall or ""):
        raise SettingsError(f"{key}.multicall: {network.multicall!r} is not a contract address")
    _check_paying(key, network)
    _check_sweeping(f"{key}.sweeping", network.sweeping)
    for asset in network.assets:
        _check_asset(f"{key}.assets.{asset.code}", asset)
        _check_carried(f"{key}.assets.{asset.code}", asset, network)
    if settings.database.url == "embedded" and not network.test:
        _check_embedded(settings, key)


def _check_providers(key: str, network: NetworkSettings) -> None:
    if len(set(network.rpc_urls)) != len(network.rpc_urls):
        raise SettingsError(f"{key}.rpc_urls: the same node twice")
    if not 0 <= network.rpc_requests_per_second < math.inf:
        raise SettingsError(f"{key}.rpc_requests_per_second: 0 (no limit) or more")
    if network.quorum is not None and not 1 <= network.quorum <= len(network.rpc_urls):
        raise SettingsError(f"{key}.quorum: 1 to {len(network.rpc_urls)}, one per node at most")


def _check_paying(key: str, network: NetworkSettings) -> None:
    _decimal(f"{key}.fee_ceiling", network.fee_ceiling)
    if network.bump_blocks < 1:
        raise SettingsError(f"{key}.bump_blocks: 1 or more")
    if network.cancel_minutes < 0:
        raise SettingsError(f"{key}.cancel_minutes: 0 or more")
    if not 1 <= network.nonce_lanes <= 16:
        raise SettingsError(f"{key}.nonce_lanes: 1 to 16")


def _check_sweeping(key: str, sweeping: SweepSettings) -> None:
    for name in ("cost_max", "gas_low", "gas_high", "stake"):
        value = getattr(sweeping, name)
        if value is not None:
            _decimal(f"{key}.{name}", value)
    if sweeping.at_once < 1:
        raise SettingsError(f"{key}.at_once: 1 or more")


def _web_address(key: str, text: str) -> None:
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", text):
        raise SettingsError(f"{key}: {text!r} is not an http or https address")


def _check_asset(key: str, asset: AssetSettings) -> None:
    if not 0 <= asset.decimals <= 18:
        raise SettingsError(f"{key}.decimals: 0 to 18")
    for name in (
        "minimum_deposit",
        "withdrawal_fee",
        "automatic_approval_below",
        "sweep_minimum",
    ):
        _decimal(f"{key}.{name}", getattr(asset, name))
    for name in ("quorum_above", "hot_ceiling", "hot_target"):
        value = getattr(asset, name)
        if value is not None:
            _decimal(f"{key}.{name}", value)
    for name in ("sweep_ratio", "sweep_after_hours"):
        if getattr(asset, name) < 0:
            raise SettingsError(f"{key}.{name}: 0 or more")


def _check_carried(key: str, asset: AssetSettings, network: NetworkSettings) -> None:
    """Refuse what this network, as it is configured, could take in and not bring to an end."""
    if network.counts_assets and (asset.contract or "").isdigit():
        raise SettingsError(
            f"{key}.contract: TRC-10 assets are not paid out, so none is listed"
        )
    if asset.quorum_above is not None and len(network.rpc_urls) < 2:
        raise SettingsError(f"{key}.quorum_above: a second node is needed to confirm")


def _check_embedded(settings: Settings, key: str) -> None:
    if not settings.database.allow_embedded_mainnet:
        raise SettingsError(
            f"database.url: the embedded database serves test networks only, {key} is not one "
            "(set database.allow_embedded_mainnet = true to accept one disk and one process)"
        )


def _decimal(key: str, text: str) -> None:
    if not re.fullmatch(r"[0-9]+(\.[0-9]{1,18})?", text):
        raise SettingsError(f"{key}: {text!r} is not a plain decimal number such as 0.01")
