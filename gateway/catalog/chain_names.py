"""The name of a chain that all wallets and networks of the world share (CAIP-2). Pure."""

from functools import lru_cache

_REFERENCE_MAX = 32
"""CAIP-2 allows no longer reference."""
_TRON_DIGITS = 8


@lru_cache(maxsize=64)
def chain_id(family: str, identity: str) -> str:
    """Return the CAIP-2 name: `eip155:1`, `solana:` and its genesis hash's beginning, `tron:0x2b6653dc`.

    Tron's is what its nodes call their chain id: the last four bytes of the id of block 0.
    """
    if family == "ethereum":
        return f"eip155:{identity}"
    if family == "solana":
        return f"solana:{identity[:_REFERENCE_MAX]}"
    return f"tron:0x{identity[-_TRON_DIGITS:].lower()}"
