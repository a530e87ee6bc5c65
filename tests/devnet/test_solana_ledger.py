"""The rules of the chain that the Solana proxy shows."""

import pytest

from devnet import solana_ledger
from devnet.chain import RpcFault
from devnet.solana_ledger import Ledger


def ledger_of(pattern: str, *, skip_every: int) -> Ledger:
    """Close slots from 100 on: `x` holds a transaction, `.` is empty."""
    ledger = Ledger(skip_every)
    for offset, kind in enumerate(pattern):
        signatures = [f"signature {offset}"] if kind == "x" else []
        ledger.close(100 + offset, signatures, 1_000 + offset)
    ledger.tip = ledger.closed + 1
    return ledger


def test_every_kth_empty_slot_is_skipped_and_the_next_block_links_over_it() -> None:
    """Skips count empty slots only; heights stay dense and hashes linked."""
    ledger = ledger_of(".x.x..x", skip_every=2)
    assert [block.slot for block in ledger.blocks] == [100, 101, 103, 104, 106]
    for parent, block in zip(ledger.blocks, ledger.blocks[1:], strict=False):
        assert (block.parent_slot, block.parent_hash) == (parent.slot, parent.hash)
        assert block.height == parent.height + 1
    with pytest.raises(RpcFault) as refusal:
        ledger.at(102, "confirmed")
    assert refusal.value.code == solana_ledger.SKIPPED
    assert ledger.between(101, 105, "confirmed") == [101, 103, 104]


def test_slot_with_a_transaction_is_never_skipped() -> None:
    """Money cannot disappear with a skip."""
    assert len(ledger_of("x" * 50, skip_every=1).blocks) == 50


def test_finality_lags_by_31_slots() -> None:
    """A block is final when 31 slots came after it, not available before that."""
    ledger = ledger_of("x" * 40, skip_every=0)
    assert ledger.tip == 140
    assert ledger.newest("finalized").slot == 109
    assert ledger.newest("confirmed").slot == 139
    assert [ledger.level(slot) for slot in (109, 110, 139, 140)] == [
        "finalized",
        "confirmed",
        "confirmed",
        "processed",
    ]
    with pytest.raises(RpcFault) as refusal:
        ledger.at(110, "finalized")
    assert refusal.value.code == solana_ledger.NOT_AVAILABLE


def test_chain_younger_than_finality_is_unhealthy() -> None:
    """There is no final block to name yet."""
    with pytest.raises(RpcFault) as refusal:
        ledger_of("xxx", skip_every=0).newest("finalized")
    assert refusal.value.code == solana_ledger.UNHEALTHY


def test_old_blocks_are_cleaned_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded, and the answer says which block is the first."""
    monkeypatch.setattr(solana_ledger, "BLOCKS_KEPT", 10)
    ledger = ledger_of("x" * 50, skip_every=0)
    assert len(ledger.blocks) <= 11
    with pytest.raises(RpcFault, match="First available block") as refusal:
        ledger.at(100, "confirmed")
    assert refusal.value.code == solana_ledger.CLEANED_UP


def test_hash_commits_to_the_content() -> None:
    """Two chains that differ in one signature differ in every later hash."""
    one, other = ledger_of("x.x", skip_every=0), ledger_of("xxx", skip_every=0)
    assert one.blocks[0].hash == other.blocks[0].hash
    assert one.blocks[1].hash != other.blocks[1].hash
    assert one.blocks[2].hash != other.blocks[2].hash


def test_slots_close_in_order() -> None:
    """A hole would break the chain silently."""
    with pytest.raises(ValueError, match="does not follow"):
        ledger_of("xx", skip_every=0).close(103, [], 0)
