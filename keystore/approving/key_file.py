"""An approver's own Ed25519 key in a file of mode 0600, under a passphrase or without one."""

from pathlib import Path
from typing import Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keystore import disk
from keystore.refusal import Unfit
from keystore.sealing import (
    SALT_BYTES,
    Cost,
    CostBounds,
    Kdf,
    NotOpened,
    Randomness,
    Sealed,
    context,
    key_from_passphrase,
    seal,
    unseal,
    wipe,
)

ALGORITHM = "argon2id"
FILE_BYTES_MAX = 4_096
SEED_BYTES = 32


class KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The file as it stands. Either `seed` or both of `kdf` and `sealed` are there."""

    format: Literal["gw-approver-key"]
    version: Literal[1]
    public_key: str
    seed: bytes | None = None
    kdf: Kdf | None = None
    sealed: Sealed | None = None


def create(path: Path, passphrase: bytes, random: Randomness, cost: Cost | None = None) -> str:
    """Make a new key; return its public half in hex. An empty passphrase leaves it open.

    Raises `Unfit` where the file is there already.
    """
    disk.require_absent(path)
    seed = bytearray(random(SEED_BYTES))
    try:
        public = public_of(Ed25519PrivateKey.from_private_bytes(bytes(seed)))
        if passphrase:
            file = _sealed(seed, public, passphrase, random, cost or Cost())
        else:
            file = KeyFile("gw-approver-key", 1, public, seed=bytes(seed))
        disk.create(path, msgspec.json.encode(file) + b"\n")
    finally:
        wipe(seed)
    return public


def _sealed(
    seed: bytearray, public: str, passphrase: bytes, random: Randomness, cost: Cost
) -> KeyFile:
    kdf = Kdf(ALGORITHM, cost.memory_cost, cost.iterations, cost.lanes, random(SALT_BYTES))
    key = key_from_passphrase(passphrase, kdf)
    try:
        sealed = seal(key, seed, _context(public, kdf), random)
    finally:
        wipe(key)
    return KeyFile("gw-approver-key", 1, public, kdf=kdf, sealed=sealed)


def read(path: Path) -> KeyFile:
    """Read the file without opening it; raise `Unfit` naming it."""
    try:
        mode, size = path.stat().st_mode, path.stat().st_size
        if mode & 0o077:
            raise Unfit(f"--key: {path} is open to others; chmod 600 it")
        if size > FILE_BYTES_MAX:
            raise Unfit(f"--key: {path} is not an approver's key")
        return msgspec.json.decode(path.read_bytes(), type=KeyFile)
    except OSError as trouble:
        raise Unfit(f"--key: {path}: {trouble.strerror}") from trouble
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise Unfit(f"--key: {path} is not an approver's key") from fault


def opened(file: KeyFile, passphrase: bytes) -> Ed25519PrivateKey:
    """Return the private key; raise `Unfit` for a wrong passphrase or an altered file."""
    if file.seed is not None:
        key = _key(file.seed)
    elif file.kdf is not None and file.sealed is not None:
        key = _unsealed(file.kdf, file.sealed, file.public_key, passphrase)
    else:
        raise Unfit("--key: the file holds no key")
    if public_of(key) != file.public_key:
        raise Unfit("--key: the file's public key belongs to another one")
    return key


def _unsealed(kdf: Kdf, sealed: Sealed, public: str, passphrase: bytes) -> Ed25519PrivateKey:
    if kdf.alg != ALGORITHM or not CostBounds().allow(kdf):
        raise Unfit("--key: the file asks for a cost that is not obeyed")
    key = key_from_passphrase(passphrase, kdf)
    try:
        seed = unseal(key, sealed, _context(public, kdf))
    except NotOpened as fault:
        raise Unfit("--key: wrong passphrase, or the file was altered") from fault
    finally:
        wipe(key)
    try:
        return _key(bytes(seed))
    finally:
        wipe(seed)


def _key(seed: bytes) -> Ed25519PrivateKey:
    if len(seed) != SEED_BYTES:
        raise Unfit("--key: the file holds no key")
    return Ed25519PrivateKey.from_private_bytes(seed)


def public_of(key: Ed25519PrivateKey) -> str:
    """Return the public half in hex, as the policy spells it."""
    return key.public_key().public_bytes_raw().hex()


def _context(public: str, kdf: Kdf) -> bytes:
    return context("approver-key", 1, public, kdf.alg, kdf.memory_cost, kdf.iterations)
