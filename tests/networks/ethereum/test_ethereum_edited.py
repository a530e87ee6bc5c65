"""Recorded files that somebody cut or edited: the command still says what they show."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.networks.ethereum.blocks import (
    CONTRACT,
    PAYEE,
    TOKEN,
    assembled,
    call_of,
    frame,
    payment,
    spelled,
    transfer_log,
)
from watchers.__main__ import main

FAKE = "0x" + "fa" * 20
EMPTY_ROOT = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
PAID = payment(1, value=5, to=CONTRACT)
MOVED = payment(2, logs=[transfer_log(700), transfer_log(30)])
LAST = payment(3, value=9, logs=[transfer_log(4)])
TRACES = [call_of(PAID, frame(value=3)), call_of(MOVED), call_of(LAST)]

Files = dict[str, Any]
Edit = Callable[[Files], None]
Decode = Callable[[Files], tuple[int, list[tuple[str, str]], str]]


@pytest.fixture
def files() -> Files:
    """Return a block of three payments with its receipts and traces, free to be edited."""
    block, receipts = assembled(PAID, MOVED, LAST, transactionsRoot="0x" + "11" * 32)
    return copy.deepcopy({"block": block, "receipts": receipts, "traces": TRACES})


@pytest.fixture
def decode(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Decode:
    """Return the command on files: exit code, kind and units of every line, standard error."""

    def run(files: Files) -> tuple[int, list[tuple[str, str]], str]:
        words = ["decode", "ethereum", "--asset", TOKEN]
        for name, document in files.items():
            (tmp_path / name).write_text(json.dumps(document))
            words += [f"--{name}", str(tmp_path / name)]
        code = main(words)
        out, err = capsys.readouterr()
        lines = [json.loads(line) for line in out.splitlines()]
        return code, [(each["kind"], each["units"]) for each in lines], err

    return run


WHOLE = [
    ("native", "5"),
    ("internal", "3"),
    ("token", "700"),
    ("token", "30"),
    ("native", "9"),
    ("token", "4"),
]


def without(*gone: tuple[str, str]) -> list[tuple[str, str]]:
    """Return the whole block's lines but for some."""
    return [each for each in WHOLE if each not in gone]


def _failed_by_its_receipt(files: Files) -> None:
    files["receipts"][0]["status"] = "0x0"


def _failed_by_its_trace(files: Files) -> None:
    files["traces"][0]["error"] = "out of gas"


def _failed_and_silenced(files: Files) -> None:
    files["receipts"][1] |= {"status": "0x0", "logs": []}


def _another_value(files: Files) -> None:
    files["block"]["transactions"][0]["value"] = "0x0"


def _another_recipient(files: Files) -> None:
    files["block"]["transactions"][0]["to"] = PAYEE


def _removed_log(files: Files) -> None:
    files["receipts"][1]["logs"][0]["removed"] = True


def _another_contract(files: Files) -> None:
    files["receipts"][2]["logs"][0]["address"] = FAKE


def _a_fourth_topic(files: Files) -> None:
    files["receipts"][2]["logs"][0]["topics"].append("0x" + "01" * 32)


def _an_invented_log(files: Files) -> None:
    log = copy.deepcopy(files["receipts"][2]["logs"][0])
    files["receipts"][0]["logs"] = [log | {"address": FAKE}]


def _cut_after_two(files: Files) -> None:
    del files["block"]["transactions"][2], files["receipts"][2], files["traces"][2]


def _the_first_cut_off(files: Files) -> None:
    del files["block"]["transactions"][0], files["receipts"][0], files["traces"][0]
    for log in (log for each in files["receipts"] for log in each["logs"]):
        log["logIndex"] = hex(int(log["logIndex"], 16) + 7)


def _withdrawals_of_none(files: Files) -> None:
    files["block"]["withdrawalsRoot"] = EMPTY_ROOT


def _blooms_of_zeros(files: Files) -> None:
    for each in (files["block"], *files["receipts"]):
        each["logsBloom"] = spelled(0)


