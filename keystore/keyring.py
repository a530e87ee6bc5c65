"""Keys in memory and what they are for: application wallets and signed pool rows."""

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keystore import imported, sealing
from keystore.api import ApplicationWallet, Family, PoolRow, Purpose, pool_message
from keystore.derivation import FAMILIES, Branch, address_of, branch, seed_of
from keystore.networks.scheme import Key
from keystore.networks.solana import lane_account
from keystore.vault import Secrets


@dataclass(frozen=True, slots=True, repr=False)
class _Wallet:
    """Hot or gas of one family: its public half and its key, which signs often."""

    address: str
    path: str
    key: bytearray | Ed25519PrivateKey

    def __repr__(self) -> str:
        return f"_Wallet({self.path}, {self.address})"


class Keyring:
    """The unlocked keys: the nodes above the pool's leaves, the keys of hot and gas, never a seed.

    They are bytearrays and `wipe` overwrites them. Ed25519 keys that sign often rest in OpenSSL's
    own objects, which overwrite them when they go: the pool's signer, hot and gas on Solana.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._pool = _branches(secrets.pool)
        self._wallets: dict[Purpose, dict[Family, _Wallet]] = {
            "hot": _wallets(secrets.hot, secrets.hot_key),
            "gas": _wallets(secrets.gas, secrets.gas_key),
        }
        self._pool_signer = Ed25519PrivateKey.from_private_bytes(bytes(secrets.pool_signing))

    def __repr__(self) -> str:
        return "Keyring(***)"

    @property
    def pool_public_key(self) -> str:
        """The Ed25519 key that verifies pool rows, 64 hex digits."""
        return self._pool_signer.public_key().public_bytes_raw().hex()

    def key(self, purpose: Purpose, family: Family, index: int = 0) -> Key:
        """Return the key of a wallet of ours for one signature; the caller drops it at once.

        `index` counts in the pool alone.
        """
        if purpose == "pool":
            return self._pool[family].key(index)
        key = self._wallets[purpose][family].key
        return bytes(key) if isinstance(key, bytearray) else key

    def pool_address(self, family: Family, index: int) -> str:
        """Return the address at a place of the pool."""
        return address_of(self._pool[family].key(index), family)

    def wallets(self, family: Family, lanes: int = 1) -> list[ApplicationWallet]:
        """Return the public half of hot and gas, and of the first nonce lanes on Solana."""
        found = []
        purposes: tuple[Purpose, ...] = ("hot", "gas")
        for purpose in purposes:
            wallet = self._wallets[purpose][family]
            found.append(
                ApplicationWallet(purpose=purpose, address=wallet.address, path=wallet.path)
            )
        if family == "solana":
            for lane in range(lanes):
                account = lane_account(found[0].address, lane)
                found.append(ApplicationWallet(purpose="nonce", address=account, path=""))
        return found

    def pool_rows(
        self, network: str, family: Family, first: int, count: int
    ) -> Iterator[PoolRow]:
        """Derive deposit addresses and sign each with its place in the pool."""
        for place in map(self._pool[family].leaf, range(first, first + count)):
            message = pool_message(network, place.index, place.path, place.address)
            yield PoolRow(
                network=network,
                index=place.index,
                path=place.path,
                address=place.address,
                signature=self._pool_signer.sign(message).hex(),
            )

    def wipe(self) -> None:
        """Overwrite nodes and keys; what OpenSSL holds goes with this object."""
        for each in self._pool.values():
            each.wipe()
        for families in self._wallets.values():
            for wallet in families.values():
                if isinstance(wallet.key, bytearray):
                    sealing.wipe(wallet.key)
            families.clear()


def _branches(entropy: bytearray) -> dict[Family, Branch]:
    """Derive a purpose's nodes; its seed is wiped at once."""
    seed = seed_of(entropy)
    try:
        return {family: branch(seed, family) for family in FAMILIES}
    finally:
        sealing.wipe(seed)


def _wallets(entropy: bytearray, imported_key: bytearray) -> dict[Family, _Wallet]:
    """Derive a purpose's one wallet of each family; the nodes above are wiped at once.

    An imported key, where there is one, stands in the place of its families' first leaves.
    """
    found = {}
    for family, above in _branches(entropy).items():
        taken = imported_key and family in imported.FAMILIES
        leaf = imported.leaf_of(imported_key, family) if taken else above.leaf(0)
        above.wipe()
        found[family] = _Wallet(leaf.address, leaf.path, _resting(leaf.key, family))
    return found


def _resting(key: bytes, family: Family) -> bytearray | Ed25519PrivateKey:
    """Put a key where it can be overwritten."""
    if family == "solana":
        return Ed25519PrivateKey.from_private_bytes(key)
    return bytearray(key)
