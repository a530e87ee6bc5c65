"""The encrypted file as text: its shape, how strictly it is read, and what binds its parts.

A file is read only if encoding it again gives the same bytes. That one comparison refuses
unknown spacing, doubled keys, loose base64 and everything else that JSON would forgive.
"""

from collections.abc import Iterable
from typing import NoReturn

import msgspec

from keystore import sealing
from keystore.refusal import Unfit
from keystore.sealing import CostBounds, Kdf, Sealed

MAGIC, VERSION, AEAD = "GWKS", 1, "chacha20-poly1305"
FILE_BYTES_MAX = 65_536
SLOTS_MAX = 8
ENTRY_KINDS = {
    "pool": "bip39-entropy",
    "hot": "bip39-entropy",
    "gas": "bip39-entropy",
    "pool_signing": "ed25519-seed",
}
"""Every entry of a file, in the file's order."""
IMPORTED_KINDS = {"hot_key": "raw-secp256k1", "gas_key": "raw-secp256k1"}
"""Entries that a file may have behind them."""


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


def read(raw: bytes, bounds: CostBounds) -> Document:
    """Return the document; raise `Unfit` unless `raw` is exactly how we would write it."""
    if len(raw) > FILE_BYTES_MAX:
        altered()
    try:
        document = msgspec.json.decode(raw, type=Document)
    except (msgspec.DecodeError, UnicodeDecodeError):
        altered()
    header = document.header
    if (header.magic, header.aead) != (MAGIC, AEAD) or spelled(document) != raw:
        altered()
    if header.version != VERSION:
        raise Unfit(f"file version {header.version} is not one this keystore reads (1)")
    if not 1 <= len(document.slots) <= SLOTS_MAX or not _holds_what_it_should(document.entries):
        altered()
    for slot in document.slots:
        if slot.kdf.alg != "argon2id" or not bounds.allow(slot.kdf):
            raise Unfit("file asks for key derivation outside the allowed bounds")
        if len(slot.kdf.salt) != sealing.SALT_BYTES:
            altered()
    return document


def spelled(document: Document) -> bytes:
    """Return the one spelling of a document."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def _holds_what_it_should(entries: list[Entry]) -> bool:
    kinds = {entry.name: entry.kind for entry in entries}
    return kinds == ENTRY_KINDS | {
        name: kind for name, kind in IMPORTED_KINDS.items() if name in kinds
    }


def slot_context(header: Header, label: str, kdf: Kdf) -> bytes:
    """Return what a wrapped file key is bound to."""
    return sealing.context(header, "slot", label, kdf)


def entry_context(header: Header, name: str, kind: str) -> bytes:
    """Return what a secret is bound to: its file and its name."""
    return sealing.context(header, "entry", name, kind)


def seal_context(header: Header, slots: Iterable[Slot], entries: Iterable[Entry]) -> bytes:
    """Return what the seal covers: every slot and every entry in their order."""
    return sealing.context(header, "seal", slots, entries)


def altered() -> NoReturn:
    """Refuse the file."""
    raise Unfit("the file is truncated or was altered")
