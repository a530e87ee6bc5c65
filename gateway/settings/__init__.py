"""Configuration: one TOML file into frozen structs; a fault names its key in one line.

Relative paths are taken from the folder of the file. Secrets are never values: every secret is
a `*_file` key that names a file with the secret as its only line.
"""

from gateway.settings.networks import (
    AssetSettings,
    Family,
    NetworkSettings,
    SweepSettings,
)
from gateway.settings.reading import load
from gateway.settings.sections import (
    ApiSettings,
    DatabaseSettings,
    KeystoreSettings,
    LogSettings,
    NotificationSettings,
    PeopleSettings,
    PriceSettings,
    PriceSourceSettings,
    Settings,
    SettingsError,
    WebhookSettings,
    WithdrawalSettings,
    WorkerSettings,
)

__all__ = [
    "ApiSettings",
    "AssetSettings",
    "DatabaseSettings",
    "Family",
    "KeystoreSettings",
    "LogSettings",
    "NetworkSettings",
    "NotificationSettings",
    "PeopleSettings",
    "PriceSettings",
    "PriceSourceSettings",
    "Settings",
    "SettingsError",
    "SweepSettings",
    "WebhookSettings",
    "WithdrawalSettings",
    "WorkerSettings",
    "load",
]
