"""Configuration: one TOML file into frozen structs; a fault names its key in one line.

Relative paths are taken from the folder of the file. Secrets are never values: every secret is
a `*_file` key that names a file with the secret as its only line.
"""

import math
import re
import tomllib
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

Family = Literal["ethereum", "tron", "solana"]
T = TypeVar("T")


class SettingsError(Exception):
    """The configuration cannot be used; the message is one line and names the key."""


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A closed table of the file."""


class DatabaseSettings(_Section, frozen=True):
    """`[database]`: the embedded PostgreSQL 18 or any other server of ours."""

    url: str = "embedded"
    """`embedded`, or `postgresql://host[:port]/name` without user and password."""
    allow_embedded_mainnet: bool = False
    admin_user: str = "postgres"
    admin_password_file: Path | None = None
    owner_password_file: Path | None = None
    api_password_file: Path | None = None
    worker_password_file: Path | None = None
    watcher_password_file: Path | None = None
    pool_size: int = 8


class ApiSettings(_Section, frozen=True):
    """`[api]`: the HTTP door."""

    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = "http://127.0.0.1:8080"
    key_pepper_file: Path | None = None


class WebhookSettings(_Section, frozen=True):
    """`[webhooks]`: the sender. Seconds are whole."""

    master_secret_file: Path | None = None
    allow_private: bool = False
    """Allow http and private addresses: shop and gateway on one LAN, the demo."""
    timeout_seconds: int = 15
    concurrency: int = 32
    poll_milliseconds: int = 500


class PriceSettings(_Section, frozen=True):
    """`[prices]`: USD per whole coin, by currency code."""

    max_age_seconds: int = 600
    static: dict[str, str] = {}


class KeystoreSettings(_Section, frozen=True):
    """`[keystore]`: where the signing daemon listens and how its pool rows are verified."""

    socket: Path = Path("run/keystore.sock")
    pool_public_key: str = ""
    """Ed25519, 64 hex digits, printed by `keystore init`."""


class AssetSettings(_Section, frozen=True):
    """One `[[networks.NAME.assets]]`. Amounts are decimal strings in whole coins."""

    code: str
    decimals: int
    contract: str | None = None
    """Contract or mint; absent for the network's own coin."""
    token_program: str | None = None
    """Solana: the program that owns the mint."""
    minimum_deposit: str = "0"
    withdrawal_fee: str = "0"
    automatic_approval_below: str = "0"
    """A withdrawal under this amount may be approved by the key that created it."""
    fee_on_transfer: bool = False
    """The token keeps a part of every transfer: deposits are measured on the balance."""
    allowed_extensions: list[str] = []
    """Solana: dangerous Token-2022 extensions that the operator accepts, `permanentDelegate` for one."""
    quorum_above: str | None = None
    """A larger deposit is believed once `quorum` nodes show it; absent: blocks alone are compared."""


class NetworkSettings(_Section, frozen=True):
    """`[networks.NAME]`."""

    family: Family
    display_name: str
    identity: str
    """Decimal chain id (Ethereum), genesis block id (Tron), genesis hash (Solana)."""
    rpc_urls: list[str]
    assets: list[AssetSettings]
    test: bool = False
    local: bool = False
    final_depth: int | None = None
    """Blocks behind head that count as final; absent: the node's own final tag."""
    start_height: int | None = None
    """First height to scan on an empty database; absent: the final height at first start."""
    poll_milliseconds: int = 2000
    rpc_timeout_seconds: int = 10
    rpc_requests_per_second: float = 0
    """What each node may be asked; 0 without limit."""
    quorum: int | None = None
    """Nodes that have to agree on a final block; absent: two, or one where there is only one."""
    logged_from: int | None = None
    """Ethereum: unix time from which the chain logs every move of value (EIP-7708)."""
    internal_probe_tx: str | None = None
    """Tron: a transaction that paid from inside a contract, to see whether a node keeps those."""
    reconcile_seconds: int = 384
    """Pause between two comparisons of the chain with the ledger; 384 is an epoch of Ethereum."""
    multicall: str | None = None
    """EVM: a Multicall3 contract; absent: the one at its usual address, where it has code."""
    pool_low_water: int = 200
    pool_batch: int = 500
    lag_seconds_max: int = 300
    fee_ceiling: str = "0.01"
    """The most one payout may pay to the network, in whole native coins."""

    @property
    def witnesses_needed(self) -> int:
        """Return how many nodes have to agree."""
        return self.quorum or min(2, len(self.rpc_urls))


