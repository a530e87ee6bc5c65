"""`watchers decode ethereum`: its words, its forms of files, its exit codes, its lines."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.networks.ethereum.blocks import (
    CONTRACT,
    HEIGHT,
    PAYEE,
    TOKEN,
    assembled,
    call_of,
    frame,
    payment,
    transfer_log,
)
from watchers.__main__ import main

ROOT = Path(__file__).resolve().parents[3]
OUTER = payment(1, value=5, to=CONTRACT, logs=[transfer_log(700)])
BLOCK, RECEIPTS = assembled(OUTER, payment(2, value=9))
TRACES = [call_of(OUTER, frame(value=3)), call_of(payment(2, value=9))]
TX = f"0x{1:064x}"

Decode = Callable[..., tuple[int, list[dict[str, Any]], str]]


def envelope(result: Any) -> dict[str, Any]:
    """Wrap a result as a node sends it."""
    return {"jsonrpc": "2.0", "id": 1, "result": result}


@pytest.fixture
def decode(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Decode:
    """Return the command on documents: exit code, printed objects, standard error."""

    def run(*words: str, **documents: Any) -> tuple[int, list[dict[str, Any]], str]:
        command = ["decode", "ethereum", *words]
        for name, document in ({"block": BLOCK, "receipts": RECEIPTS} | documents).items():
            if document is not None:
                path = tmp_path / f"{name}.json"
                text = document if isinstance(document, str) else json.dumps(document)
                path.write_text(text)
                command += [f"--{name}", str(path)]
        code = main(command)
        out, err = capsys.readouterr()
        return code, [json.loads(line) for line in out.splitlines()], err

    return run


def test_a_line_says_everything_in_order(decode: Decode, tmp_path: Path) -> None:
    """Compact JSON, units as text, addresses in lower case, the block's height."""
    code, lines, err = decode("--asset", TOKEN, traces=TRACES)
    assert (code, err) == (0, "")
    same = {"tx": TX, "block": HEIGHT}
    assert lines[:3] == [
        same
        | {"kind": "native", "position": 0, "asset": "native", "to": CONTRACT, "units": "5"},
        same | {"kind": "token", "position": 0, "asset": TOKEN, "to": PAYEE, "units": "700"},
        same
        | {"kind": "internal", "position": 0, "asset": "native", "to": PAYEE, "units": "3"},
    ]
    wanted = tmp_path / "to.txt"
    wanted.write_text(f"\n{CONTRACT}\n")
    block, receipts = tmp_path / "block.json", tmp_path / "receipts.json"
    words = [f"--block={block}", f"--receipts={receipts}", f"--to={wanted}"]
    command = [sys.executable, "-m", "watchers", "decode", "ethereum", *words]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.stdout == (
        f'{{"tx":"{TX}","kind":"native","position":0,"asset":"native",'
        f'"to":"{CONTRACT}","units":"5","block":7}}\n'
    )


def test_without_traces_internal_transfers_are_left_out(decode: Decode) -> None:
    """It is no error: most nodes have none."""
    code, lines, _ = decode()
    assert (code, [each["kind"] for each in lines]) == (0, ["native", "native"])


@pytest.mark.parametrize(
    "traces",
    [
        TRACES,
        envelope(TRACES),
        [{"result": each} for each in TRACES],
        envelope([{"txHash": f"0x{n:064x}", "result": t} for n, t in enumerate(TRACES, 1)]),
    ],
)
def test_files_may_be_envelopes_or_bare(decode: Decode, traces: Any) -> None:
    """The same lines, with or without the node's wrapping."""
    bare = decode(traces=TRACES)
    assert decode(traces=traces, block=envelope(BLOCK), receipts=envelope(RECEIPTS)) == bare


def test_receipts_may_come_one_by_one(decode: Decode) -> None:
    """A batch of `eth_getTransactionReceipt` is answered in any order (JSON-RPC 2.0)."""
    batch = [envelope(each) | {"error": None} for each in reversed(RECEIPTS)]
    assert decode("--asset", TOKEN, receipts=batch) == decode("--asset", TOKEN)


def test_tokens_count_where_they_are_named(decode: Decode) -> None:
    """None without `--asset`; any case of hex; one word or several."""
    shouted = "0x" + TOKEN[2:].upper()
    for words in (["--asset", shouted], ["--asset", CONTRACT, shouted]):
        assert [each["kind"] for each in decode(*words)[1]].count("token") == 1
    assert [each["kind"] for each in decode("--asset", CONTRACT)[1]].count("token") == 0


def test_recipients_may_be_limited(decode: Decode, tmp_path: Path) -> None:
    """One address per line in any case, with or without a comment; an empty file names nobody."""
    wanted = tmp_path / "to.txt"
    for line in (f"  {PAYEE.upper().replace('X', 'x')}  ", f"{PAYEE} # ours\r", f"{PAYEE}#"):
        wanted.write_text(f"\n{line}\n\n")
        code, lines, err = decode("--to", str(wanted), traces=TRACES)
        assert ({each["to"] for each in lines}, code, err) == ({PAYEE}, 0, "")
    wanted.write_text("\n# nobody\n")
    assert decode("--to", str(wanted)) == (0, [], "")


def test_a_line_that_can_match_nothing_is_told(decode: Decode, tmp_path: Path) -> None:
    """A mistyped address and another family's look like silence; comments are none of it."""
    wanted = tmp_path / "to.txt"
    tron = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
    wanted.write_text(f"# ours\n{PAYEE}\n{PAYEE}0\n\n{PAYEE[2:]}\n{tron}\n")
    code, lines, err = decode("--to", str(wanted), traces=TRACES)
    assert (code, {each["to"] for each in lines}) == (0, {PAYEE})
    assert err.splitlines() == [
        f"watchers decode: {wanted} line {number}: {text!r} is no address"
        for number, text in ((3, f"{PAYEE}0"), (5, PAYEE[2:]), (6, tron))
    ]


