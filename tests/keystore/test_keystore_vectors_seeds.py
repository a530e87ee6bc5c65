"""Words, seeds and derived keys are those of the published vectors and of a second library."""

import hashlib
import hmac
import json
import random
from pathlib import Path
from typing import Any

import pytest
from bip_utils import (
    Base58ChecksumError,
    Bip32KeyError,
    Bip32Slip10Ed25519,
    Bip32Slip10Nist256p1,
    Bip32Slip10Secp256k1,
    Bip39SeedGenerator,
    Bip44,
    Bip44Changes,
    Bip44Coins,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_account import Account
from eth_account.hdaccount import key_from_seed
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tronpy.keys import PrivateKey

from keystore.api import Family
from keystore.derivation import leaf, leaves, seed_of
from keystore.words import entropy_of, words_of

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
BIP32, BIP39, SLIP10 = (
    json.loads((VECTORS / f"{name}.json").read_text()) for name in ("bip32", "bip39", "slip10")
)
PATHS, SEED = 1_000, 10
FAMILIES: tuple[Family, ...] = ("ethereum", "tron", "solana")
HARDENED = 2**31
COINS = {"ethereum": Bip44Coins.ETHEREUM, "tron": Bip44Coins.TRON, "solana": Bip44Coins.SOLANA}


@pytest.mark.parametrize("vector", BIP39["vectors"], ids=lambda v: v["entropy"][:8])
def test_words_and_seed_are_those_of_bip39(vector: dict[str, str]) -> None:
    """Both ways, and the seed with the vectors' own passphrase leads to their root key."""
    entropy, words = bytes.fromhex(vector["entropy"]), vector["words"]

    assert words_of(entropy) == words.split()
    assert entropy_of(words, "x") == entropy
    seed = Bip39SeedGenerator(words).Generate("TREZOR")
    assert seed.hex() == vector["seed"]
    root = Bip32Slip10Secp256k1.FromSeed(seed).PrivateKey().ToExtended()
    assert root == vector["xprv"]


@pytest.mark.parametrize("vector", BIP39["vectors"], ids=lambda v: v["entropy"][:8])
def test_a_seed_has_no_passphrase_of_its_own(vector: dict[str, str]) -> None:
    """What the keystore derives from is PBKDF2 over the words and the salt `mnemonic`."""
    expected = hashlib.pbkdf2_hmac("sha512", vector["words"].encode(), b"mnemonic", 2048)

    assert seed_of(bytes.fromhex(vector["entropy"])) == expected


def test_there_are_all_published_vectors() -> None:
    """A shortened file would pass every loop over it."""
    assert len(BIP39["vectors"]) == 24
    assert [len(chain["nodes"]) for chain in BIP32["chains"]] == [6, 6, 2, 3]
    assert len(BIP32["invalid"]) == 16
    assert [len(SLIP10[curve]) for curve in ("secp256k1", "ed25519")] == [2, 2]


@pytest.mark.parametrize("chain", BIP32["chains"], ids=lambda c: c["seed"][:8])
def test_extended_keys_are_those_of_bip32(chain: dict[str, Any]) -> None:
    """Vectors 1 to 4: both extended keys of every node."""
    root = Bip32Slip10Secp256k1.FromSeed(bytes.fromhex(chain["seed"]))

    for node in chain["nodes"]:
        found = root.DerivePath(node["path"])
        assert found.PublicKey().ToExtended() == node["xpub"]
        assert found.PrivateKey().ToExtended() == node["xprv"]


@pytest.mark.parametrize("key", BIP32["invalid"])
def test_invalid_extended_keys_of_bip32_are_refused(key: str) -> None:
    """Vector 5: wrong checksums, versions, prefixes, zero keys and points off the curve."""
    with pytest.raises((Bip32KeyError, Base58ChecksumError, ValueError)):
        Bip32Slip10Secp256k1.FromExtendedKey(key)


@pytest.mark.parametrize(
    ("curve", "kind"),
    [("secp256k1", Bip32Slip10Secp256k1), ("ed25519", Bip32Slip10Ed25519)],
)
def test_nodes_are_those_of_slip10(curve: str, kind: Any) -> None:
    """Private key, public key and chain code of every node."""
    for chain in SLIP10[curve]:
        root = kind.FromSeed(bytes.fromhex(chain["seed"]))
        for node in chain["nodes"]:
            found = root.DerivePath(node["path"])
            assert found.PrivateKey().Raw().ToHex() == node["private"]
            assert found.PublicKey().RawCompressed().ToHex() == node["public"]
            assert found.ChainCode().ToHex() == node["chain_code"]


def test_a_seed_without_a_valid_key_is_hashed_again() -> None:
    """The retry of SLIP-0010, published for nist256p1: on secp256k1 nobody has found one."""
    vector = SLIP10["seed_retry_nist256p1"]

    root = Bip32Slip10Nist256p1.FromSeed(bytes.fromhex(vector["seed"]))

    assert root.PrivateKey().Raw().ToHex() == vector["private"]
    assert root.ChainCode().ToHex() == vector["chain_code"]


@pytest.mark.parametrize(("first", "count"), [(-1, 1), (HARDENED, 1), (HARDENED - 1, 2)])
def test_there_are_no_leaves_beyond_the_child_numbers(first: int, count: int) -> None:
    """The next number would be a hardened child, another wallet's key."""
    with pytest.raises(ValueError, match="child numbers"):
        list(leaves(bytearray(64), "ethereum", first, count))
    assert leaf(bytearray(64), "tron", HARDENED - 1).index == HARDENED - 1


def test_ed25519_reference_is_the_published_one() -> None:
    """The second opinion below agrees with SLIP-0010 itself."""
    for chain in SLIP10["ed25519"]:
        for node in chain["nodes"]:
            assert (
                ed25519_leaf(bytes.fromhex(chain["seed"]), node["path"]).hex()
                == (node["private"])
            )


def test_leaves_agree_with_other_libraries_on_random_paths() -> None:
    """1,000 seeds and indexes: bip-utils, eth-account, solders, and SLIP-0010 in ten lines."""
    random_ = random.Random(SEED)
    seen = dict.fromkeys(FAMILIES, 0)
    for number in range(PATHS):
        family = FAMILIES[number % 3]
        seed, index = random_.randbytes(64), random_.randrange(HARDENED)

        found = leaf(bytearray(seed), family, index)

        key, address = second_opinion(seed, family, found.path)
        assert str(index) in found.path
        assert by_bip_utils(seed, family, index) == (found.key, found.address)
        assert (found.key, found.address) == (key, address), found.path
        seen[family] += 1
    assert min(seen.values()) >= PATHS // 3


def by_bip_utils(seed: bytes, family: Family, index: int) -> tuple[bytes, str]:
    """Derive key and address as bip-utils names the wallets' places."""
    coin = Bip44.FromSeed(seed, COINS[family]).Purpose().Coin()
    if family == "solana":
        node = coin.Account(index).Change(Bip44Changes.CHAIN_EXT)
    else:
        node = coin.Account(0).Change(Bip44Changes.CHAIN_EXT).AddressIndex(index)
    address = str(node.PublicKey().ToAddress())
    key = bytes(node.PrivateKey().Raw().ToBytes())
    return key, address.lower() if family == "ethereum" else address


def second_opinion(seed: bytes, family: Family, path: str) -> tuple[bytes, str]:
    """Derive key and address without bip-utils."""
    if family == "solana":
        key = ed25519_leaf(seed, path)
        public = Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()
        other = Keypair.from_seed_and_derivation_path(seed, path)
        assert other.secret() == key
        return key, str(Pubkey(public))
    key = bytes(key_from_seed(seed, path))
    if family == "tron":
        return key, PrivateKey(key).public_key.to_base58check_address()
    return key, Account.from_key(key).address.lower()


def ed25519_leaf(seed: bytes, path: str) -> bytes:
    """SLIP-0010 for ed25519: hardened children only."""
    digest = hmac.digest(b"ed25519 seed", seed, "sha512")
    for step in path.split("/")[1:]:
        number = int(step.removesuffix("'")) + HARDENED
        body = b"\0" + digest[:32] + number.to_bytes(4, "big")
        digest = hmac.digest(digest[32:], body, "sha512")
    return digest[:32]
