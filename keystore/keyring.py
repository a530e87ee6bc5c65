"""Keys in memory and what they are for: application wallets and signed pool rows."""

from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keystore import imported, sealing
from keystore.api import ApplicationWallet, Family, PoolRow, Purpose, pool_message
from keystore.derivation import FAMILIES, Branch, Leaf, address_of, branch, seed_of
from keystore.networks.scheme import Key
from keystore.networks.solana import lane_account
from keystore.vault import Secrets


class Keyring:
    """The unlocked keys: for each purpose and family the node above its leaves, never a seed.

    They are bytearrays and `wipe` overwrites them. Ed25519 keys that sign often rest in OpenSSL's
    own objects, which overwrite them when they go: the pool's signer, hot and gas on Solana.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._branches: dict[Purpose, dict[Family, Branch]] = {
            "pool": _branches(secrets.pool),
            "hot": _branches(secrets.hot),
            "gas": _branches(secrets.gas),
        }
        self._imported: dict[Purpose, bytearray] = {
            "hot": bytearray(secrets.hot_key),
            "gas": bytearray(secrets.gas_key),
        }
        self._pool_signer = Ed25519PrivateKey.from_private_bytes(bytes(secrets.pool_signing))
        self._solana: dict[Purpose, Ed25519PrivateKey] = {
            purpose: Ed25519PrivateKey.from_private_bytes(families["solana"].key(0))
            for purpose, families in self._branches.items()
            if purpose != "pool"
        }

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
        if family == "solana" and purpose != "pool":
            return self._solana[purpose]
        if imported_key := self._imported_for(purpose, family):
            return bytes(imported_key)
        return self._branches[purpose][family].key(index if purpose == "pool" else 0)

    def pool_address(self, family: Family, index: int) -> str:
        """Return the address at a place of the pool."""
        return address_of(self._branches["pool"][family].key(index), family)

    def wallets(self, family: Family, lanes: int = 1) -> list[ApplicationWallet]:
        """Return the public half of hot and gas, and of the first nonce lanes on Solana."""
        found = []
        purposes: tuple[Purpose, ...] = ("hot", "gas")
        for purpose in purposes:
            place = self._wallet(purpose, family)
            found.append(
                ApplicationWallet(purpose=purpose, address=place.address, path=place.path)
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
        for place in map(self._branches["pool"][family].leaf, range(first, first + count)):
            message = pool_message(network, place.index, place.path, place.address)
            yield PoolRow(
                network=network,
                index=place.index,
                path=place.path,
                address=place.address,
                signature=self._pool_signer.sign(message).hex(),
            )

    def wipe(self) -> None:
        """Overwrite the nodes and imported keys; what OpenSSL holds goes with this object."""
        self._solana.clear()
        for families in self._branches.values():
            for each in families.values():
                each.wipe()
        for secret in self._imported.values():
            sealing.wipe(secret)

    def _wallet(self, purpose: Purpose, family: Family) -> Leaf:
        """Return hot or gas: the imported key where there is one, else the seed's first leaf."""
        if key := self._imported_for(purpose, family):
            return imported.leaf_of(key, family)
        return self._branches[purpose][family].leaf(0)

    def _imported_for(self, purpose: Purpose, family: Family) -> bytearray:
        key = self._imported.get(purpose, bytearray())
        return key if family in imported.FAMILIES else bytearray()


def _branches(entropy: bytearray) -> dict[Family, Branch]:
    """Derive a purpose's nodes; its seed is wiped at once."""
    seed = seed_of(entropy)
    try:
        return {family: branch(seed, family) for family in FAMILIES}
    finally:
        sealing.wipe(seed)