class LogSettings(_Section, frozen=True):
    """`[logs]`."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(_Section, frozen=True):
    """The whole file."""

    networks: dict[str, NetworkSettings]
    data_dir: Path = Path("var/gateway")
    database: DatabaseSettings = DatabaseSettings()
    api: ApiSettings = ApiSettings()
    webhooks: WebhookSettings = WebhookSettings()
    prices: PriceSettings = PriceSettings()
    keystore: KeystoreSettings = KeystoreSettings()
    logs: LogSettings = LogSettings()

    def secret(self, key: str) -> str:
        """Read the secret that `section.name_file` names; raise `SettingsError` naming the key.

        With the embedded database the database passwords default to files that `gateway init`
        made under `data_dir/secrets`, and so do the pepper and the master secret.
        """
        section_name, name = key.split(".")
        path = getattr(getattr(self, section_name), name)
        path = path or self.data_dir / "secrets" / name.removesuffix("_file")
        try:
            value = Path(path).read_text().strip()
        except OSError as fault:
            raise SettingsError(f"{key}: cannot read {path}: {fault.strerror}") from fault
        if not value:
            raise SettingsError(f"{key}: {path} is empty")
        return value


def load(path: Path) -> Settings:
    """Read and check the file; every path in the result is absolute."""
    try:
        document = tomllib.loads(path.read_text())
    except OSError as fault:
        raise SettingsError(f"--config {path}: {fault.strerror}") from fault
    except tomllib.TOMLDecodeError as fault:
        raise SettingsError(f"--config {path}: {fault}") from fault
    settings = _convert(document)
    _check(settings)
    return _absolute(settings, path.resolve().parent)


def _convert(document: dict[str, object]) -> Settings:
    """Convert network by network: the key of a fault then has the network's name."""
    tables = document.get("networks", {})
    if not isinstance(tables, dict):
        raise SettingsError("networks: one table per network is needed")
    networks = {
        name: _typed(table, NetworkSettings, f"networks.{name}")
        for name, table in tables.items()
    }
    settings = _typed({**document, "networks": {}}, Settings, "")
    return msgspec.structs.replace(settings, networks=networks)


def _typed(table: object, kind: type[T], prefix: str) -> T:
    try:
        return msgspec.convert(table, kind, strict=True, dec_hook=lambda to, value: to(value))
    except msgspec.ValidationError as fault:
        raise SettingsError(_key_and_reason(str(fault), prefix)) from fault


def _key_and_reason(text: str, prefix: str) -> str:
    """Turn msgspec's sentence into `key: reason`."""
    reason, _, place = text.replace("\n", " ").partition(" - at `$")
    key = f"{prefix}{place.removesuffix('`')}".strip(".")
    for words, what in (
        ("unknown field", "unknown key"),
        ("missing required field", "missing"),
    ):
        if words in reason:
            name = reason.split("`")[1]
            return f"{key}.{name}: {what}".strip(".")
    return f"{key or 'config'}: {reason.replace('`', '')}"


def _check(settings: Settings) -> None:
    if not settings.networks:
        raise SettingsError("networks: at least one network is needed")
    for name, network in settings.networks.items():
        _check_network(settings, name, network)
    for code, price in settings.prices.static.items():
        _decimal(f"prices.static.{code}", price)
    if not 0 <= settings.api.port <= 65_535:
        raise SettingsError("api.port: 0 (any free one) to 65535")
    _web_address("api.public_url", settings.api.public_url)
    if not re.fullmatch(r"([0-9a-f]{64})?", settings.keystore.pool_public_key):
        raise SettingsError("keystore.pool_public_key: it is not 64 hex digits")


def _check_network(settings: Settings, name: str, network: NetworkSettings) -> None:
    key = f"networks.{name}"
    if not name.isascii() or not name.islower() or not name.isidentifier():
        raise SettingsError(f"{key}: a network name is lower-case letters and digits")
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
    _decimal(f"{key}.fee_ceiling", network.fee_ceiling)
    for asset in network.assets:
        _check_asset(f"{key}.assets.{asset.code}", asset)
    if settings.database.url == "embedded" and not network.test:
        _check_embedded(settings, key)


def _check_providers(key: str, network: NetworkSettings) -> None:
    if len(set(network.rpc_urls)) != len(network.rpc_urls):
        raise SettingsError(f"{key}.rpc_urls: the same node twice")
    if not 0 <= network.rpc_requests_per_second < math.inf:
        raise SettingsError(f"{key}.rpc_requests_per_second: 0 (no limit) or more")
    if network.quorum is not None and not 1 <= network.quorum <= len(network.rpc_urls):
        raise SettingsError(f"{key}.quorum: 1 to {len(network.rpc_urls)}, one per node at most")


def _web_address(key: str, text: str) -> None:
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", text):
        raise SettingsError(f"{key}: {text!r} is not an http or https address")


def _check_asset(key: str, asset: AssetSettings) -> None:
    if not 0 <= asset.decimals <= 18:
        raise SettingsError(f"{key}.decimals: 0 to 18")
    for name in ("minimum_deposit", "withdrawal_fee", "automatic_approval_below"):
        _decimal(f"{key}.{name}", getattr(asset, name))
    if asset.quorum_above is not None:
        _decimal(f"{key}.quorum_above", asset.quorum_above)


def _check_embedded(settings: Settings, key: str) -> None:
    if not settings.database.allow_embedded_mainnet:
        raise SettingsError(
            f"database.url: the embedded database serves test networks only, {key} is not one "
            "(set database.allow_embedded_mainnet = true to accept one disk and one process)"
        )


def _decimal(key: str, text: str) -> None:
    if not re.fullmatch(r"[0-9]+(\.[0-9]{1,18})?", text):
        raise SettingsError(f"{key}: {text!r} is not a plain decimal number such as 0.01")


def _absolute(section: T, folder: Path) -> T:
    """Anchor every path of a section, nested ones included, at the file's folder."""
    if isinstance(section, Path):
        return folder / section
    if not isinstance(section, msgspec.Struct):
        return section
    changed = {
        name: _absolute(getattr(section, name), folder) for name in section.__struct_fields__
    }
    return msgspec.structs.replace(section, **changed)
