"""The commands that touch keys: make a keystore, serve it."""

import asyncio
import ctypes
import getpass
import os
import resource
import signal
import sys
from pathlib import Path

from keystore import disk, policy_file, settings, vault
from keystore.door import listening
from keystore.journal import Journal
from keystore.keyring import Keyring
from keystore.logs import Log, utc_now
from keystore.refusal import Unfit
from keystore.sealing import KIB_PER_MIB, Cost, CostBounds
from keystore.server import Server
from keystore.service import Keystore

PASSPHRASE_BYTES_MIN = 12
_PR_SET_DUMPABLE = 4


def init(config: Path, *, kdf_memory_mib: int) -> str:
    """Create file and journal with new seeds; return the public key of pool rows.

    The new file is decoded again before it gets its name. Raises `Unfit` and leaves nothing
    behind if either exists already.
    """
    chosen = settings.load(config, own_uid=os.geteuid())
    cost = _cost(kdf_memory_mib)
    for path in (chosen.file, chosen.journal):
        disk.require_absent(path)
    passphrase = _passphrase(chosen, confirm=True)
    if len(passphrase) < PASSPHRASE_BYTES_MIN:
        raise Unfit(f"passphrase: must have at least {PASSPHRASE_BYTES_MIN} bytes")
    content = vault.encode(vault.fresh_secrets(os.urandom), passphrase, cost, os.urandom)
    vault_id, secrets = vault.decode(content, passphrase)
    for path in (chosen.file, chosen.journal):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    Journal.create(chosen.journal, vault_id)
    disk.create(chosen.file, content)
    keyring = Keyring(secrets)
    secrets.wipe()
    try:
        return keyring.pool_public_key
    finally:
        keyring.wipe()


def serve(config: Path) -> None:
    """Unlock, listen and answer until SIGTERM or SIGINT."""
    chosen = settings.load(config, own_uid=os.geteuid())
    log = Log(utc_now)
    rulebook = None
    if chosen.policy is not None:
        rulebook = policy_file.load(chosen.policy, frozenset(chosen.networks))
        log.info("policy", fingerprint=rulebook.fingerprint, rules=len(rulebook.rules))
    vault_id, secrets = vault.decode(disk.read(chosen.file), _passphrase(chosen, confirm=False))
    keyring = Keyring(secrets)
    secrets.wipe()
    try:
        journal = Journal.open(chosen.journal, vault_id, utc_now)
        try:
            keystore = Keystore(
                settings=chosen.networks,
                keyring=keyring,
                journal=journal,
                log=log,
                rulebook=rulebook,
            )
            server = Server(keystore.answer, allowed_uids=chosen.allowed_uids, log=log)
            asyncio.run(_until_signal(server, chosen.socket))
        finally:
            journal.close()
    finally:
        keyring.wipe()


async def _until_signal(server: Server, path: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    with listening(path) as door:
        await server.run(door, stop)


def _cost(kdf_memory_mib: int) -> Cost:
    cost = Cost(memory_cost=kdf_memory_mib * KIB_PER_MIB)
    bounds = CostBounds()
    if not bounds.least.memory_cost <= cost.memory_cost <= bounds.most.memory_cost:
        least, most = (
            bound.memory_cost // KIB_PER_MIB for bound in (bounds.least, bounds.most)
        )
        raise Unfit(f"--kdf-memory-mib: must lie between {least} and {most}")
    return cost


def _passphrase(chosen: settings.Settings, *, confirm: bool) -> bytes:
    """Read the passphrase from its file, else from a person at a terminal."""
    if chosen.passphrase_file is not None:
        return settings.read_passphrase(chosen.passphrase_file)
    if not sys.stdin.isatty():
        raise Unfit("passphrase_file: is not set, and there is no terminal to ask at")
    typed = getpass.getpass("Keystore passphrase: ").encode()
    if confirm and getpass.getpass("Once more: ").encode() != typed:
        raise Unfit("passphrase: the two differ")
    return typed


def forbid_dumps() -> None:
    """No core file, and no other process of this user may read our memory (Linux).

    It holds for the whole process, so the command module calls it before `serve`.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise Unfit(f"prctl(PR_SET_DUMPABLE): {os.strerror(ctypes.get_errno())}")
