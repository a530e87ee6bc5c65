"""From one configuration key to each role's door."""

from pathlib import Path

import pytest

from gateway.commands.init import create_secrets
from gateway.postgres.connect import connected
from gateway.postgres.url import role_url
from gateway.settings import DatabaseSettings, Settings, SettingsError


def settings_for(folder: Path, url: str) -> Settings:
    """Make settings with all secrets; each is the text `secret`."""
    settings = Settings(networks={}, data_dir=folder, database=DatabaseSettings(url=url))
    create_secrets(settings, lambda: "secret")
    return settings


def test_the_embedded_server_is_reached_over_its_socket(short_folder: Path) -> None:
    """The address survives being written out and read again, password masked or not."""
    url = role_url(settings_for(short_folder, "embedded"), "watcher")
    assert (url.drivername, url.username, url.database) == (
        "postgresql+psycopg",
        "gw_watcher",
        "gateway",
    )
    assert url.query["host"] == str(short_folder / "pg" / "run")
    assert "secret" not in str(url)


def test_another_server_keeps_its_host_and_options(short_folder: Path) -> None:
    """Only user and password are ours; TLS options stay."""
    settings = settings_for(
        short_folder, "postgresql://db.example:5433/shop?sslmode=verify-full"
    )
    assert role_url(settings, "api").render_as_string(hide_password=False) == (
        "postgresql+psycopg://gw_api:secret@db.example:5433/shop?sslmode=verify-full"
    )


@pytest.mark.parametrize(
    "url",
    ["mysql://host/name", "postgresql://host", "nonsense", "postgresql://a:hunter2@host/name"],
)
def test_an_unusable_url_names_the_key_and_shows_no_password(
    short_folder: Path, url: str
) -> None:
    """Another engine, no name, no URL, or a password in the open."""
    with pytest.raises(SettingsError, match=r"^database\.url: ") as refusal:
        role_url(settings_for(short_folder, url), "api")
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize("url", ["embedded", "postgresql://127.0.0.1:1/name"])
def test_an_unreachable_database_is_one_line(short_folder: Path, url: str) -> None:
    """It names the key, the place and the user."""
    with (
        pytest.raises(
            SettingsError, match=r"^database\.url: cannot connect to .* as gw_api: "
        ) as refusal,
        connected(settings_for(short_folder, url), "api"),
    ):
        pass
    assert "\n" not in str(refusal.value)