@pytest.mark.parametrize(
    ("edit", "lines"),
    [
        (_failed_by_its_receipt, without(("native", "5"), ("internal", "3"))),
        (_failed_by_its_trace, without(("internal", "3"))),
        (_failed_and_silenced, without(("token", "700"), ("token", "30"))),
        (_another_value, without(("native", "5"))),
        (_another_recipient, WHOLE),
        (_removed_log, without(("token", "700"))),
        (_another_contract, without(("token", "4"))),
        (_a_fourth_topic, without(("token", "4"))),
        (_an_invented_log, WHOLE),
        (_cut_after_two, without(("native", "9"), ("token", "4"))),
        (_the_first_cut_off, without(("native", "5"), ("internal", "3"))),
        (_blooms_of_zeros, WHOLE),
        (_withdrawals_of_none, WHOLE),
    ],
)
def test_each_edit_changes_what_it_touches(
    files: Files, decode: Decode, edit: Edit, lines: list[tuple[str, str]]
) -> None:
    """Receipts say what succeeded and which logs there are; the rest of the block stands."""
    assert decode(files) == (0, WHOLE, "")
    edit(files)
    assert decode(files) == (0, lines, "")


def _no_token_logs(files: Files) -> None:
    for each in files["receipts"][1:]:
        each["logs"] = [log | {"address": FAKE} for log in each["logs"]]


def _no_token_logs_nor_blooms(files: Files) -> None:
    _no_token_logs(files)
    for each in files["receipts"]:
        each["logsBloom"] = spelled(0)


def _logs_of_a_success_gone(files: Files) -> None:
    files["receipts"][1]["logs"] = []


def _a_log_of_another_block(files: Files) -> None:
    files["receipts"][1]["logs"][0]["blockHash"] = "0x" + "0f" * 32


def _a_receipt_of_another_block(files: Files) -> None:
    files["receipts"][1]["blockHash"] = "0x" + "0f" * 32


def _one_number_for_two_logs(files: Files) -> None:
    one, another = files["receipts"][1]["logs"]
    another["logIndex"] = one["logIndex"]


def _withdrawals_announced(files: Files) -> None:
    files["block"]["withdrawalsRoot"] = "0x" + "5a" * 32


def _withdrawals_denied(files: Files) -> None:
    paid = [{"index": "0x7", "address": PAYEE, "amount": "0x2"}]
    files["block"] |= {"withdrawalsRoot": EMPTY_ROOT, "withdrawals": paid}


def _two_receipts_exchanged(files: Files) -> None:
    files["receipts"][:2] = reversed(files["receipts"][:2])


def _one_receipt_less(files: Files) -> None:
    files["receipts"].pop()


def _one_trace_less(files: Files) -> None:
    files["traces"].pop()


def _a_trace_of_somebody_else(files: Files) -> None:
    files["traces"][0]["from"] = FAKE


def _a_trace_of_another_hash(files: Files) -> None:
    files["traces"][0] = {"txHash": "0x" + "0f" * 32, "result": files["traces"][0]}


def _no_transactions(files: Files) -> None:
    files["block"]["transactions"], files["receipts"] = [], []
    del files["traces"]


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (_no_token_logs, "lost some of its logs"),
        (_no_token_logs_nor_blooms, "no log of"),
        (_logs_of_a_success_gone, "lost its logs"),
        (_a_log_of_another_block, "is of block"),
        (_a_receipt_of_another_block, "is of block"),
        (_two_receipts_exchanged, "receipt of"),
        (_one_receipt_less, "2 receipts, 3 transactions"),
        (_one_trace_less, "2 traces, 3 transactions"),
        (_a_trace_of_somebody_else, "of another transaction"),
        (_a_trace_of_another_hash, "trace of"),
        (_no_transactions, "transactions root"),
        (_one_number_for_two_logs, "have number 0x0"),
        (_withdrawals_announced, "announces withdrawals"),
        (_withdrawals_denied, "denies that there are withdrawals"),
    ],
)
def test_what_shows_that_something_is_missing_ends_with_three(
    files: Files, decode: Decode, edit: Edit, reason: str
) -> None:
    """Counts, hashes, blocks and senders must agree, and a bloom's token must have its log."""
    edit(files)
    code, lines, err = decode(files)
    assert (code, lines) == (3, [])
    assert reason in err
    assert err.count("\n") == 1


def test_a_block_without_transactions_needs_no_receipts(decode: Decode) -> None:
    """There is nothing that they could say; what the beacon chain paid is in the block."""
    paid = [{"index": "0x7", "address": PAYEE, "amount": "0x2"}]
    block, _ = assembled(transactionsRoot=EMPTY_ROOT, withdrawals=paid)
    assert decode({"block": block}) == (0, [("withdrawal", "2000000000")], "")
    block["transactionsRoot"] = "0x" + "11" * 32
    assert decode({"block": block})[0] == 3
