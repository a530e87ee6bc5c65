"""The tables of the configuration file, each a closed and frozen struct with its defaults."""

from pathlib import Path
from typing import Literal

import msgspec

Family = Literal["ethereum", "tron", "solana"]


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
    """The mail server as Apprise writes it: `mailtos://user@host:465?from=...`; empty: none."""
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
    sweep_minimum: str = "0"
    """Less than this stays at its pool address until it is old."""
    sweep_ratio: int = 20
    """A sweep is worth it from so many times its cost on."""
    sweep_after_hours: int = 168
    """What waited so long is swept although it is not worth it."""
    hot_ceiling: str | None = None
    """Above this the hot wallet sends to the cold address; absent: never."""
    hot_target: str | None = None
    """What it keeps then; absent: half of the ceiling."""


class SweepSettings(_Section, frozen=True):
    """`[networks.NAME.sweeping]`. Amounts are decimal strings in whole native coins."""

    at_once: int = 8
    """Sweeps under way side by side."""
    cost_max: str | None = None
    """The most that a sweep may cost which only waited long; absent: `fee_ceiling`."""
    gas_price_max: int | None = None
    """Ethereum: wei per gas above which young money waits for a cheaper hour."""
    gas_low: str | None = None
    """Below this the hot wallet refills the gas wallet; absent: twice `fee_ceiling`."""
    gas_high: str | None = None
    """Up to this; absent: ten times `fee_ceiling`."""
    stake: str = "0"
    """Tron: what the gas wallet keeps staked for energy, lent to addresses while they are swept."""


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
    traces: bool = True
    """Ethereum: ask for call traces where a node offers them; without, the reconciler finds what came."""
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
    bump_blocks: int = 4
    """EVM: blocks that a transaction of ours waits before its fee is raised."""
    cancel_minutes: int = 30
    """EVM: how long a payout must have waited before an operator may cancel it."""
    nonce_lanes: int = 4
    """Solana: payouts that may be under way at once, 1 to 16; each is an account with its rent."""
    sweep: bool = True
    """Empty pool addresses into the hot wallet where it is worth it."""
    sweeping: SweepSettings = SweepSettings()
    cold_address: str | None = None
    """Where the hot wallet sends what is above its ceilings; the operator alone has its key."""

    @property
    def unplayable(self) -> frozenset[str]:
        """Return the simulations that the family's local chain cannot play.

        Surfpool neither forks nor stops.
        """
        return frozenset({"reorg", "slow_confirm"} if self.family == "solana" else ())

    @property
    def witnesses_needed(self) -> int:
        """Return how many nodes have to agree."""
        return self.quorum or min(2, len(self.rpc_urls))


class WithdrawalSettings(_Section, frozen=True):
    """`[withdrawals]`."""

    cooldown_hours: int = 24
    """How long a new entry of an address book waits before money may go there."""


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
