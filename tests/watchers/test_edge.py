"""What no honest node says is refused before a statement is made of it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace as renamed

from watchers.network import Block, BlockRef, Incomplete, Transfer
from watchers.scan.edge import TEXT_MAX, proved_block, proved_hits

REF = BlockRef(7, "0x07", "0x06", datetime(2026, 1, 1, tzinfo=UTC))
HIT = Transfer("0x01", "native", 0, "native", "0x0a", "0x0b", 5)
BROKEN = ("", "a\x00b", "a\nb", "\u202e", "0xaa,0xbb", "a" * (TEXT_MAX + 1))


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("name", ["hash", "parent_hash"])
def test_a_block_whose_hash_is_none_is_not_complete(name: str, text: str) -> None:
    """Empty, control characters, another script, a list, a novel."""
    other: dict[str, Any] = {name: text}
    with pytest.raises(Incomplete, match="a hash that is none"):
        proved_block(Block(replace(REF, **other), ()))


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("name", ["tx_hash", "recipient"])
def test_a_transfer_with_broken_text_is_not_believed(name: str, text: str) -> None:
    """Hashes are looked up as one list with commas: one that has a comma would be two."""
    assert proved_hits(Block(REF, ()), [HIT]) == [HIT]
    with pytest.raises(Incomplete, match="broken text"):
        proved_hits(Block(REF, ()), [renamed(HIT, **{name: text})])