@pytest.mark.parametrize(
    ("reason", "documents"),
    [
        ("receipts: none given", {"receipts": None}),
        ("receipts: the node does not have it", {"receipts": envelope(None)}),
        ("too old", {"receipts": envelope(None) | {"error": {"message": "too old"}}}),
        (
            "too old",
            {"receipts": [envelope(RECEIPTS[0]), {"jsonrpc": "2.0", "error": "too old"}]},
        ),
        ("1 receipts, 2 transactions", {"receipts": [envelope(RECEIPTS[0])]}),
        ("receipt of", {"receipts": [envelope(RECEIPTS[0])] * 2}),
        ("receipt of", {"receipts": RECEIPTS[::-1]}),
        ("1 receipts, 2 transactions", {"receipts": RECEIPTS[:1]}),
        ("unknown block", {"receipts": {"id": 1, "error": {"message": "unknown block"}}}),
        ("has no status", {"receipts": [{**RECEIPTS[0], "status": None}, RECEIPTS[1]]}),
        ("block: the node does not have it", {"block": envelope(None)}),
        ("block: Object missing", {"block": {}}),
        ("header: not a hex", {"block": BLOCK | {"number": "seven"}}),
        ("still pending", {"block": BLOCK | {"number": None}}),
        ("1 traces, 2 transactions", {"traces": TRACES[:1]}),
        ("traces: the node does not have it", {"traces": envelope(None)}),
        ("quantity", {"traces": [TRACES[0] | {"value": "five"}, TRACES[1]]}),
        ("block.json: ", {"block": json.dumps(BLOCK)[:-9]}),
        ("receipts.json: ", {"receipts": "<html>"}),
        ("receipts.json: ", {"receipts": ""}),
        ('{ "code": 1 }', {"receipts": '{"error":\n{ "code":\n1 }}'}),
    ],
)
def test_what_is_not_proved_whole_ends_with_three(
    decode: Decode, reason: str, documents: dict[str, Any]
) -> None:
    """The reason is on standard error, and nothing is printed."""
    code, lines, err = decode(**documents)
    assert (code, lines) == (3, [])
    assert reason in err
    assert err.count("\n") == 1


def test_bytes_that_are_no_text_are_named_with_their_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged recording proves nothing; a damaged list of recipients is no list."""
    damaged, block = tmp_path / "damaged", tmp_path / "block"
    block.write_text(json.dumps(BLOCK))
    damaged.write_bytes(json.dumps(BLOCK).encode().replace(b"0x", b"\xff\xfe"))
    assert main(["decode", "ethereum", "--block", str(damaged)]) == 3
    assert str(damaged) in capsys.readouterr().err
    assert main(["decode", "ethereum", "--block", str(block), "--to", str(damaged)]) == 2
    assert str(damaged) in capsys.readouterr().err


def test_a_byte_order_mark_is_no_content(decode: Decode, tmp_path: Path) -> None:
    """Some editors begin a file with one."""
    wanted = tmp_path / "to.txt"
    wanted.write_text(f"\ufeff{CONTRACT}\r\n", encoding="utf-8")
    code, lines, _ = decode("--to", str(wanted), block="\ufeff" + json.dumps(BLOCK))
    assert (code, [each["to"] for each in lines]) == (0, [CONTRACT])


def test_a_height_that_is_given_must_be_the_blocks(decode: Decode) -> None:
    """What the caller knows beside the files is compared, not preferred."""
    assert decode("--slot", "7")[0] == 0
    code, lines, err = decode("--slot", "9")
    assert (code, lines) == (3, [])
    assert "asked for block 9, got 7" in err


@pytest.mark.parametrize(
    ("reason", "words", "documents"),
    [
        ("nowhere", ["--traces", "/nowhere/traces.json"], {}),
        ("nowhere", ["--to", "/nowhere/addresses"], {}),
        ("infos: a block", [], {"infos": []}),
        ("asset: not an Ethereum address: 'USDT'", ["--asset", "USDT"], {}),
        ("asset: not an", ["--asset", TOKEN, f"{TOKEN}00"], {}),
    ],
)
def test_words_that_cannot_be_meant_end_with_two(
    decode: Decode, reason: str, words: list[str], documents: dict[str, Any]
) -> None:
    """Not there, not of this family, no address: the file or the word is named."""
    code, lines, err = decode(*words, **documents)
    assert (code, lines) == (2, [])
    assert reason in err


@pytest.mark.parametrize(
    "words", [["ethereum"], ["bitcoin", "--block", "x"], [], ["ethereum", "--blocks", "x"]]
)
def test_bad_usage_ends_with_two(words: list[str]) -> None:
    """A missing block, a family that is none, no family, an unknown word."""
    with pytest.raises(SystemExit) as ended:
        main(["decode", *words])
    assert ended.value.code == 2


def test_other_families_are_not_imported(tmp_path: Path) -> None:
    """On a blank machine: no configuration, no database, no other chain's libraries."""
    (tmp_path / "block.json").write_text(json.dumps(BLOCK))
    program = (
        "import sys; from watchers.__main__ import main; "
        f"main(['decode', 'ethereum', '--block', {str(tmp_path / 'block.json')!r}]); "
        "print([m for m in sys.modules if m.startswith('watchers.networks.')])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "watchers.networks.ethereum.recorded" in ended.stdout
    assert "tron" not in ended.stdout
    assert "solana" not in ended.stdout
