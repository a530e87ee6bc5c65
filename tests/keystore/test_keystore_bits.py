"""Every bit of a keystore file is guarded: by its one spelling, by a tag, or by both."""

import random

import msgspec
import pytest

from keystore import vault, vault_file
from keystore.refusal import Unfit
from keystore.sealing import Cost, CostBounds

CHEAP = Cost(memory_cost=64, iterations=1, lanes=1)
SAMPLES = 50
WORDS = b"correct horse battery staple"


def sample(cost: Cost = CHEAP, *, imported: bool = True) -> tuple[bytes, bytearray]:
    """Return a file with every kind of entry, and its file key."""
    random_ = random.Random(1)
    known = {"hot_key": bytearray(random_.randbytes(32))} if imported else {}
    secrets = vault.fresh_secrets(random_.randbytes, known)
    raw = vault.encode(secrets, WORDS, cost, random_.randbytes)
    document = vault_file.read(raw, CostBounds(least=CHEAP))
    return raw, vault._file_key(document, WORDS)


def opens(raw: bytes, file_key: bytearray) -> bool:
    """Tell whether a file opens for one who knows the file key and asks for no passphrase."""
    try:
        document = vault_file.read(raw, CostBounds(least=CHEAP))
        vault.unsealed(document, bytearray(file_key)).wipe()
    except Unfit:
        return False
    return True


def test_every_bit_of_a_file_is_guarded_without_the_passphrase() -> None:
    """The seal covers the slots too: with the file key known, no flip anywhere is taken."""
    raw, file_key = sample()
    assert opens(raw, file_key)

    taken = [bit for bit in range(len(raw) * 8) if opens(flip(raw, bit), file_key)]

    assert taken == []
    assert len(raw) * 8 > 10_000


def test_flips_are_refused_through_the_real_derivation() -> None:
    """Fifty that read as a keystore file still, at the least cost that a file may ask for."""
    raw, _ = sample(CostBounds().least)
    vault.decode(raw, WORDS)[1].wipe()
    readable = [flipped for bit in range(len(raw) * 8) if reads(flipped := flip(raw, bit))]

    for altered in random.Random(2).sample(readable, SAMPLES):
        with pytest.raises(Unfit, match=r"wrong passphrase|was altered"):
            vault.decode(altered, WORDS)


def flip(raw: bytes, bit: int) -> bytes:
    """Return `raw` with one bit changed."""
    altered = bytearray(raw)
    altered[bit // 8] ^= 1 << bit % 8
    return bytes(altered)


def reads(raw: bytes) -> bool:
    """Tell whether a passphrase would be asked for at all."""
    try:
        vault_file.read(raw, CostBounds())
    except Unfit:
        return False
    return True


def test_a_new_passphrase_does_not_bless_an_altered_entry() -> None:
    """The old seal is opened before a new one is written over the same entries."""
    raw, _ = sample()
    document = msgspec.json.decode(raw, type=vault_file.Document)
    first, second = document.entries[:2]
    swapped = [
        msgspec.structs.replace(first, secret=second.secret),
        msgspec.structs.replace(second, secret=first.secret),
        *document.entries[2:],
    ]
    altered = vault_file.spelled(msgspec.structs.replace(document, entries=swapped))
    bounds = CostBounds(least=CHEAP)

    def rewrapped(content: bytes) -> bytes:
        return vault.rewrap(
            content,
            WORDS,
            b"another passphrase",
            CHEAP,
            random.Random(3).randbytes,
            bounds=bounds,
        )

    with pytest.raises(Unfit):
        rewrapped(altered)
    again = rewrapped(raw)
    assert vault.decode(again, b"another passphrase", bounds)[0] == document.header.id


def test_an_imported_entry_can_neither_be_added_nor_dropped() -> None:
    """The seal says which entries a file has."""
    with_key, file_key = sample()
    without, other_key = sample(imported=False)
    document = msgspec.json.decode(with_key, type=vault_file.Document)
    bare = msgspec.json.decode(without, type=vault_file.Document)

    dropped = msgspec.structs.replace(document, entries=document.entries[:4])
    added = msgspec.structs.replace(bare, entries=[*bare.entries, document.entries[4]])

    assert not opens(vault_file.spelled(dropped), file_key)
    assert not opens(vault_file.spelled(added), other_key)
    renamed = msgspec.structs.replace(document.entries[4], kind="bip39-entropy")
    relabeled = msgspec.structs.replace(document, entries=[*document.entries[:4], renamed])
    assert not opens(vault_file.spelled(relabeled), file_key)
