"""Signatures on secp256k1 that name their key: r, s (low) and the parity of the nonce's point."""

from coincurve import PrivateKey
from coincurve.context import GLOBAL_CONTEXT
from coincurve.utils import validate_secret

from keystore.networks.scheme import Key


def recoverable(key: Key, digest: bytes) -> bytes:
    """Sign a hash (RFC 6979): the same 65 bytes for the same key and hash.

    coincurve's constructor also computes two public keys, which takes longer than twice the
    signature; nobody asks for them here. Raises `ValueError` for what is no key.
    """
    if not isinstance(key, bytes):
        raise TypeError("a key of another curve")
    signer = PrivateKey.__new__(PrivateKey)
    signer.secret, signer.context = validate_secret(key), GLOBAL_CONTEXT
    return signer.sign_recoverable(digest, hasher=None)
