"""Addresses and pool rows agree with published vectors and with other libraries."""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bip_utils import Bip39MnemonicDecoder
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from eth_account import Account
from solders.keypair import Keypair

from keystore.api import Family, PoolRow, pool_message
from keystore.derivation import FAMILIES, branch, leaf, leaves, seed_of
from keystore.keyring import Keyring
from keystore.vault import Secrets

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "pool.json"
ABANDON = bytes(16)
"""Entropy of "abandon abandon ... about"."""


def public_keyring() -> Keyring:
    """Return a keyring of seeds that everyone knows."""
    pool, hot, gas = (bytearray(ABANDON) for _ in range(3))
    return Keyring(Secrets(pool, hot, gas, pool_signing=bytearray(range(32))))


def test_entropy_becomes_the_published_bip39_seed() -> None:
    """The seed of the all-zero entropy without a passphrase."""
    assert seed_of(ABANDON).hex() == (
        "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1"
        "9a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4"
    )


@pytest.mark.parametrize(
    ("family", "path", "address"),
    [
        ("ethereum", "m/44'/60'/0'/0/0", "0x9858effd232b4033e47d90003d41ec34ecaeda94"),
        ("tron", "m/44'/195'/0'/0/0", "TUEZSdKsoDHQMeZwihtdoBiN46zxhGWYdH"),
        ("solana", "m/44'/501'/0'/0'", "HAgk14JpMQLgt6rVgv7cBQFJWFto5Dqxi472uT3DKpqk"),
    ],
)
def test_first_leaf_is_the_published_address(family: Family, path: str, address: str) -> None:
    """The first address of the public mnemonic, as wallets show it."""
    found = leaf(seed_of(ABANDON), family)

    assert (found.path, found.address) == (path, address)


def test_the_development_mnemonic_gives_the_known_account() -> None:
    """The first account of every local Ethereum chain."""
    entropy = Bip39MnemonicDecoder().Decode("test " * 11 + "junk")

    assert leaf(seed_of(entropy), "ethereum").address == (
        "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
    )


def test_later_leaves_agree_with_other_libraries() -> None:
    """eth-account and solders derive the same keys and addresses."""
    seed = seed_of(bytes(range(32)))
    for found in leaves(seed, "ethereum", 3, 3):
        assert Account.from_key(found.key).address.lower() == found.address
    for found in leaves(seed, "solana", 3, 3):
        other = Keypair.from_seed_and_derivation_path(bytes(seed), found.path)
        assert (str(other.pubkey()), other.secret()) == (found.address, found.key)


def test_purposes_do_not_share_keys() -> None:
    """Pool, hot and gas of one keystore have different addresses in every family."""
    keyring = Keyring(Secrets(*(bytearray([n] * 32) for n in range(4))))
    families: tuple[Family, ...] = ("ethereum", "tron", "solana")

    for family in families:
        row = next(keyring.pool_rows("x", family, 0, 1))
        addresses = {row.address, *(w.address for w in keyring.wallets(family))}
        assert len(addresses) == (4 if family == "solana" else 3)


def test_a_leaf_hides_its_key() -> None:
    """A leaf in a log or a traceback shows path and address only."""
    found = leaf(seed_of(ABANDON), "tron")

    assert found.key.hex() not in repr(found)
    assert str(list(found.key)) not in repr(found)
    assert repr(found) == "Leaf(m/44'/195'/0'/0/0, TUEZSdKsoDHQMeZwihtdoBiN46zxhGWYdH)"


def test_pool_rows_are_the_shared_vectors() -> None:
    """`tests/vectors/pool.json` is what the keystore makes; the gateway verifies the same."""
    vectors = json.loads(VECTORS.read_text())
    keyring = public_keyring()
    families: tuple[Family, ...] = ("ethereum", "tron", "solana")

    rows = [row for family in families for row in keyring.pool_rows(family, family, 0, 2)]

    assert keyring.pool_public_key == vectors["public_key"]
    assert msgspec.to_builtins(rows) == vectors["rows"]


def test_a_pool_row_is_bound_to_each_of_its_fields() -> None:
    """A signature does not fit another network, index, path or address."""
    vectors = json.loads(VECTORS.read_text())
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(vectors["public_key"]))
    row = msgspec.convert(vectors["rows"][0], PoolRow)
    other = msgspec.convert(vectors["rows"][3], PoolRow)
    signature = bytes.fromhex(row.signature)
    key.verify(signature, pool_message(row.network, row.index, row.path, row.address))

    for changed in (
        (other.network, row.index, row.path, row.address),
        (row.network, other.index, row.path, row.address),
        (row.network, row.index, other.path, row.address),
        (row.network, row.index, row.path, other.address),
    ):
        with pytest.raises(InvalidSignature):
            key.verify(signature, pool_message(*changed))


@pytest.mark.parametrize("family", FAMILIES)
def test_nodes_on_the_way_down_are_overwritten(family: Family) -> None:
    """Of every node that a branch or a leaf passes, only the one that rests is left."""
    passed: list[Any] = []

    def seen(_frame: object, event: str, value: object) -> None:
        if event == "return" and type(value).__name__ == "_Node":
            passed.append(value)

    sys.setprofile(seen)
    try:
        above = branch(bytearray(range(64)), family)
        above.key(5)
    finally:
        sys.setprofile(None)

    left = {id(node): node for node in passed if any(node.key) or any(node.chain)}
    assert len({id(node) for node in passed}) >= 4
    assert list(left.values()) == [above.node]


def test_wiping_overwrites_what_rests() -> None:
    """The pool's nodes and the keys of hot and gas, imported ones too."""
    pool, hot, gas, signing, key = (bytearray([n] * 32) for n in range(1, 6))
    secrets = Secrets(pool, hot, gas, pool_signing=signing, hot_key=key)
    keyring = Keyring(secrets)
    assert keyring.key("hot", "tron") == bytes(key)
    nodes = [each.node for each in keyring._pool.values()]
    wallets = [each for both in keyring._wallets.values() for each in both.values()]
    rested = [buffer for node in nodes for buffer in (node.key, node.chain)]
    rested += [each.key for each in wallets if isinstance(each.key, bytearray)]
    assert all(any(buffer) for buffer in rested)
    assert len(rested) == 3 * 2 + 2 * 2

    keyring.wipe()

    assert not any(any(buffer) for buffer in rested)
    for family in FAMILIES:
        with pytest.raises(KeyError):
            keyring.key("hot", family)


def test_above_hot_and_gas_nothing_rests() -> None:
    """They have one key a family: the nodes that would give more are gone once it is there."""
    passed: list[Any] = []

    def seen(_frame: object, event: str, value: object) -> None:
        if event == "return" and type(value).__name__ == "_Node":
            passed.append(value)

    sys.setprofile(seen)
    try:
        keyring = Keyring(Secrets(*(bytearray([n] * 32) for n in range(1, 5))))
    finally:
        sys.setprofile(None)

    left = {id(node) for node in passed if any(node.key) or any(node.chain)}
    assert left == {id(each.node) for each in keyring._pool.values()}
