"""What `init` and `serve` refuse: one line on stderr, exit 1, nothing changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from keystore.__main__ import main
from keystore.commands import init, serve
from keystore.refusal import Unfit
from tests.keystore.house import ROOT, House, build, run, set_passphrase


def refused(house: House, capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """Run `init` in this process; return its one line on stderr."""
    files = {p: p.read_bytes() for p in house.home.rglob("*") if p.is_file()}

    code = main(["init", *args, "--config", str(house.config)])

    shown = capsys.readouterr()
    assert code == 1
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert {p: p.read_bytes() for p in house.home.rglob("*") if p.is_file()} == files
    return shown.err


def unfit(house: House) -> str:
    """Serve in this process; return the one line that it stops with."""
    before = house.file.read_bytes() if house.file.exists() else b""
    with pytest.raises(Unfit) as stopped:
        serve(house.config, {})
    assert "\n" not in str(stopped.value)
    assert (house.file.read_bytes() if house.file.exists() else b"") == before
    return str(stopped.value)


def test_a_wrong_passphrase(house: House) -> None:
    """The process itself: exit 1, one line, no secret in it."""
    set_passphrase(house, "correct horse battery stapler")
    before = house.file.read_bytes()

    done = run(house, "serve")

    assert done.returncode == 1
    assert done.stderr == "keystore: wrong passphrase, or the file was altered\n"
    assert house.file.read_bytes() == before
    assert not house.socket.exists()


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_file(house: House, damage: str) -> None:
    """Truncated, altered or empty."""
    raw = house.file.read_bytes()
    flipped = raw.replace(b'"hot"', b'"hop"')
    house.file.write_bytes({"cut": raw[:-40], "flip": flipped, "empty": b""}[damage])

    assert "truncated or was altered" in unfit(house)


def test_a_missing_file_or_journal(house: House) -> None:
    """Each is named; a lost journal is not replaced by an empty one."""
    house.journal.unlink()
    assert "journal: no such file" in unfit(house)
    house.file.unlink()
    assert "keys.gwks: No such file" in unfit(house)


def test_a_journal_of_another_keystore(house: House, made: House, tmp_path: Path) -> None:
    """File and journal belong together."""
    other = build(tmp_path / "other")
    init(other.config, kdf_memory_mib=64)
    house.file.write_bytes(other.file.read_bytes())

    assert "belongs to another keystore file" in unfit(house)
    assert made.file.read_bytes() != other.file.read_bytes()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--kdf-memory-mib", "63"), "--kdf-memory-mib: must lie between 64 and 4096"),
        (("--kdf-memory-mib", "4097"), "--kdf-memory-mib: must lie between"),
    ],
)
def test_a_cost_out_of_bounds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], words: str
) -> None:
    """No file that `serve` would refuse is ever written."""
    assert words in refused(build(tmp_path / "k"), capsys, *args)


def test_a_short_passphrase(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Below twelve bytes no cost makes up for it."""
    house = build(tmp_path / "k")
    set_passphrase(house, "short")

    assert "at least 12 bytes" in refused(house, capsys)


def test_no_passphrase_and_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody to ask: the key to set is named."""
    house = build(tmp_path / "k")
    house.config.write_text(house.config.read_text().replace("passphrase_file", "#"))

    assert "passphrase_file: is not set" in refused(house, capsys)


def test_an_open_runtime_directory(house: House) -> None:
    """Others could put their own socket there."""
    house.socket.parent.mkdir(mode=0o755)
    house.socket.parent.chmod(0o755)

    assert "must be ours alone" in unfit(house)


def test_a_file_in_the_place_of_the_socket(house: House) -> None:
    """It is not ours to delete."""
    house.socket.parent.mkdir(mode=0o700)
    house.socket.write_text("precious")

    assert "is not a socket" in unfit(house)
    assert house.socket.read_text() == "precious"


def test_an_existing_keystore(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    """`init` never overwrites, neither the file nor a journal that lost its file."""
    assert "keys.gwks exists already" in refused(house, capsys)
    house.file.unlink()
    assert "journal.sqlite exists already" in refused(house, capsys)


def test_nobody_who_reads_is_one_line_and_an_exit_code(house: House) -> None:
    """As `keystore approver-key FILE | true` leaves it: the key is made, its public half unread."""
    reader, writer = os.pipe()
    os.close(reader)
    made = house.home / "ada.key"
    command = [sys.executable, "-m", "keystore", "approver-key", str(made), "--no-passphrase"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, made.exists()) == (1, True)
    told = "keystore: standard output was closed: what was printed is lost"
    assert done.stderr.splitlines() == [told]
