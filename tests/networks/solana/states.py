"""Account data as the programs lay it out, for accounts made by hand."""

import struct

from solders.pubkey import Pubkey

INITIALIZED, FROZEN = 1, 2


def token_account(mint: str, owner: str, units: int, state: int = INITIALIZED) -> bytes:
    """Return the 165 bytes of an SPL token account."""
    head = bytes(Pubkey.from_string(mint)) + bytes(Pubkey.from_string(owner))
    return head + struct.pack("<Q36xB", units, state) + bytes(56)


def wanting_memos(mint: str, owner: str, units: int, *, wanted: bool = True) -> bytes:
    """Return a Token-2022 account with two extensions, the second about memos."""
    immutable, memos = struct.pack("<HH", 7, 0), struct.pack("<HHB", 8, 1, wanted)
    return token_account(mint, owner, units) + b"\x02" + immutable + memos


def mint(decimals: int) -> bytes:
    """Return the 82 bytes of an initialised SPL mint without authorities."""
    return bytes(36) + struct.pack("<QBB", 10**15, decimals, INITIALIZED) + bytes(36)


def nonce_account(authority: str, value: str, *, version: int = 1, state: int = 1) -> bytes:
    """Return the 80 bytes of a nonce account."""
    keys = bytes(Pubkey.from_string(authority)) + bytes(Pubkey.from_string(value))
    return struct.pack("<II", version, state) + keys + struct.pack("<Q", 5_000)
