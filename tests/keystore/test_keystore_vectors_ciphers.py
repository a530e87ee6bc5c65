"""What seals the file and signs the rows is what the RFCs say, on their own vectors."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from keystore import sealing
from keystore.keyring import Keyring
from keystore.sealing import Kdf, NotOpened, Sealed
from keystore.vault import Secrets

VECTORS = json.loads((Path(__file__).resolve().parents[1] / "vectors" / "rfc.json").read_text())


def octets(vector: dict[str, Any], name: str) -> bytes:
    """Return one hexadecimal field."""
    return bytes.fromhex(vector[name])


def test_argon2id_is_that_of_rfc_9106() -> None:
    """With the secret and the associated data of section 5.3, which a passphrase slot leaves out."""
    vector = VECTORS["argon2id"]
    names = ("lanes", "iterations", "memory_cost")
    cost = {name: vector[name] for name in names}

    found = Argon2id(
        salt=octets(vector, "salt"),
        length=32,
        secret=octets(vector, "secret"),
        ad=octets(vector, "ad"),
        **cost,
    ).derive(octets(vector, "password"))

    assert found.hex() == vector["output"]


def test_a_slot_key_is_argon2id_with_the_slots_own_numbers() -> None:
    """Nothing is left out or exchanged between the file and the function."""
    kdf = Kdf(alg="argon2id", memory_cost=64, iterations=2, lanes=4, salt=bytes(range(16)))
    plain = Argon2id(salt=kdf.salt, length=32, iterations=2, lanes=4, memory_cost=64)

    assert sealing.key_from_passphrase(b"words", kdf) == plain.derive(b"words")


@pytest.mark.parametrize("vector", VECTORS["chacha20_poly1305"], ids=["2.8.2", "A.5"])
def test_sealing_is_the_aead_of_rfc_8439(vector: dict[str, str]) -> None:
    """`seal` writes the published ciphertext and tag, `unseal` opens them and nothing else."""
    key = bytearray(octets(vector, "key"))
    published = octets(vector, "ct") + octets(vector, "tag")

    sealed = sealing.seal(
        key,
        octets(vector, "plaintext"),
        octets(vector, "ad"),
        lambda _: octets(vector, "nonce"),
    )

    assert sealed.ct == published
    assert sealing.unseal(key, sealed, octets(vector, "ad")) == octets(vector, "plaintext")
    with pytest.raises(NotOpened):
        sealing.unseal(key, Sealed(sealed.nonce, sealed.ct[:-1] + b"\0"), octets(vector, "ad"))


@pytest.mark.parametrize("vector", VECTORS["ed25519"], ids=lambda v: v["secret"][:8])
def test_signatures_are_those_of_rfc_8032(vector: dict[str, str]) -> None:
    """The published key is the pool's public key, and signs as published."""
    secret, message = octets(vector, "secret"), octets(vector, "message")
    pool, hot, gas = (bytearray(32) for _ in range(3))

    keyring = Keyring(Secrets(pool, hot, gas, pool_signing=bytearray(secret)))

    assert keyring.pool_public_key == vector["public"]
    assert (
        Ed25519PrivateKey.from_private_bytes(secret).sign(message).hex()
        == (vector["signature"])
    )
    public = Ed25519PublicKey.from_public_bytes(octets(vector, "public"))
    public.verify(octets(vector, "signature"), message)
