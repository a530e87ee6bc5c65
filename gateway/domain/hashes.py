"""Hashes of transactions as people type them, and as chains write them."""

import re

_HEX = re.compile(r"(?:0[xX])?([0-9a-fA-F]{64})", re.ASCII)


def spellings(text: str) -> list[str]:
    """Return how a transaction may be stored that somebody calls so.

    Ethereum writes 64 lower-case digits with `0x`, Tron without; explorers show both in any way.
    A signature of Solana has one spelling.
    """
    found = _HEX.fullmatch(text)
    if found is None:
        return [text]
    digits = found.group(1).lower()
    return [f"0x{digits}", digits]
