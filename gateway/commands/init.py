"""`gateway init`: make the secrets that the configuration leaves to `data_dir/secrets`."""

import argparse
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import structlog

from gateway.commands import configured, takes
from gateway.postgres.url import is_embedded
from gateway.settings import Settings

_KEYS = (
    "database.admin_password_file",
    "database.owner_password_file",
    "database.api_password_file",
    "database.worker_password_file",
    "database.watcher_password_file",
    "api.key_pepper_file",
    "webhooks.master_secret_file",
)


def add(parser: argparse.ArgumentParser) -> None:
    """Declare its arguments."""
    takes(parser, run)


def run(args: argparse.Namespace) -> int:
    """Create what is missing; existing files stay untouched."""
    settings = configured(args)
    created = create_secrets(settings, secrets.token_urlsafe)
    structlog.get_logger().info("initialised", created=[str(path) for path in created])
    return 0


def create_secrets(settings: Settings, random_text: Callable[[], str]) -> list[Path]:
    """Write each missing secret (0600, folder 0700); answer the files that are new.

    A secret with a `*_file` key of its own is the operator's; the administrator's password of
    another server is not ours to invent.
    """
    folder = settings.data_dir / "secrets"
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    created = []
    for key in _KEYS:
        section, name = key.split(".")
        if getattr(getattr(settings, section), name) is not None:
            continue
        if key == "database.admin_password_file" and not is_embedded(settings):
            continue
        path = folder / name.removesuffix("_file")
        if not path.exists():
            _write_whole(path, random_text() + "\n")
            created.append(path)
    return created


def _write_whole(path: Path, text: str) -> None:
    """Give the file its name only when its content is on disk; never replace one."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    path.hardlink_to(partial)
    partial.unlink()
