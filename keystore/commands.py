"""The commands that touch keys: make a keystore, serve it."""

import getpass
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from keystore import api, crash, disk, imported, policy_file, settings, vault
from keystore.clock import Steady
from keystore.door import listening
from keystore.journal import Journal
from keystore.keyring import Keyring
from keystore.logs import Log, utc_now
from keystore.refusal import Unfit
from keystore.sealing import KIB_PER_MIB, Cost, CostBounds
from keystore.server import Server
from keystore.service import Keystore
from keystore.words import entropy_of

PASSPHRASE_BYTES_MIN = 12


@dataclass(frozen=True, slots=True)
class Known:
    """What a new keystore takes over, as files by purpose.

    `words` hold BIP-39 words; `v3` are Ethereum keystore files under the password that
    `v3_password_file` holds, else under one that is asked for at the terminal.
    """

    words: Mapping[api.Purpose, Path] = field(default_factory=dict)
    v3: Mapping[api.Purpose, Path] = field(default_factory=dict)
    v3_password_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """The public key of pool rows, and the Ethereum address of each imported key by purpose."""

    pool_public_key: str
    imported: dict[str, str]


def init(config: Path, *, kdf_memory_mib: int, known: Known | None = None) -> Made:
    """Create file and journal with new seeds, or those that are `known`.

    The new file is decoded again before it gets its name. Raises `Unfit` and leaves nothing
    behind if either exists already.
    """
    known = known or Known()
    chosen = settings.load(config, own_uid=os.geteuid())
    cost = cost_of(kdf_memory_mib)
    for path in (chosen.file, chosen.journal):
        disk.require_absent(path)
    passphrase = passphrase_of(chosen, confirm=True)
    if len(passphrase) < PASSPHRASE_BYTES_MIN:
        raise Unfit(f"passphrase: must have at least {PASSPHRASE_BYTES_MIN} bytes")
    content = vault.encode(
        vault.fresh_secrets(os.urandom, _taken_over(known)), passphrase, cost, os.urandom
    )
    vault_id, secrets = vault.decode(content, passphrase)
    for path in (chosen.file, chosen.journal):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    Journal.create(chosen.journal, vault_id)
    disk.create(chosen.file, content)
    keyring = Keyring(secrets)
    secrets.wipe()
    try:
        wallets = keyring.wallets("ethereum")
        addresses = {wallet.purpose: wallet.address for wallet in wallets}
        return Made(keyring.pool_public_key, {name: addresses[name] for name in known.v3})
    finally:
        keyring.wipe()


def _taken_over(known: Known) -> dict[str, bytearray]:
    """Read what exists already, by the vault's names of secrets."""
    seeds: dict[str, bytearray] = {
        purpose: _seed_in(purpose, file) for purpose, file in known.words.items()
    }
    keys = {
        f"{purpose}_key": _key_in(purpose, file, known.v3_password_file)
        for purpose, file in known.v3.items()
    }
    return {**seeds, **keys}


def _key_in(purpose: api.Purpose, file: Path, password_file: Path | None) -> bytearray:
    field = f"--v3 {purpose}"
    if password_file is not None:
        password = settings.read_passphrase(password_file, "--v3-password-file")
    elif sys.stdin.isatty():
        password = getpass.getpass(f"Password of {file}: ").encode()
    else:
        raise Unfit("--v3-password-file: is not given, and there is no terminal to ask at")
    try:
        raw = file.read_bytes()
    except OSError as fault:
        raise Unfit(f"{field}: {file} cannot be read") from fault
    return imported.key_of(raw, password, field)


def _seed_in(purpose: api.Purpose, file: Path) -> bytearray:
    try:
        return entropy_of(file.read_text(), f"--words {purpose}")
    except (OSError, UnicodeDecodeError) as fault:
        raise Unfit(f"--words {purpose}: {file} cannot be read") from fault


def serve(config: Path, held: Mapping[str, bool]) -> None:
    """Unlock, listen and answer until SIGTERM or SIGINT; `held` is what the kernel keeps for us."""
    chosen = settings.load(config, own_uid=os.geteuid())
    crash.arm(os.environ, chosen.networks)
    log = Log(utc_now)
    rulebook = None
    if chosen.policy is not None:
        rulebook = policy_file.load(chosen.policy, frozenset(chosen.networks))
    vault_id, secrets = vault.decode(disk.read(chosen.file), passphrase_of(chosen))
    keyring = Keyring(secrets)
    secrets.wipe()
    try:
        journal = Journal.open(chosen.journal, vault_id, Steady(utc_now))
        try:
            keystore = Keystore(
                settings=chosen.networks,
                keyring=keyring,
                journal=journal,
                log=log,
                rulebook=rulebook,
            )
            server = Server(keystore, allowed_uids=chosen.allowed_uids, log=log)
            facts: dict[str, bool | str] = {
                **held,
                "policy": rulebook.fingerprint if rulebook else "",
            }
            with stop_signal() as stop, listening(chosen.socket) as door:
                log.info("unlocked", **facts)
                state, journal_at = keystore.clock()
                if state == "behind":
                    log.warning("clock_behind", journal_at=journal_at)
                server.run(door, stop)
        finally:
            journal.close()
    finally:
        keyring.wipe()


@contextmanager
def stop_signal() -> Iterator[socket.socket]:
    """Yield a socket that can be read once SIGTERM or SIGINT has come."""
    told, teller = socket.socketpair()
    with told, teller:
        teller.settimeout(0)
        signal.set_wakeup_fd(teller.fileno())
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: None)
        try:
            yield told
        finally:
            signal.set_wakeup_fd(-1)


def cost_of(kdf_memory_mib: int) -> Cost:
    """Return the cost of one guess at the passphrase, within what a file may ask for."""
    cost = Cost(memory_cost=kdf_memory_mib * KIB_PER_MIB)
    bounds = CostBounds()
    if not bounds.least.memory_cost <= cost.memory_cost <= bounds.most.memory_cost:
        least, most = (
            bound.memory_cost // KIB_PER_MIB for bound in (bounds.least, bounds.most)
        )
        raise Unfit(f"--kdf-memory-mib: must lie between {least} and {most}")
    return cost


def passphrase_of(chosen: settings.Settings, *, confirm: bool = False) -> bytes:
    """Read the passphrase from its file, else from a person at a terminal."""
    if chosen.passphrase_file is not None:
        return settings.read_passphrase(chosen.passphrase_file)
    if not sys.stdin.isatty():
        raise Unfit("passphrase_file: is not set, and there is no terminal to ask at")
    typed = getpass.getpass("Keystore passphrase: ").encode()
    if confirm and getpass.getpass("Once more: ").encode() != typed:
        raise Unfit("passphrase: the two differ")
    return typed
