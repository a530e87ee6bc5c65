"""From the file to checked settings with absolute paths; a fault names its key in one line."""

import tomllib
from pathlib import Path
from typing import TypeVar

import msgspec

from gateway.settings.checks import check
from gateway.settings.networks import NetworkSettings
from gateway.settings.sections import Settings, SettingsError

T = TypeVar("T")


def load(path: Path) -> Settings:
    """Read and check the file; every path in the result is absolute."""
    try:
        document = tomllib.loads(path.read_text())
    except OSError as fault:
        raise SettingsError(f"--config {path}: {fault.strerror}") from fault
    except tomllib.TOMLDecodeError as fault:
        raise SettingsError(f"--config {path}: {fault}") from fault
    settings = _convert(document)
    check(settings)
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
