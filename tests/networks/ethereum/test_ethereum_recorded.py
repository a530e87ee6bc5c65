"""Recorded mainnet blocks: what `watchers decode` prints equals an independent reading."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.networks.ethereum.recordings import (
    BLOCKS,
    FIXTURES,
    WITH_RECEIPTS,
    WITH_TRACES,
    beside,
    moved_inside,
    printed,
    recorded,
    token_sums,
)
from watchers.__main__ import main
from watchers.networks.ethereum.decode import decode_header
from watchers.networks.ethereum.wire import RawHeader

USDT = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
PRE_BYZANTIUM = "squid/1000000"

pytestmark = pytest.mark.skipif(not BLOCKS, reason=f"no recorded blocks at {FIXTURES}")


def label(path: Path) -> str:
    """Name a test by its block."""
    return path.name.partition(".")[0]


@pytest.mark.parametrize("path", BLOCKS, ids=label)
def test_every_recorded_header_decodes(path: Path) -> None:
    """Headers of all ages give number, hash, parent and time."""
    header = recorded(path)
    ref = decode_header(msgspec.convert(header, RawHeader))
    assert (ref.height, ref.hash) == (int(header["number"], 16), header["hash"])
    assert ref.parent_hash == header["parentHash"]
    assert int(ref.time.timestamp()) == int(header["timestamp"], 16)


@pytest.mark.parametrize(
    "path", [each for each in BLOCKS if each not in WITH_RECEIPTS], ids=label
)
def test_a_block_without_receipts_is_refused(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 3 with the reason, nothing on standard output."""
    assert main(["decode", "ethereum", "--block", str(path)]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert "receipts: none given" in err


def with_invented_receipts(path: Path, folder: Path) -> list[str]:
    """Write a recorded block as if every transaction had succeeded silently; return the words."""
    block = recorded(path)
    del block["logsBloom"]
    silent = {"blockHash": block["hash"], "gasUsed": "0x5208", "status": "0x1", "logs": []}
    receipts = [{"transactionHash": each["hash"]} | silent for each in block["transactions"]]
    (folder / "block.json").write_text(json.dumps(block))
    (folder / "receipts.json").write_text(json.dumps({"id": 1, "result": receipts}))
    return ["--block", str(folder / "block.json"), "--receipts", str(folder / "receipts.json")]


def test_every_type_of_transaction_decodes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Legacy, access list, dynamic fee, blob and EIP-7702, creations among them."""
    types, creations = set(), 0
    for path in BLOCKS:
        sent = recorded(path)["transactions"]
        types |= {each["type"] for each in sent if "type" in each}
        creations += sum(each["to"] is None for each in sent)
        assert main(["decode", "ethereum", *with_invented_receipts(path, tmp_path)]) == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        paid = sum(int(each["value"], 16) for each in sent if each["to"] is not None)
        assert sum(summed(lines, "native").values()) == paid
    assert types == {"0x0", "0x1", "0x2", "0x3", "0x4"}
    assert creations


@pytest.mark.parametrize("traces", [False, True])
def test_receipts_from_before_byzantium_are_refused_even_with_traces(
    capsys: pytest.CaptureFixture[str], *, traces: bool
) -> None:
    """They have a state root instead of a status: nobody can say what succeeded."""
    block = FIXTURES / f"{PRE_BYZANTIUM}.block.json"
    words = ["--block", str(block), "--receipts", str(beside(block, "receipts"))]
    if traces:
        name = "block_with_subtraces.debug_traceBlockByNumber.0xf4240_tracer_calltracer.json"
        words += ["--traces", str(FIXTURES / "ethereum-etl" / name)]
    assert main(["decode", "ethereum", *words]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert "has no status" in err


@pytest.mark.parametrize("path", WITH_RECEIPTS, ids=label)
def test_every_recorded_block_decodes_to_the_same_sums(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Native, internal, token and withdrawal sums per recipient, straight from the JSON."""
    block, receipts = recorded(path), recorded(beside(path, "receipts"))
    traces = recorded(beside(path, "traces")) if path in WITH_TRACES else None
    tokens = sorted({log["address"] for each in receipts for log in each["logs"]})
    lines = printed(path, capsys, tokens)
    assert {each["block"] for each in lines} == {int(block["number"], 16)}
    succeeded = {each["transactionHash"] for each in receipts if each["status"] == "0x1"}
    native: dict[tuple[str, str], int] = {}
    for sent in block["transactions"]:
        if sent["hash"] in succeeded and sent["to"] is not None and int(sent["value"], 16):
            key = ("native", sent["to"])
            native[key] = native.get(key, 0) + int(sent["value"], 16)
    assert summed(lines, "native") == native
    assert summed(lines, "token") == token_sums(receipts)
    assert summed(lines, "internal") == ({} if traces is None else moved_inside(traces))
    gwei: dict[tuple[str, str], int] = {}
    for each in block.get("withdrawals", []):
        key = ("native", each["address"])
        gwei[key] = gwei.get(key, 0) + int(each["amount"], 16) * 10**9
    assert summed(lines, "withdrawal") == gwei


@pytest.mark.parametrize("path", WITH_RECEIPTS, ids=label)
def test_every_line_has_its_own_identity(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Transaction, kind and position together never repeat; the keys keep their order."""
    lines = printed(path, capsys, [USDT])
    names = [(each["tx"], each["kind"], each["position"]) for each in lines]
    assert len(set(names)) == len(names)
    for each in lines:
        assert list(each) == ["tx", "kind", "position", "asset", "to", "units", "block"]


@pytest.mark.parametrize("path", WITH_TRACES, ids=label)
def test_native_transfers_agree_with_the_execution_trace(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The outermost frame of each recorded trace paid exactly what we printed."""
    hashes = [each["hash"] for each in recorded(path)["transactions"]]
    frames = recorded(beside(path, "traces"))
    paid = [
        (tx_hash, frame["to"], frame["value"])
        for tx_hash, frame in zip(hashes, frames, strict=True)
        if frame["type"] == "CALL" and "error" not in frame and int(frame["value"], 16)
    ]
    lines = [each for each in printed(path, capsys, []) if each["kind"] == "native"]
    assert [(each["tx"], each["to"], hex(int(each["units"]))) for each in lines] == paid


@pytest.mark.parametrize("path", WITH_TRACES, ids=label)
def test_recorded_traces_of_another_block_are_refused(
    path: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One frame less, two exchanged, another block's: exit 3."""
    frames = recorded(beside(path, "traces"))
    other = recorded(beside(next(each for each in WITH_TRACES if each != path), "traces"))
    bent = tmp_path / "traces.json"
    words = ["--block", str(path), "--receipts", str(beside(path, "receipts"))]
    for wrong in (frames[:-1], [*frames[1:], frames[0]], other):
        bent.write_text(json.dumps(wrong))
        assert main(["decode", "ethereum", *words, "--traces", str(bent)]) == 3
        assert "trace" in capsys.readouterr().err


def summed(lines: list[dict[str, Any]], kind: str) -> dict[tuple[str, str], int]:
    """Sum the lines of one kind by asset and recipient."""
    sums: dict[tuple[str, str], int] = {}
    for each in lines:
        if each["kind"] == kind:
            key = (each["asset"], each["to"])
            sums[key] = sums.get(key, 0) + int(each["units"])
    return sums
