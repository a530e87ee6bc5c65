"""Hashes of transactions as people type them."""

import pytest

from gateway.domain.hashes import spellings

HASH = "ab" * 31 + "0c"


@pytest.mark.parametrize(
    "typed", [HASH, HASH.upper(), f"0x{HASH}", f"0x{HASH.upper()}", f"0X{HASH.title()}"]
)
def test_a_hash_is_known_in_either_case_with_and_without_prefix(typed: str) -> None:
    """Ethereum's spelling and Tron's."""
    assert spellings(typed) == [f"0x{HASH}", HASH]


@pytest.mark.parametrize(
    "typed", ["", "0xabc", "5VERv8NMvzbJMEkV8xnrLkEaWRtSz9Cos" * 2, f"{HASH}\n"]
)
def test_what_is_no_such_hash_is_taken_as_it_stands(typed: str) -> None:
    """In base58 the case says something."""
    assert spellings(typed) == [typed]
