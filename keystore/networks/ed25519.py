"""Signatures of a Solana message (RFC 8032), by OpenSSL: solders takes half as long again for them."""

from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from solders.message import Message
from solders.signature import Signature

from keystore.networks.scheme import Key


def signed(message: Message, keys: Iterable[Key]) -> list[Signature]:
    """Return a signature of each account that must sign, in the message's order.

    OpenSSL derives the public half of 32 bytes anew, which takes longer than the signature.
    Raises `KeyError` where the key of one of them is not given.
    """
    body = bytes(message)
    signers = (_opened(key) for key in keys)
    made = {each.public_key().public_bytes_raw(): each.sign(body) for each in signers}
    wanted = message.account_keys[: message.header.num_required_signatures]
    return [Signature(made[bytes(account)]) for account in wanted]


def _opened(key: Key) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(key) if isinstance(key, bytes) else key
