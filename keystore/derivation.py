"""From a purpose's seed to a leaf: path, address, private key (BIP-39, BIP-32/44, SLIP-0010).

Private derivation only, along three fixed paths, in as few steps as they have. What rests is the
node above a family's leaves: a leaf's key is derived for every signature and dropped at once. Tests
hold it to the published vectors, to bip-utils and to two more libraries.

What rests are bytearrays, and so are the nodes on the way down, which are overwritten as soon as the
next one is there. Python cannot overwrite `bytes` and `int`: an HMAC's result, the sum of key and
tweak and a leaf's key stay in freed memory until something else is put there.
"""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass

from bip_utils import Base58Encoder, Bip39MnemonicGenerator, Bip39SeedGenerator
from bip_utils.utils.crypto import Kekkak256
from coincurve import PublicKey
from solders.keypair import Keypair

from keystore.api import Family
from keystore.sealing import wipe

INDEX_END = 2**31
"""Child numbers of BIP-32 stop here; a hardened child has its number and this."""
_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""Of secp256k1 (SEC 2)."""
_COINS = {"ethereum": 60, "tron": 195, "solana": 501}
"""SLIP-0044."""
_PATHS = {
    "ethereum": "m/44'/60'/0'/0/{}",
    "tron": "m/44'/195'/0'/0/{}",
    "solana": "m/44'/501'/{}'/0'",
}
_TRON_PREFIX = b"\x41"
FAMILIES: tuple[Family, ...] = ("ethereum", "tron", "solana")


@dataclass(frozen=True, slots=True, repr=False)
class Leaf:
    """One key pair. Ethereum addresses are lower-case; `key` is 32 bytes and hidden."""

    index: int
    path: str
    address: str
    key: bytes

    def __repr__(self) -> str:
        return f"Leaf({self.path}, {self.address})"


@dataclass(frozen=True, slots=True, repr=False)
class _Node:
    """A private key and its chain code."""

    key: bytearray
    chain: bytearray

    def __repr__(self) -> str:
        return "_Node(***)"

    def wipe(self) -> None:
        """Overwrite it."""
        wipe(self.key)
        wipe(self.chain)


@dataclass(frozen=True, slots=True, repr=False)
class Branch:
    """The node above a family's leaves, in buffers that `wipe` overwrites.

    `point` is its public key, compressed (SEC 1); empty on Solana, whose children need none.
    """

    family: Family
    node: _Node
    point: bytes

    def __repr__(self) -> str:
        return "Branch(***)"

    def key(self, index: int) -> bytes:
        """Derive one leaf's private key; raise `ValueError` for what is no child number."""
        if not 0 <= index < INDEX_END:
            raise ValueError(f"leaves have child numbers, and {index} is none")
        if self.family == "solana":
            last = _below(_replaced(self.node, index), 0)
        else:
            last = _tweaked(self.node, self.point, index)
        key = bytes(last.key)
        last.wipe()
        return key

    def leaf(self, index: int) -> Leaf:
        """Derive one leaf."""
        key, path = self.key(index), _PATHS[self.family].format(index)
        return Leaf(index=index, path=path, address=address_of(key, self.family), key=key)

    def wipe(self) -> None:
        """Overwrite it."""
        self.node.wipe()


def seed_of(entropy: bytes | bytearray) -> bytearray:
    """Return the 64-byte BIP-39 seed of `entropy` (English words, empty BIP-39 passphrase)."""
    words = Bip39MnemonicGenerator().FromEntropy(bytes(entropy))
    return bytearray(Bip39SeedGenerator(words).Generate())


def family_of_path(path: str, index: int) -> Family | None:
    """Return the family whose leaf `index` has this path."""
    return next((each for each in FAMILIES if _PATHS[each].format(index) == path), None)


def leaf(seed: bytearray, family: Family, index: int = 0) -> Leaf:
    """Derive one leaf."""
    return next(leaves(seed, family, index, 1))


def leaves(seed: bytearray, family: Family, first: int, count: int) -> Iterator[Leaf]:
    """Derive `count` consecutive leaves; the nodes above them are computed once."""
    above = branch(seed, family)
    try:
        for index in range(first, first + count):
            yield above.leaf(index)
    finally:
        above.wipe()


def branch(seed: bytearray, family: Family) -> Branch:
    """Return `m/44'/coin'/0'/0` on secp256k1 (BIP-32), `m/44'/501'` on ed25519 (SLIP-0010).

    The nodes above it are overwritten.
    """
    coin = _COINS[family]
    if family == "solana":
        above, point = _root(b"ed25519 seed", seed), b""
        for number in (44, coin):
            above = _below(above, number)
    else:
        above = _root(b"Bitcoin seed", seed)
        for number in (44, coin, 0):
            above = _left(above, _tweaked(above, b"\0" + above.key, number + INDEX_END))
        above = _left(above, _tweaked(above, _point(above), 0))
        point = _point(above)
    return Branch(family, above, point)


def address_of(key: bytes | bytearray, family: Family) -> str:
    """Return the address of a private key; raise `ValueError` where it is none of the curve."""
    if family == "solana":
        return str(Keypair.from_seed(key).pubkey())
    point = PublicKey.from_secret(bytes(key)).format(compressed=False)
    account: bytes = Kekkak256.QuickDigest(point[1:])[-20:]
    if family == "tron":
        return str(Base58Encoder.CheckEncode(_TRON_PREFIX + account))
    return f"0x{account.hex()}"


def _root(curve: bytes, seed: bytearray) -> _Node:
    digest = bytearray(hmac.digest(curve, seed, "sha512"))
    return _Node(digest[:32], digest[32:])


def _tweaked(parent: _Node, public: bytes, number: int) -> _Node:
    """Return a child on secp256k1: the parent's key plus a hash, modulo the order.

    BIP-32 has no key where the hash is not below the order or the sum is 0: once in 2**127.
    """
    digest = bytearray(hmac.digest(parent.chain, public + number.to_bytes(4, "big"), "sha512"))
    tweak = int.from_bytes(digest[:32], "big")
    total = (tweak + int.from_bytes(parent.key, "big")) % _ORDER
    if tweak >= _ORDER or total == 0:
        raise ValueError("BIP-32 has no key at this place")
    return _Node(bytearray(total.to_bytes(32, "big")), digest[32:])


def _below(parent: _Node, number: int) -> _Node:
    """Return a hardened child on ed25519; the parent is overwritten."""
    return _left(parent, _replaced(parent, number))


def _left(parent: _Node, child: _Node) -> _Node:
    """Overwrite the node that a step leaves behind."""
    parent.wipe()
    return child


def _replaced(parent: _Node, number: int) -> _Node:
    """Return a hardened child on ed25519: every hash is a key."""
    body = b"\0" + parent.key + (number + INDEX_END).to_bytes(4, "big")
    digest = bytearray(hmac.digest(parent.chain, body, "sha512"))
    return _Node(digest[:32], digest[32:])


def _point(node: _Node) -> bytes:
    return PublicKey.from_secret(bytes(node.key)).format()
