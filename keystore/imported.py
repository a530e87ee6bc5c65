"""Single keys from elsewhere: Ethereum keystore files of version 3, read once and never written.

Format: Web3 Secret Storage Definition. AES-128-CTR under the first half of a key from scrypt or
PBKDF2; its second half and the ciphertext, hashed with Keccak-256, are the MAC. The file names its
own costs, so they are bounded before anything is computed.
"""

import hashlib
import hmac
from typing import Literal

import msgspec
from bip_utils.utils.crypto import Kekkak256, Scrypt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from keystore.api import Family
from keystore.derivation import Leaf, address_of
from keystore.refusal import Unfit

KEY_BYTES = 32
SCRYPT_BLOCKS_MAX = 2**23
"""n times r; each is 128 bytes: at most 1 GiB. Wallets write 2**21."""
SCRYPT_WORK_MAX = 2**24
"""n times r times p."""
PBKDF2_ROUNDS_MAX = 10_000_000
FILE_BYTES_MAX = 65_536
PATH = "imported"
"""Stands where a derivation path stands."""
FAMILIES: tuple[Family, ...] = ("ethereum", "tron")
"""Whose keys are numbers of secp256k1."""


class _Scrypt(msgspec.Struct, frozen=True):
    n: int
    r: int
    p: int
    dklen: int
    salt: str


class _Pbkdf2(msgspec.Struct, frozen=True):
    c: int
    prf: str
    dklen: int
    salt: str


class _CipherParameters(msgspec.Struct, frozen=True):
    iv: str


class _Crypto(msgspec.Struct, frozen=True):
    cipher: Literal["aes-128-ctr"]
    cipherparams: _CipherParameters
    ciphertext: str
    kdf: Literal["scrypt", "pbkdf2"]
    kdfparams: msgspec.Raw
    mac: str


class _File(msgspec.Struct, frozen=True):
    """What is used of a file; names, ids and a wallet's own additions are passed over."""

    version: Literal[3]
    crypto: _Crypto
    address: str = ""


def key_of(raw: bytes, password: bytes, field: str) -> bytearray:
    """Return the 32-byte private key of a version 3 file.

    Raises `Unfit` naming `field`: another format, costs out of bounds, a wrong password, an
    altered file, or an address that is not the key's.
    """
    try:
        return _key_of(raw, password)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise Unfit(f"{field}: not an Ethereum keystore of version 3: {fault}") from fault
    except Unfit as fault:
        raise Unfit(f"{field}: {fault}") from fault


def leaf_of(key: bytearray, family: Family) -> Leaf:
    """Return the one key pair of an imported key; `family` is one of `FAMILIES`."""
    return Leaf(index=0, path=PATH, address=address_of(key, family), key=bytes(key))


def _key_of(raw: bytes, password: bytes) -> bytearray:
    if len(raw) > FILE_BYTES_MAX:
        raise Unfit("the file is too long")
    found = msgspec.json.decode(raw, type=_File)
    crypto = found.crypto
    derived = _derived(crypto, password)
    secret = _octets(crypto.ciphertext, "ciphertext", KEY_BYTES)
    mac = Kekkak256.QuickDigest(derived[16:] + secret)
    if not hmac.compare_digest(mac, _octets(crypto.mac, "mac", 32)):
        raise Unfit("wrong password, or the file was altered")
    counter = modes.CTR(_octets(crypto.cipherparams.iv, "iv", 16))
    key = bytearray(Cipher(algorithms.AES(derived[:16]), counter).decryptor().update(secret))
    try:
        address = leaf_of(key, "ethereum").address
    except ValueError as fault:
        raise Unfit("what it holds is no secp256k1 key") from fault
    if found.address and found.address.lower().removeprefix("0x") != address[2:]:
        raise Unfit(f"address: its key is that of {address}")
    return key


def _derived(crypto: _Crypto, password: bytes) -> bytes:
    """Return the 32 derived bytes after checking what they would cost."""
    if crypto.kdf == "scrypt":
        cost = msgspec.json.decode(crypto.kdfparams, type=_Scrypt)
        sound = cost.n > 1 and cost.n & (cost.n - 1) == 0 and min(cost.r, cost.p) > 0
        blocks = cost.n * cost.r
        if not sound or blocks > SCRYPT_BLOCKS_MAX or blocks * cost.p > SCRYPT_WORK_MAX:
            raise Unfit("kdfparams: scrypt's n, r, p are outside the allowed bounds")
        _require_key_bytes(cost.dklen)
        return _scrypt(cost, password)
    rounds = msgspec.json.decode(crypto.kdfparams, type=_Pbkdf2)
    if rounds.prf != "hmac-sha256" or not 1 <= rounds.c <= PBKDF2_ROUNDS_MAX:
        raise Unfit(f"kdfparams: hmac-sha256 and c from 1 to {PBKDF2_ROUNDS_MAX} are read")
    _require_key_bytes(rounds.dklen)
    return hashlib.pbkdf2_hmac("sha256", password, _octets(rounds.salt, "salt"), rounds.c)


def _scrypt(cost: _Scrypt, password: bytes) -> bytes:
    """Derive with pycryptodome: OpenSSL refuses n from 2**(16 r) on, and files with r = 1 exist."""
    salt = _octets(cost.salt, "salt")
    try:
        found = Scrypt.DeriveKey(password, salt, KEY_BYTES, n=cost.n, r=cost.r, p=cost.p)
    except ValueError as fault:
        raise Unfit(f"kdfparams: {fault}") from fault
    return bytes(found)


def _require_key_bytes(length: int) -> None:
    if length != KEY_BYTES:
        raise Unfit(f"kdfparams: dklen must be {KEY_BYTES}")


def _octets(text: str, name: str, size: int | None = None) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError as fault:
        raise Unfit(f"{name}: not hexadecimal") from fault
    if size is not None and len(found) != size:
        raise Unfit(f"{name}: must have {size} bytes")
    return found
