"""The example files work, and name every key there is."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.settings import AssetSettings, NetworkSettings, Settings, load
from keystore import settings as keystore

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config.example.toml"
KEYSTORE = ROOT / "keystore.example.toml"


def _keys(section: type[msgspec.Struct]) -> set[str]:
    """Return the keys of a section and of the sections in it."""
    found: set[str] = set()
    for field in msgspec.structs.fields(section):
        found.add(field.name)
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            found |= _keys(field.type)
    return found


def test_the_gateways_example_loads_and_shows_its_defaults() -> None:
    """What is not marked as an example or commented out is the default."""
    example: Any = load(CONFIG)
    fresh: Any = Settings(networks={})
    for section in ("database", "api", "webhooks", "logs"):
        assert getattr(example, section) == getattr(fresh, section)
    assert example.prices.max_age_seconds == fresh.prices.max_age_seconds
    assert set(example.networks) == {"sepolia"}


@pytest.mark.parametrize(
    "key", sorted(_keys(Settings) | _keys(NetworkSettings) | _keys(AssetSettings))
)
def test_the_gateways_example_names_every_key(key: str) -> None:
    """An operator finds every key in the file."""
    assert key in CONFIG.read_text()


def test_the_keystores_example_loads() -> None:
    """Nothing in it is refused."""
    chosen = keystore.load(KEYSTORE, own_uid=1)
    assert chosen.networks["sepolia"].test
    assert {"passphrase_file", "allowed_uids"} <= set(KEYSTORE.read_text().split())
