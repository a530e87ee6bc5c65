"""keystore.toml -> frozen settings. A bad key stops the process with one line that names it."""

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from keystore.api import Family
from keystore.refusal import Unfit

NETWORK_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
"""What the gateway takes too: both houses' tests hold it against the same names."""
SOCKET_PATH_BYTES_MAX = 107
"""`sun_path` of Linux holds 108 bytes with its final zero."""
PASSPHRASE_BYTES_MAX = 4_096

T = TypeVar("T")


class NetworkSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[networks.NAME]`: its family, the EVM chain id, and whether its money is play money."""

    family: Family
    chain_id: int | None = None
    test: bool = False


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The top level of keystore.toml as it stands in the file."""

    file: str
    journal: str
    socket: str
    passphrase_file: str | None = None
    policy: str | None = None
    allowed_uids: list[int] | None = None
    networks: dict[str, Any] = {}


class Settings(msgspec.Struct, frozen=True):
    """Checked settings. Paths are absolute; those in the file are relative to its directory."""

    file: Path
    journal: Path
    socket: Path
    passphrase_file: Path | None
    policy: Path | None
    allowed_uids: frozenset[int]
    networks: dict[str, NetworkSettings]


def load(path: Path, *, own_uid: int) -> Settings:
    """Read `path`; `own_uid` is allowed to connect where `allowed_uids` is absent.

    Raises `Unfit` with a line such as `keystore.toml: socket: ...`.
    """
    try:
        return _checked(path, own_uid)
    except Unfit as fault:
        raise Unfit(f"{path.name}: {fault}") from fault


def _checked(path: Path, own_uid: int) -> Settings:
    top = _typed(_document(path), _File, "")
    home = path.resolve().parent
    networks = {name: _network(name, body) for name, body in top.networks.items()}
    _require_distinct_chains(networks)
    uids = [own_uid] if top.allowed_uids is None else top.allowed_uids
    if not uids or min(uids) < 0:
        raise Unfit("allowed_uids: must hold at least one uid, none below 0")
    secret = None if top.passphrase_file is None else home / top.passphrase_file
    if secret is not None and not secret.is_file():
        raise Unfit(f"passphrase_file: no such file: {secret}")
    return Settings(
        file=home / _named(top.file, "file"),
        journal=home / _named(top.journal, "journal"),
        socket=_short(home / _named(top.socket, "socket")),
        passphrase_file=secret,
        policy=None if top.policy is None else home / _named(top.policy, "policy"),
        allowed_uids=frozenset(uids),
        networks=networks,
    )


def _document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as trouble:
        raise Unfit(f"cannot be read: {trouble.strerror}") from trouble
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise Unfit(f"is not TOML: {fault}") from fault


def _network(name: str, body: object) -> NetworkSettings:
    key = f"networks.{name}"
    if NETWORK_NAME.fullmatch(name) is None:
        raise Unfit(f"{key}: a name is up to 32 of a-z, 0-9 and _, a letter first")
    network = _typed(body, NetworkSettings, key)
    if network.family == "ethereum" and (network.chain_id is None or network.chain_id < 1):
        raise Unfit(f"{key}.chain_id: must be a number above 0 for the ethereum family")
    if network.family != "ethereum" and network.chain_id is not None:
        raise Unfit(f"{key}.chain_id: only the ethereum family has one")
    return network


def _require_distinct_chains(networks: dict[str, NetworkSettings]) -> None:
    """Two names for one EVM chain would be two books for one nonce.

    Bytes for Tron and Solana do not name their chain: what is signed with the same keys for play
    money would be good for real money.
    """
    chains: dict[int, str] = {}
    families: dict[Family, str] = {}
    for name, network in networks.items():
        if network.chain_id is None:
            first = families.setdefault(network.family, name)
            if first != name:
                raise Unfit(
                    f"networks.{name}.family: networks.{first} is {network.family} too, and "
                    "signed bytes do not name their chain: a keystore for each"
                )
            continue
        if network.chain_id in chains:
            raise Unfit(
                f"networks.{name}.chain_id: same as networks.{chains[network.chain_id]}"
            )
        chains[network.chain_id] = name


def _typed(value: object, kind: type[T], key: str) -> T:
    """Convert strictly; turn msgspec's sentence into one that begins with our key."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as fault:
        sentence, _, place = str(fault).partition(" - at `$")
        inner = place.rstrip("`").lstrip(".")
        named = re.search(r"field `([^`]+)`", sentence)
        if named is not None:
            inner = f"{inner}.{named[1]}".lstrip(".")
        full = ".".join(part for part in (key, inner) if part)
        raise Unfit(f"{full or 'top level'}: {sentence}") from fault


def _named(text: str, key: str) -> str:
    if not text.strip():
        raise Unfit(f"{key}: must not be empty")
    return text


def _short(path: Path) -> Path:
    if len(bytes(path)) > SOCKET_PATH_BYTES_MAX:
        raise Unfit(f"socket: path is longer than {SOCKET_PATH_BYTES_MAX} bytes: {path}")
    return path


def read_passphrase(path: Path, field: str = "passphrase_file") -> bytes:
    """Return the first and only line of `path`; one final line break is not part of it.

    A file that every user of the machine can read is refused: that is no secret.
    """
    if path.stat().st_mode & 0o007:
        raise Unfit(f"{field}: {path} is open to every user; chmod 600 it")
    secret = path.read_bytes().removesuffix(b"\n").removesuffix(b"\r")
    if not secret or len(secret) > PASSPHRASE_BYTES_MAX or b"\n" in secret:
        raise Unfit(f"{field}: {path} must hold one line of at most 4096 bytes")
    return secret
