"""The recorded mainnet blocks, and what they moved by a plain walk over their JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from watchers.__main__ import main

FIXTURES = Path(__file__).parents[4] / "shared" / "fixtures" / "ethereum"
BLOCKS = sorted(FIXTURES.glob("*/*.block.json"))
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


def recorded(path: Path) -> Any:
    """Return a recorded result, with or without its JSON-RPC envelope."""
    found = json.loads(path.read_text())
    return found["result"] if isinstance(found, dict) and "result" in found else found


def beside(path: Path, what: str) -> Path:
    """Return where the block's receipts or traces lie."""
    return path.with_name(path.name.replace(".block.", f".{what}."))


def _has_statuses(path: Path) -> bool:
    receipts = beside(path, "receipts")
    return receipts.exists() and all("status" in each for each in recorded(receipts))


WITH_RECEIPTS = [each for each in BLOCKS if _has_statuses(each)]
WITH_TRACES = [each for each in WITH_RECEIPTS if beside(each, "traces").exists()]


def printed(
    path: Path, capsys: pytest.CaptureFixture[str], tokens: list[str]
) -> list[dict[str, Any]]:
    """Return the lines of `watchers decode` for a block with everything recorded beside it."""
    words = ["--block", str(path)]
    for what in ("receipts", "traces"):
        if beside(path, what).exists():
            words += [f"--{what}", str(beside(path, what))]
    words += ["--asset", *tokens] if tokens else []
    capsys.readouterr()
    assert main(["decode", "ethereum", *words]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def token_sums(receipts: list[dict[str, Any]]) -> dict[tuple[str, str], int]:
    """Sum what each address received of each token."""
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


def moved_inside(frames: list[dict[str, Any]]) -> dict[tuple[str, str], int]:
    """Sum what each address received by frames below the outermost ones."""
    sums: dict[tuple[str, str], int] = {}

    def walk(frame: dict[str, Any]) -> None:
        if "error" in frame:
            return
        for inner in frame.get("calls", []):
            units = int(inner.get("value", "0x0"), 16)
            moves = inner["type"] in {"CALL", "CREATE", "CREATE2", "SELFDESTRUCT"}
            if moves and units and "error" not in inner:
                key = ("native", inner["to"])
                sums[key] = sums.get(key, 0) + units
            walk(inner)

    for outermost in frames:
        walk(outermost)
    return sums
