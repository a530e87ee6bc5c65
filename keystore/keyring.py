"""Seeds in memory and what they are for: application wallets and signed pool rows."""

from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keystore import imported, sealing
from keystore.api import ApplicationWallet, Family, PoolRow, Purpose, pool_message
from keystore.derivation import Leaf, leaf, leaves, seed_of
from keystore.networks.solana import lane_account
from keystore.vault import Secrets


class Keyring:
    """The unlocked keys. Seeds are bytearrays and `wipe` overwrites them."""

    def __init__(self, secrets: Secrets) -> None:
        self._seeds: dict[Purpose, bytearray] = {
            "pool": seed_of(secrets.pool),
            "hot": seed_of(secrets.hot),
            "gas": seed_of(secrets.gas),
        }
        self._imported: dict[Purpose, bytearray] = {
            "hot": bytearray(secrets.hot_key),
            "gas": bytearray(secrets.gas_key),
        }
        self._pool_signer = Ed25519PrivateKey.from_private_bytes(bytes(secrets.pool_signing))

    def __repr__(self) -> str:
        return "Keyring(***)"

    @property
    def pool_public_key(self) -> str:
        """The Ed25519 key that verifies pool rows, 64 hex digits."""
        return self._pool_signer.public_key().public_bytes_raw().hex()

    def hot(self, family: Family) -> Leaf:
        """Derive the paying key for one signature; the caller drops it at once."""
        return self._wallet("hot", family)

    def signer(self, purpose: Purpose, family: Family, index: int) -> Leaf:
        """Derive the key of a wallet of ours; `index` counts in the pool alone."""
        if purpose == "pool":
            return leaf(self._seeds["pool"], family, index)
        return self._wallet(purpose, family)

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
        for place in leaves(self._seeds["pool"], family, first, count):
            message = pool_message(network, place.index, place.path, place.address)
            yield PoolRow(
                network=network,
                index=place.index,
                path=place.path,
                address=place.address,
                signature=self._pool_signer.sign(message).hex(),
            )

    def wipe(self) -> None:
        """Overwrite the seeds and imported keys."""
        for secret in (*self._seeds.values(), *self._imported.values()):
            sealing.wipe(secret)

    def _wallet(self, purpose: Purpose, family: Family) -> Leaf:
        """Return hot or gas: the imported key where there is one, else the seed's first leaf."""
        key = self._imported[purpose]
        if key and family in imported.FAMILIES:
            return imported.leaf_of(key, family)
        return leaf(self._seeds[purpose], family)
