"""Seeds in memory and what they are for: application wallets and signed pool rows."""

from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keystore import sealing
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
        self._pool_signer = Ed25519PrivateKey.from_private_bytes(bytes(secrets.pool_signing))

    def __repr__(self) -> str:
        return "Keyring(***)"

    @property
    def pool_public_key(self) -> str:
        """The Ed25519 key that verifies pool rows, 64 hex digits."""
        return self._pool_signer.public_key().public_bytes_raw().hex()

    def hot(self, family: Family) -> Leaf:
        """Derive the paying key for one signature; the caller drops it at once."""
        return leaf(self._seeds["hot"], family)

    def wallets(self, family: Family) -> list[ApplicationWallet]:
        """Return the public half of hot and gas, and of nonce lane 0 on Solana."""
        found = []
        for purpose in ("hot", "gas"):
            place = leaf(self._seeds[purpose], family)
            found.append(
                ApplicationWallet(purpose=purpose, address=place.address, path=place.path)
            )
        if family == "solana":
            lane = lane_account(found[0].address, 0)
            found.append(ApplicationWallet(purpose="nonce", address=lane, path=""))
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
        """Overwrite the seeds."""
        for seed in self._seeds.values():
            sealing.wipe(seed)
