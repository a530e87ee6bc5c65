"""The encrypted file, GWKS version 1: one secret per purpose behind passphrase slots.

    header   magic, version, file id, cipher
    slots    the file key, wrapped once per passphrase (Argon2id)
    entries  one secret each: entropy of pool, hot and gas, and the seed that signs pool rows
    seal     an authentication tag over slots and entries, so that none can be dropped,
             doubled, reordered or put back from an older copy

A file is read only if encoding it again gives the same bytes. That one comparison refuses
unknown spacing, doubled keys, loose base64 and everything else that JSON would forgive.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import NoReturn

import msgspec

from keystore import sealing
from keystore.refusal import Unfit
from keystore.sealing import Cost, CostBounds, Kdf, NotOpened, Randomness, Sealed

FILE_BYTES_MAX = 65_536
SLOTS_MAX = 8
ENTROPY_SIZES = (16, 20, 24, 28, 32)
"""What BIP-39 allows; new files hold 32."""
SECRET_BYTES = 32
ENTRY_KINDS = {
    "pool": "bip39-entropy",
    "hot": "bip39-entropy",
    "gas": "bip39-entropy",
    "pool_signing": "ed25519-seed",
}
"""Every entry of a file, in the file's order."""


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What kind of file this is; part of every context."""

    magic: str
    version: int
    id: str
    aead: str


class Slot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file key under one passphrase."""

    label: str
    kdf: Kdf
    key: Sealed


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One named secret under the file key."""

    name: str
    kind: str
    secret: Sealed


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    header: Header
    slots: list[Slot]
    entries: list[Entry]
    seal: Sealed


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """The opened vault. It hides from `repr`, and `wipe` overwrites it in place."""

    pool: bytearray
    hot: bytearray
    gas: bytearray
    pool_signing: bytearray

    def __repr__(self) -> str:
        return "Secrets(***)"

    def wipe(self) -> None:
        """Overwrite every secret."""
        for place in fields(self):
            sealing.wipe(getattr(self, place.name))


def fresh_secrets(random: Randomness, known: Mapping[str, bytearray] | None = None) -> Secrets:
    """Return new secrets of 256 bits each, but for those that are `known` by name."""
    new = {name: bytearray(random(SECRET_BYTES)) for name in ENTRY_KINDS}
    return Secrets(**{**new, **(known or {})})


def encode(
    secrets: Secrets,
    passphrase: bytes,
    cost: Cost,
    random: Randomness,
    file_id: str | None = None,
) -> bytes:
    """Return the file's bytes with a fresh file key and one slot.

    A file that replaces another keeps its id, for the journal belongs to it.
    """
    header = Header("GWKS", 1, file_id or random(16).hex(), "chacha20-poly1305")
    file_key = bytearray(random(sealing.KEY_BYTES))
    entries = [
        Entry(
            name,
            kind,
            sealing.seal(
                file_key, getattr(secrets, name), _entry_context(header, name, kind), random
            ),
        )
        for name, kind in ENTRY_KINDS.items()
    ]
    return _finished(header, entries, file_key, passphrase=passphrase, cost=cost, random=random)


def rewrap(raw: bytes, old: bytes, new: bytes, cost: Cost, random: Randomness) -> bytes:
    """Return the file under the passphrase `new` alone; its entries stay as they are.

    Whoever copied the old file and knows `old` still reads the copy: that is what `encode` with
    new seeds, and moving the funds, is for. Raises `Unfit` as `decode` does.
    """
    document = _document(raw, CostBounds())
    file_key = _file_key(document, old)
    return _finished(
        document.header, document.entries, file_key, passphrase=new, cost=cost, random=random
    )


def _finished(
    header: Header,
    entries: list[Entry],
    file_key: bytearray,
    *,
    passphrase: bytes,
    cost: Cost,
    random: Randomness,
) -> bytes:
    """Add the slot and the seal; the file key is wiped."""
    slots = [_slot(header, "main", file_key, passphrase=passphrase, cost=cost, random=random)]
    seal = sealing.seal(file_key, b"", _seal_context(header, slots, entries), random)
    sealing.wipe(file_key)
    return _spelled(Document(header, slots, entries, seal))


def decode(
    raw: bytes, passphrase: bytes, bounds: CostBounds | None = None
) -> tuple[str, Secrets]:
    """Return the file's id and its secrets.

    Raises `Unfit` with one sentence. A wrong passphrase and an altered slot look the same to
    the cipher, and the sentence says so.
    """
    document = _document(raw, bounds or CostBounds())
    file_key = _file_key(document, passphrase)
    try:
        sealed_list = _seal_context(document.header, document.slots, document.entries)
        sealing.unseal(file_key, document.seal, sealed_list)
        opened = {
            entry.name: sealing.unseal(
                file_key, entry.secret, _entry_context(document.header, entry.name, entry.kind)
            )
            for entry in document.entries
        }
    except NotOpened:
        _altered()
    finally:
        sealing.wipe(file_key)
    _require_shape(opened)
    return document.header.id, Secrets(**opened)


def _document(raw: bytes, bounds: CostBounds) -> Document:
    if len(raw) > FILE_BYTES_MAX:
        _altered()
    try:
        document = msgspec.json.decode(raw, type=Document)
    except (msgspec.DecodeError, UnicodeDecodeError):
        _altered()
    header = document.header
    if (header.magic, header.aead) != ("GWKS", "chacha20-poly1305") or _spelled(
        document
    ) != raw:
        _altered()
    if header.version != 1:
        raise Unfit(f"file version {header.version} is not one this keystore reads (1)")
    if not 1 <= len(document.slots) <= SLOTS_MAX:
        _altered()
    if {entry.name: entry.kind for entry in document.entries} != ENTRY_KINDS:
        _altered()
    for slot in document.slots:
        if slot.kdf.alg != "argon2id" or not bounds.allow(slot.kdf):
            raise Unfit("file asks for key derivation outside the allowed bounds")
        if len(slot.kdf.salt) != sealing.SALT_BYTES:
            _altered()
    return document


def _file_key(document: Document, passphrase: bytes) -> bytearray:
    for slot in document.slots:
        slot_key = sealing.key_from_passphrase(passphrase, slot.kdf)
        try:
            return sealing.unseal(
                slot_key, slot.key, _slot_context(document.header, slot.label, slot.kdf)
            )
        except NotOpened:
            continue
        finally:
            sealing.wipe(slot_key)
    raise Unfit("wrong passphrase, or the file was altered")


def _slot(
    header: Header,
    label: str,
    file_key: bytearray,
    *,
    passphrase: bytes,
    cost: Cost,
    random: Randomness,
) -> Slot:
    kdf = Kdf(alg="argon2id", salt=random(sealing.SALT_BYTES), **msgspec.structs.asdict(cost))
    slot_key = sealing.key_from_passphrase(passphrase, kdf)
    wrapped = sealing.seal(slot_key, file_key, _slot_context(header, label, kdf), random)
    sealing.wipe(slot_key)
    return Slot(label, kdf, wrapped)


def _slot_context(header: Header, label: str, kdf: Kdf) -> bytes:
    return sealing.context(header, "slot", label, kdf)


def _entry_context(header: Header, name: str, kind: str) -> bytes:
    return sealing.context(header, "entry", name, kind)


def _seal_context(header: Header, slots: Iterable[Slot], entries: Iterable[Entry]) -> bytes:
    return sealing.context(header, "seal", slots, entries)


def _spelled(document: Document) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def _require_shape(opened: dict[str, bytearray]) -> None:
    for name, kind in ENTRY_KINDS.items():
        sizes = ENTROPY_SIZES if kind == "bip39-entropy" else (SECRET_BYTES,)
        if len(opened[name]) not in sizes:
            raise Unfit(f"entry {name} has a length that is not allowed")


def _altered() -> NoReturn:
    raise Unfit("the file is truncated or was altered")
