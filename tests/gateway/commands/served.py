"""A configuration file that leads to a test's database."""

import tomllib
from pathlib import Path

from tests.conftest import FreshDatabase

NETWORK = """
[networks.ethereum]
family = "ethereum"
display_name = "Ethereum"
identity = "31337"
rpc_urls = ["http://127.0.0.1:1"]
test = true
assets = [{ code = "ETH", decimals = 18 }]
"""


def write_config(folder: Path, database: FreshDatabase, *, port: int = 0) -> Path:
    """Write `gateway.toml` with the database, the secrets and one network."""
    settings = database.settings
    files = {
        name: getattr(settings.database, name)
        for name in settings.database.__struct_fields__
        if name.endswith("password_file")
    }
    lines = [
        f'data_dir = "{folder}"',
        "[database]",
        f'url = "{settings.database.url}"',
        *(f'{name} = "{path}"' for name, path in files.items()),
        "[api]",
        f"port = {port}",
        f'key_pepper_file = "{settings.api.key_pepper_file}"',
        "[webhooks]",
        f'master_secret_file = "{settings.webhooks.master_secret_file}"',
        "[withdrawals]",
        "unchecked = true",
        NETWORK,
    ]
    text = "\n".join(lines)
    tomllib.loads(text)
    path = folder / "gateway.toml"
    path.write_text(text)
    return path
