"""Recorded mainnet blocks: what we decode equals an independent reading of the same bytes."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from watchers.network import NATIVE, Incomplete
from watchers.networks.ethereum.decode import decode_block, decode_header
from watchers.networks.ethereum.wire import RawBlock, RawHeader, RawReceipt

FIXTURES = Path(__file__).parents[4] / "shared" / "fixtures" / "ethereum"
BLOCKS = sorted(FIXTURES.glob("*/*.block.json"))
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"

pytestmark = pytest.mark.skipif(not BLOCKS, reason=f"no recorded blocks at {FIXTURES}")


def _recorded(path: Path) -> Any:
    """Return a recorded result, with or without its JSON-RPC envelope."""
    found = json.loads(path.read_text())
    return found["result"] if isinstance(found, dict) and "result" in found else found


def _with(path: Path, what: str) -> Path:
    return path.with_name(path.name.replace(".block.", f".{what}."))


def _token_sums(receipts: list[dict[str, Any]]) -> dict[tuple[str, str], int]:
    """Sum what each address received of each token, straight from the JSON."""
    sums: dict[tuple[str, str], int] = {}
    for receipt in receipts:
        if int(receipt["status"], 16) != 1:
            continue
        for log in receipt["logs"]:
            if len(log["topics"]) == 3 and log["topics"][0] == TRANSFER:
                data = bytes.fromhex(log["data"][2:])
                to = bytes.fromhex(log["topics"][2][2:])
                if len(data) == 32 and not any(to[:12]) and any(data):
                    key = (log["address"], "0x" + to[12:].hex())
                    sums[key] = sums.get(key, 0) + int.from_bytes(data, "big")
    return sums


@pytest.mark.parametrize("path", BLOCKS, ids=lambda path: path.stem)
def test_every_recorded_header_decodes(path: Path) -> None:
    """Headers of all ages give number, hash, parent and time."""
    recorded = _recorded(path)
    ref = decode_header(msgspec.convert(recorded, RawHeader))
    assert (ref.height, ref.hash) == (int(recorded["number"], 16), recorded["hash"])
    assert ref.parent_hash == recorded["parentHash"]
    assert int(ref.time.timestamp()) == int(recorded["timestamp"], 16)


@pytest.mark.parametrize(
    "path", [each for each in BLOCKS if _with(each, "receipts").exists()], ids=lambda p: p.stem
)
def test_every_recorded_block_decodes_to_the_same_sums(path: Path) -> None:
    """Native and token sums, fees and outcomes; blocks without statuses are refused."""
    block, receipts = _recorded(path), _recorded(_with(path, "receipts"))
    tokens = frozenset(log["address"] for each in receipts for log in each["logs"])
    height = int(block["number"], 16)
    typed = msgspec.convert(block, RawBlock), msgspec.convert(receipts, list[RawReceipt])
    if any("status" not in each for each in receipts):
        with pytest.raises(Incomplete, match="no status"):
            decode_block(height, *typed, tokens)
        return
    decoded = decode_block(height, *typed, tokens)
    assert set(decoded.outcomes) == {each["hash"] for each in block["transactions"]}
    succeeded = {each["transactionHash"] for each in receipts if each["status"] == "0x1"}
    assert {tx for tx, outcome in decoded.outcomes.items() if outcome.success} == succeeded
    native = sum(
        int(each["value"], 16)
        for each in block["transactions"]
        if each["hash"] in succeeded and each["to"] is not None
    )
    assert sum(each.units for each in decoded.transfers if each.kind == "native") == native
    sums: dict[tuple[str, str], int] = {}
    for each in decoded.transfers:
        if each.kind == "token":
            key = (each.asset, each.recipient)
            sums[key] = sums.get(key, 0) + each.units
    assert sums == _token_sums(receipts)
    gwei = sum(int(each["amount"], 16) for each in block.get("withdrawals", []))
    withdrawn = sum(each.units for each in decoded.transfers if each.kind == "withdrawal")
    assert withdrawn == gwei * 10**9
    identities = {(each.tx_hash, each.kind, each.ordinal) for each in decoded.transfers}
    assert len(identities) == len(decoded.transfers)


@pytest.mark.parametrize(
    "path", [each for each in BLOCKS if _with(each, "traces").exists()], ids=lambda p: p.stem
)
def test_native_transfers_agree_with_the_execution_trace(path: Path) -> None:
    """The outermost frame of each recorded trace paid exactly what we decoded."""
    block, receipts = _recorded(path), _recorded(_with(path, "receipts"))
    typed = msgspec.convert(block, RawBlock), msgspec.convert(receipts, list[RawReceipt])
    decoded = decode_block(int(block["number"], 16), *typed, frozenset())
    traced = [
        (sent["hash"], frame["to"], int(frame["value"], 16))
        for sent, frame in zip(
            block["transactions"], _recorded(_with(path, "traces")), strict=True
        )
        if frame["type"] == "CALL"
        and "error" not in frame
        and int(frame.get("value", "0x0"), 16)
    ]
    native = [each for each in decoded.transfers if each.asset == NATIVE]
    paid = [(each.tx_hash, each.recipient, each.units) for each in native]
    assert [each for each in paid if not each[0].startswith("withdrawal")] == traced
