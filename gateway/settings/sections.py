"""The tables of the configuration file, each a closed and frozen struct with its defaults.

Those of the networks stand in `networks`.
"""

from pathlib import Path
from typing import Literal

import msgspec

from gateway.settings.networks import NetworkSettings


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
    slow_query_milliseconds: int = 500
    """Statements that take longer are logged, without their parameters."""


class ApiSettings(_Section, frozen=True):
    """`[api]`: the HTTP door."""

    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = "http://127.0.0.1:8080"
    trusted_proxies: list[str] = []
    """Addresses or networks whose `X-Forwarded-For` tells who calls; nobody else's does."""
    requests_per_minute: int = 6000
    """What each key may ask; 0 without a limit."""
    visits_per_minute: int = 600
    """What one public address may ask of payers' pages, per process; 0 without a limit."""
    offers_milliseconds: int = 1000
    """How long a process remembers methods, prices and the networks' health for new invoices, twice as long
    while they are being read anew; 0: not at all."""
    key_pepper_file: Path | None = None


class WebhookSettings(_Section, frozen=True):
    """`[webhooks]`: the sender. Seconds are whole."""

    master_secret_file: Path | None = None
    allow_private: bool = False
    """Allow http and private addresses: shop and gateway on one LAN, the demo."""
    timeout_seconds: int = 15
    concurrency: int = 32
    per_merchant: int = 128
    """Under way at once for one merchant, over all of its endpoints."""
    poll_milliseconds: int = 500


class NotificationSettings(_Section, frozen=True):
    """`[notifications]`: messages to people."""

    url: str = ""
    """The mail server as Apprise writes it: `mailtos://user@host:465?mode=ssl&from=...`; empty: none."""
    password_file: Path | None = None
    per_recipient_hour: int = 20
    """Messages that one recipient gets in an hour; the others wait. Secret ones have their own."""


class PeopleSettings(_Section, frozen=True):
    """`[people]`: how long they stay signed in, and what a guess at a password costs."""

    session_idle_minutes: int = 30
    session_hours: int = 12
    invitation_days: int = 7
    page_url: str = ""
    """A page that takes `#invitation=TOKEN` and the like; empty: messages hold the token itself."""
    argon2_memory_kib: int = 65_536
    argon2_iterations: int = 3
    argon2_lanes: int = 1
    hashing_at_once: int = 2
    """Passwords that are hashed side by side; each takes `argon2_memory_kib` of memory."""


class WorkerSettings(_Section, frozen=True):
    """`[worker]`: the background worker's own door."""

    metrics_host: str = "127.0.0.1"
    metrics_port: int = 0
    """Where `/metrics` of the worker is; 0: nowhere."""


class PriceSourceSettings(_Section, frozen=True):
    """`[prices.coingecko]` and the like: where a source is, and what it calls our codes."""

    url: str | None = None
    ids: dict[str, str] = {}
    key_file: Path | None = None


class PriceSettings(_Section, frozen=True):
    """`[prices]`: USD per whole coin, by currency code.

    The price of a code is the median of its sources; one in `static` needs none.
    """

    max_age_seconds: int = 600
    static: dict[str, str] = {}
    sources: list[Literal["coingecko", "coinmarketcap", "kraken", "coinbase"]] = []
    refresh_seconds: int = 60
    spread_per_mille: int = 20
    """How far a source may be from the median before it is left out."""
    at_least: int | None = None
    """Sources that have to agree; absent: two, or one where there is only one."""
    currencies: list[str] = []
    """Fiat codes that invoices may be made in, beside USD."""
    coingecko: PriceSourceSettings = PriceSourceSettings()
    coinmarketcap: PriceSourceSettings = PriceSourceSettings()
    kraken: PriceSourceSettings = PriceSourceSettings()
    coinbase: PriceSourceSettings = PriceSourceSettings()


class KeystoreSettings(_Section, frozen=True):
    """`[keystore]`: where the signing daemon listens and how its pool rows are verified."""

    socket: Path = Path("run/keystore.sock")
    pool_public_key: str = ""
    """Ed25519, 64 hex digits, printed by `keystore init`."""


class WithdrawalSettings(_Section, frozen=True):
    """`[withdrawals]`."""

    cooldown_hours: int = 24
    """How long a new entry of an address book waits before money may go there."""
    unchecked: bool = False
    """Take a withdrawal although no watcher says in time whether its destination can receive."""


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
    notifications: NotificationSettings = NotificationSettings()
    people: PeopleSettings = PeopleSettings()
    worker: WorkerSettings = WorkerSettings()
    prices: PriceSettings = PriceSettings()
    keystore: KeystoreSettings = KeystoreSettings()
    withdrawals: WithdrawalSettings = WithdrawalSettings()
    logs: LogSettings = LogSettings()

    @property
    def real_money(self) -> bool:
        """Tell whether any network is not marked `test`."""
        return not all(network.test for network in self.networks.values())

    def secret(self, key: str) -> str:
        """Read the secret that `section.name_file` names; raise `SettingsError` naming the key.

        With the embedded database the database passwords default to files that `gateway init`
        made under `data_dir/secrets`, and so do the pepper and the master secret.
        """
        *sections, name = key.split(".")
        section: object = self
        for each in sections:
            section = getattr(section, each)
        path = getattr(section, name)
        path = path or self.data_dir / "secrets" / name.removesuffix("_file")
        try:
            value = Path(path).read_text().strip()
        except OSError as fault:
            raise SettingsError(f"{key}: cannot read {path}: {fault.strerror}") from fault
        if not value:
            raise SettingsError(f"{key}: {path} is empty")
        return value
