"""Backup, restore, and the drill that shows a backup is worth something.

A backup is a tar file: the encrypted vault as it is, a consistent copy of the journal, the
policy, and a manifest with SHA-256 of each and the time. The seeds in it are as safe as the
passphrase; wrap the file for its journey (`age` to two recipients) if the journal is private.
"""

import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from keystore import api, disk, vault
from keystore.drill import differing
from keystore.journal import Journal
from keystore.keyring import Keyring
from keystore.refusal import Unfit
from keystore.settings import Settings

MEMBER_BYTES_MAX = 2**32
VAULT, JOURNAL, POLICY, MANIFEST = "vault", "journal", "policy.toml", "manifest.json"

Clock = Callable[[], datetime]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup holds: SHA-256 by member, and when it was made."""

    vault_id: str
    made_at: datetime
    signatures: int
    members: dict[str, str]


@dataclass(frozen=True, slots=True)
class Drill:
    """What a drill found."""

    made_at: datetime
    age_seconds: int
    signatures: int
    rows: int
    wrong: tuple[str, ...]
    """`network/index` of every row whose address or signature did not come out again."""


def write(chosen: Settings, passphrase: bytes, target: Path, clock: Clock) -> Manifest:
    """Make a backup that was opened before it gets its name; an existing file is left alone."""
    disk.require_absent(target)
    disk.require_folder(target.parent)
    raw = disk.read(chosen.file)
    vault_id, secrets = vault.decode(raw, passphrase)
    secrets.wipe()
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        copy = Path(folder) / JOURNAL
        journal = Journal.open(chosen.journal, vault_id, clock)
        try:
            journal.copy_to(copy)
            signatures = journal.signatures
        finally:
            journal.close()
        members = {VAULT: raw, JOURNAL: copy.read_bytes()}
    if chosen.policy is not None:
        members[POLICY] = chosen.policy.read_bytes()
    sums = {name: hashlib.sha256(body).hexdigest() for name, body in members.items()}
    manifest = Manifest(vault_id, clock(), signatures, sums)
    disk.create(target, _tar({MANIFEST: msgspec.json.encode(manifest), **members}))
    return manifest


def restore(chosen: Settings, passphrase: bytes, source: Path, clock: Clock) -> Manifest:
    """Put vault and journal of a backup in place; refuse where either exists already.

    A journal that is this backup's own, byte by byte, without a vault, is what a restore left
    that was cut off: it goes on from there.
    So do the logs that SQLite keeps beside a journal: it would read a dead one's into this one.
    The journal of a backup does not know what was signed after it was made. The policy is put
    beside the settings only by a person.
    """
    logs = (chosen.journal.with_name(chosen.journal.name + left) for left in ("-wal", "-shm"))
    for path in (chosen.file, *logs):
        disk.require_absent(path)
    manifest, members = _opened(source)
    begun = chosen.journal.is_file() and chosen.journal.read_bytes() == members[JOURNAL]
    if not begun:
        disk.require_absent(chosen.journal)
    vault_id, secrets = vault.decode(members[VAULT], passphrase)
    secrets.wipe()
    with _unpacked(members) as copy:
        Journal.open(copy, vault_id, clock).close()
    for path in (chosen.file, chosen.journal):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not begun:
        disk.create(chosen.journal, members[JOURNAL])
    disk.create(chosen.file, members[VAULT])
    return manifest


@contextmanager
def _unpacked(members: dict[str, bytes]) -> Iterator[Path]:
    """Yield the journal of a backup in a folder that is removed again: opening one may write."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / JOURNAL
        disk.create(copy, members[JOURNAL])
        yield copy


def drill(
    source: Path,
    passphrase: bytes,
    rows: list[api.PoolRow],
    families: dict[str, api.Family],
    clock: Clock,
) -> Drill:
    """Restore a backup into a folder that is removed again, and derive every row anew."""
    manifest, members = _opened(source)
    with _unpacked(members) as copy:
        vault_id, secrets = vault.decode(members[VAULT], passphrase)
        keyring = Keyring(secrets)
        secrets.wipe()
        try:
            Journal.open(copy, vault_id, clock).close()
            wrong = tuple(differing(rows, lambda run: _again(keyring, families, run)))
        finally:
            keyring.wipe()
    age = int((clock() - manifest.made_at).total_seconds())
    return Drill(manifest.made_at, age, manifest.signatures, len(rows), wrong)


def _again(
    keyring: Keyring, families: dict[str, api.Family], run: list[api.PoolRow]
) -> Iterator[tuple[api.PoolRow, bool]]:
    """Derive and sign a run of rows; every field, the signature too, must come out again."""
    network = run[0].network
    family = families.get(network)
    if family is None:
        raise Unfit(f"{network}: not in the keystore's settings")
    found = keyring.pool_rows(network, family, run[0].index, len(run))
    return ((row, row == again) for row, again in zip(run, found, strict=True))


def _opened(source: Path) -> tuple[Manifest, dict[str, bytes]]:
    """Read a backup into memory and compare every member with the manifest."""
    try:
        with tarfile.open(source, "r:") as archive:
            members = {member.name: _body(archive, member) for member in archive}
        manifest = msgspec.json.decode(members.pop(MANIFEST), type=Manifest)
    except (OSError, tarfile.TarError, KeyError, msgspec.DecodeError) as fault:
        raise Unfit(f"{source}: is not a backup of a keystore") from fault
    sums = {name: hashlib.sha256(body).hexdigest() for name, body in members.items()}
    if sums != manifest.members or not {VAULT, JOURNAL} <= set(sums):
        raise Unfit(f"{source}: what it holds is not what its manifest says")
    return manifest, members


def _body(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    if file is None or member.size > MEMBER_BYTES_MAX:
        raise tarfile.TarError(member.name)
    return file.read()


def _tar(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:") as archive:
        for name, body in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.uid = len(body), 0o600, os.geteuid()
            archive.addfile(member, io.BytesIO(body))
    return content.getvalue()
