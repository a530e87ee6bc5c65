"""The encrypted file opens with its passphrase as it was written, and in no other way."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from keystore import disk, vault
from keystore.refusal import Unfit
from keystore.sealing import Cost, CostBounds

PASSPHRASE = b"correct horse battery staple"
CHEAP = Cost(memory_cost=64, iterations=1, lanes=1)
ANY_COST = CostBounds(least=CHEAP)


def stream(seed: int) -> Callable[[int], bytes]:
    """Return a fixed stream of bytes in place of the kernel's."""
    return random.Random(seed).randbytes


def sample(seed: int = 1) -> bytes:
    """Return a small file with known secrets."""
    secrets = vault.fresh_secrets(stream(seed))
    return vault.encode(secrets, PASSPHRASE, CHEAP, stream(seed + 1))


def open_cheaply(raw: bytes, passphrase: bytes = PASSPHRASE) -> vault.Secrets:
    """Open with bounds that allow the tests' cost."""
    return vault.decode(raw, passphrase, ANY_COST)[1]


def respelled(document: Any) -> bytes:
    """Spell an altered document as the keystore itself would."""
    return msgspec.json.format(json.dumps(document).encode(), indent=1) + b"\n"


def test_a_file_gives_back_its_secrets() -> None:
    """What was sealed is what opens, and the file id comes with it."""
    secrets = vault.fresh_secrets(stream(1))

    vault_id, opened = vault.decode(sample(), PASSPHRASE, ANY_COST)

    assert opened == secrets
    assert len(vault_id) == 32


def test_secrets_are_nowhere_in_the_file_and_not_in_repr() -> None:
    """Neither raw, hex nor base64 of a secret can be read off."""
    secrets = vault.fresh_secrets(stream(1))

    assert repr(secrets) == "Secrets(***)"
    for secret in (secrets.pool, secrets.hot, secrets.gas, secrets.pool_signing):
        assert secret.hex().encode() not in sample()
        assert msgspec.json.encode(bytes(secret))[1:-3] not in sample()


def test_wiping_overwrites_every_secret() -> None:
    """After `wipe` the buffers hold zeros."""
    secrets = vault.fresh_secrets(stream(1))

    secrets.wipe()

    assert secrets == vault.Secrets(*(bytearray(32) for _ in range(4)))


def test_a_wrong_passphrase_is_refused() -> None:
    """One sentence, and no exception of the cipher."""
    with pytest.raises(Unfit, match="wrong passphrase"):
        open_cheaply(sample(), b"correct horse battery stapl")


def test_every_byte_is_guarded() -> None:
    """A flip of one bit in any byte of the file is refused: nothing of it is slack."""
    raw, bits = sample(), random.Random(7)

    for place in range(len(raw)):
        altered = bytearray(raw)
        altered[place] ^= 1 << bits.randrange(8)
        with pytest.raises(Unfit):
            open_cheaply(bytes(altered))


def test_a_truncated_or_longer_file_is_refused() -> None:
    """Every length but the right one is wrong."""
    raw = sample()

    for end in (0, 1, len(raw) // 3, len(raw) // 2, len(raw) - 2, len(raw) - 1):
        with pytest.raises(Unfit):
            open_cheaply(raw[:end])
    for tail in (b"\n", b" ", b"{}", b"x" * 70_000):
        with pytest.raises(Unfit):
            open_cheaply(raw + tail)


def swap_names(document: Any) -> None:
    """Let hot and gas trade ciphertexts."""
    first, second = document["entries"][1], document["entries"][2]
    first["secret"], second["secret"] = second["secret"], first["secret"]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["entries"].reverse(),
        lambda d: d["entries"].pop(),
        lambda d: d["entries"].append(d["entries"][0]),
        swap_names,
        lambda d: d["slots"].append(d["slots"][0]),
        lambda d: d["slots"].clear(),
        lambda d: d["slots"][0].update(label="spare"),
        lambda d: d["header"].update(version=2),
        lambda d: d["header"].update(magic="GWKT"),
        lambda d: d.update(comment="hello"),
        lambda d: d["slots"][0]["kdf"].update(iterations=2),
    ],
)
def test_a_rearranged_file_is_refused(change: Callable[[Any], object]) -> None:
    """Dropped, doubled, swapped and added parts do not open, however well they are spelled."""
    document = json.loads(sample())
    change(document)

    with pytest.raises(Unfit):
        open_cheaply(respelled(document))


def test_an_entry_of_another_file_does_not_open_here() -> None:
    """A ciphertext belongs to one file: its header is part of the context."""
    document, other = json.loads(sample(1)), json.loads(sample(5))
    document["entries"][0] = other["entries"][0]

    with pytest.raises(Unfit):
        open_cheaply(respelled(document))


@pytest.mark.parametrize(
    "kdf",
    [{"memory_cost": 1_024}, {"memory_cost": 2**23}, {"iterations": 21}, {"lanes": 17}],
)
def test_derivation_costs_are_bounded_both_ways(kdf: dict[str, int]) -> None:
    """A file may ask neither for a cheap guess nor for all memory of the machine."""
    document = json.loads(sample())
    document["slots"][0]["kdf"].update({"memory_cost": 2**18, **kdf})

    with pytest.raises(Unfit, match="outside the allowed bounds"):
        vault.decode(respelled(document), PASSPHRASE)


def test_loose_spelling_is_refused() -> None:
    """Other spacing, a doubled key and unpadded base64 mean the same to JSON, not to us."""
    raw = sample()
    nonce = json.loads(raw)["seal"]["nonce"]
    doubled = raw.replace(b'"version": 1,', b'"version": 1, "version": 1,')
    loose = raw.replace(nonce.encode(), nonce.encode() + b"=")

    for altered in (json.dumps(json.loads(raw)).encode(), doubled, loose):
        assert altered != raw
        with pytest.raises(Unfit):
            open_cheaply(altered)


def test_two_files_share_nothing() -> None:
    """The same secrets and passphrase give another file each time."""
    secrets = vault.fresh_secrets(stream(1))
    first, second = (
        json.loads(vault.encode(secrets, PASSPHRASE, CHEAP, os.urandom)) for _ in range(2)
    )

    assert first["header"]["id"] != second["header"]["id"]
    assert first["slots"][0]["kdf"]["salt"] != second["slots"][0]["kdf"]["salt"]
    assert first["entries"][0]["secret"] != second["entries"][0]["secret"]


def test_a_new_file_is_private_whole_and_never_over_another(tmp_path: Path) -> None:
    """Mode 0600, no draft left behind, and the second attempt changes nothing."""
    path = tmp_path / "keys.gwks"
    disk.create(path, b"first")

    with pytest.raises(Unfit, match="will not be overwritten"):
        disk.create(path, b"second")

    assert path.read_bytes() == b"first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
