"""The encrypted file, GWKS version 1: one secret per purpose behind passphrase slots.

header   magic, version, file id, cipher
slots    the file key, wrapped once per passphrase (Argon2id)
entries  one secret each: entropy of pool, hot and gas, the seed that signs pool rows, and
         single keys of hot and gas that were imported
seal     an authentication tag over slots and entries, so that none can be dropped,
         doubled, reordered or put back from an older copy
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import msgspec

from keystore import sealing, vault_file
from keystore.refusal import Unfit
from keystore.sealing import Cost, CostBounds, Kdf, NotOpened, Randomness
from keystore.vault_file import ENTRY_KINDS, IMPORTED_KINDS, Document, Entry, Header, Slot

ENTROPY_SIZES = (16, 20, 24, 28, 32)
"""What BIP-39 allows; new files hold 32."""
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """The opened vault. It hides from `repr`, and `wipe` overwrites it in place."""

    pool: bytearray
    hot: bytearray
    gas: bytearray
    pool_signing: bytearray
    hot_key: bytearray = field(default_factory=bytearray)
    """An imported secp256k1 key that stands for the seed's; empty where there is none."""
    gas_key: bytearray = field(default_factory=bytearray)

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
    header = Header(
        vault_file.MAGIC, vault_file.VERSION, file_id or random(16).hex(), vault_file.AEAD
    )
    file_key = bytearray(random(sealing.KEY_BYTES))
    entries = [
        Entry(
            name,
            kind,
            sealing.seal(
                file_key, secret, vault_file.entry_context(header, name, kind), random
            ),
        )
        for name, kind in (ENTRY_KINDS | IMPORTED_KINDS).items()
        if (secret := getattr(secrets, name)) or name in ENTRY_KINDS
    ]
    return _finished(header, entries, file_key, passphrase=passphrase, cost=cost, random=random)


def rewrap(
    raw: bytes,
    old: bytes,
    new: bytes,
    cost: Cost,
    random: Randomness,
    *,
    bounds: CostBounds | None = None,
) -> bytes:
    """Return the file under the passphrase `new` alone; its entries stay as they are.

    Whoever copied the old file and knows `old` still reads the copy: that is what `encode` with
    new seeds, and moving the funds, is for. Raises `Unfit` as `decode` does.
    """
    document = vault_file.read(raw, bounds or CostBounds())
    file_key = _file_key(document, old)
    # A new seal must not vouch for entries that the old one does not.
    unsealed(document, bytearray(file_key)).wipe()
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
    seal = sealing.seal(file_key, b"", vault_file.seal_context(header, slots, entries), random)
    sealing.wipe(file_key)
    return vault_file.spelled(Document(header, slots, entries, seal))


def decode(
    raw: bytes, passphrase: bytes, bounds: CostBounds | None = None
) -> tuple[str, Secrets]:
    """Return the file's id and its secrets.

    Raises `Unfit` with one sentence. A wrong passphrase and an altered slot look the same to
    the cipher, and the sentence says so.
    """
    document = vault_file.read(raw, bounds or CostBounds())
    return document.header.id, unsealed(document, _file_key(document, passphrase))


def unsealed(document: Document, file_key: bytearray) -> Secrets:
    """Open seal and entries with the file key, which is wiped; raise `Unfit`."""
    try:
        sealed_list = vault_file.seal_context(document.header, document.slots, document.entries)
        sealing.unseal(file_key, document.seal, sealed_list)
        opened = {
            entry.name: sealing.unseal(
                file_key,
                entry.secret,
                vault_file.entry_context(document.header, entry.name, entry.kind),
            )
            for entry in document.entries
        }
    except NotOpened:
        vault_file.altered()
    finally:
        sealing.wipe(file_key)
    _require_shape(opened)
    return Secrets(**opened)


def _file_key(document: Document, passphrase: bytes) -> bytearray:
    for slot in document.slots:
        slot_key = sealing.key_from_passphrase(passphrase, slot.kdf)
        try:
            return sealing.unseal(
                slot_key,
                slot.key,
                vault_file.slot_context(document.header, slot.label, slot.kdf),
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
    wrapped = sealing.seal(
        slot_key, file_key, vault_file.slot_context(header, label, kdf), random
    )
    sealing.wipe(slot_key)
    return Slot(label, kdf, wrapped)


def _require_shape(opened: dict[str, bytearray]) -> None:
    for name, secret in opened.items():
        kind = (ENTRY_KINDS | IMPORTED_KINDS)[name]
        sizes = ENTROPY_SIZES if kind == "bip39-entropy" else (SECRET_BYTES,)
        if len(secret) not in sizes:
            raise Unfit(f"entry {name} has a length that is not allowed")
