"""From a purpose's seed to a leaf: path, address, private key (BIP-39, BIP-32/44, SLIP-10).

bip-utils works on `bytes`, which Python cannot overwrite. So seeds rest as bytearrays, and leaf
keys are derived for one use and dropped at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bip_utils import (
    Bip39MnemonicGenerator,
    Bip39SeedGenerator,
    Bip44,
    Bip44Changes,
    Bip44Coins,
)

from keystore.api import Family

INDEX_END = 2**31
"""Child numbers of BIP-32 stop here."""
_COINS = {"ethereum": Bip44Coins.ETHEREUM, "tron": Bip44Coins.TRON, "solana": Bip44Coins.SOLANA}
_PATHS = {
    "ethereum": "m/44'/60'/0'/0/{}",
    "tron": "m/44'/195'/0'/0/{}",
    "solana": "m/44'/501'/{}'/0'",
}


@dataclass(frozen=True, slots=True, repr=False)
class Leaf:
    """One key pair. Ethereum addresses are lower-case; `key` is 32 bytes and hidden."""

    index: int
    path: str
    address: str
    key: bytes

    def __repr__(self) -> str:
        return f"Leaf({self.path}, {self.address})"


def seed_of(entropy: bytes | bytearray) -> bytearray:
    """Return the 64-byte BIP-39 seed of `entropy` (English words, empty BIP-39 passphrase)."""
    words = Bip39MnemonicGenerator().FromEntropy(bytes(entropy))
    return bytearray(Bip39SeedGenerator(words).Generate())


def leaf(seed: bytearray, family: Family, index: int = 0) -> Leaf:
    """Derive one leaf."""
    return next(leaves(seed, family, index, 1))


def leaves(seed: bytearray, family: Family, first: int, count: int) -> Iterator[Leaf]:
    """Derive `count` consecutive leaves; the nodes above them are computed once."""
    coin = Bip44.FromSeed(bytes(seed), _COINS[family]).Purpose().Coin()
    parent = None if family == "solana" else coin.Account(0).Change(Bip44Changes.CHAIN_EXT)
    for index in range(first, first + count):
        if parent is None:
            # Ed25519 has hardened children only: the index is the account (SLIP-10).
            node = coin.Account(index).Change(Bip44Changes.CHAIN_EXT)
        else:
            node = parent.AddressIndex(index)
        address = node.PublicKey().ToAddress()
        yield Leaf(
            index=index,
            path=_PATHS[family].format(index),
            address=address.lower() if family == "ethereum" else address,
            key=node.PrivateKey().Raw().ToBytes(),
        )
