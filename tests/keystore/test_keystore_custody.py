"""Looking after the seeds: new passphrase, rekey, words on paper, backup, restore, drill."""

import contextlib
import json
import os
import re
import select
import signal
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystore import vault
from keystore.refusal import Unfit
from keystore.words import entropy_of, places_to_check, words_of
from tests.keystore.house import PASSPHRASE, House, build, run, serving, set_passphrase
from tests.keystore.terminal import at_a_terminal, read_until

NEW = "a new passphrase of some length"
CHEAP = ("--kdf-memory-mib", "64")
WIPED = "\x1b[2J\x1b[3J\x1b[H"
HEARD_SECONDS = 3
LINE = re.compile(r"(\d+) ([a-z]+)")


def export(house: House, file: Path) -> Path:
    """Serve the keystore and export five signed rows of each network."""
    with serving(house):
        answers = [run(house, "pool", network, "0", "5") for network in ("ethereum", "solana")]
    file.write_text("".join(answer.stdout for answer in answers))
    return file


def done(house: House, *args: str) -> str:
    """Run a command that succeeds; return what it printed."""
    ended = run(house, *args)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def refused(house: House, *args: str) -> str:
    """Run a command that is refused with one line; return the line."""
    ended = run(house, *args)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), ended.stderr
    return ended.stderr


def secrets_of(house: House, passphrase: str) -> tuple[str, bytes]:
    """Open the file; return its id and the pool's entropy."""
    file_id, secrets = vault.decode(house.file.read_bytes(), passphrase.encode())
    return file_id, bytes(secrets.pool)


def test_a_new_passphrase_shuts_the_old_one_out(house: House) -> None:
    """The seeds and the file's id, which the journal belongs to, stay."""
    before = secrets_of(house, PASSPHRASE)
    file = house.home / "new"
    file.write_text(NEW)
    file.chmod(0o600)
    done(house, "passphrase", "--new-passphrase-file", str(file), *CHEAP)
    assert secrets_of(house, NEW) == before
    with pytest.raises(Unfit, match="wrong passphrase"):
        secrets_of(house, PASSPHRASE)
    set_passphrase(house, NEW)
    with serving(house):
        assert json.loads(done(house, "status", "--json"))["unlocked"]


def test_a_short_new_passphrase_changes_nothing(house: House) -> None:
    """It is refused before anything is written."""
    before = house.file.read_bytes()
    file = house.home / "new"
    file.write_text("short")
    file.chmod(0o600)
    assert "at least 12 bytes" in refused(
        house, "passphrase", "--new-passphrase-file", str(file), *CHEAP
    )
    assert house.file.read_bytes() == before


def test_rekey_keeps_seeds_id_and_journal(house: House) -> None:
    """Every ciphertext is new; what they hold is not."""
    before, raw = secrets_of(house, PASSPHRASE), house.file.read_bytes()
    done(house, "rekey", *CHEAP)
    assert secrets_of(house, PASSPHRASE) == before
    old, new = (json.loads(content)["entries"] for content in (raw, house.file.read_bytes()))
    assert not {entry["secret"]["ct"] for entry in old} & {e["secret"]["ct"] for e in new}
    with serving(house):
        assert json.loads(done(house, "status", "--json"))["unlocked"]


def test_a_backup_restores_elsewhere_to_the_same_addresses(
    house: House, tmp_path: Path
) -> None:
    """A drill finds every row again, and so does a keystore made from the backup."""
    rows = export(house, tmp_path / "pool.jsonl")
    kept = tmp_path / "keystore.backup"
    done(house, "backup", str(kept))
    assert kept.stat().st_mode & 0o777 == 0o600
    found = done(house, "drill", "--backup", str(kept), "--pool", str(rows))
    assert "10 derived again, 0 wrong" in found

    elsewhere = build(tmp_path / "elsewhere")
    done(elsewhere, "restore", str(kept))
    assert export(elsewhere, tmp_path / "again.jsonl").read_text() == rows.read_text()


def test_a_drill_names_a_row_that_does_not_come_out(house: House, tmp_path: Path) -> None:
    """A swapped address in the export, or another keystore's backup."""
    rows = export(house, tmp_path / "pool.jsonl")
    kept = tmp_path / "keystore.backup"
    done(house, "backup", str(kept))
    answers = [json.loads(line) for line in rows.read_text().splitlines()]
    answers[0]["rows"][3]["address"] = answers[0]["rows"][2]["address"]
    rows.write_text("\n".join(map(json.dumps, answers)))
    assert (
        "ethereum/3" in run(house, "drill", "--backup", str(kept), "--pool", str(rows)).stderr
    )


def test_a_drill_over_nothing_is_refused(house: House, tmp_path: Path) -> None:
    """An export without rows would be found whole by any backup."""
    rows, kept = tmp_path / "pool.jsonl", tmp_path / "keystore.backup"
    done(house, "backup", str(kept))
    for text in ("", '{"rows":[]}\n'):
        rows.write_text(text)
        line = refused(house, "drill", "--backup", str(kept), "--pool", str(rows))
        assert "holds no rows" in line


def test_a_backup_is_written_once_and_restored_into_emptiness(
    house: House, tmp_path: Path
) -> None:
    """Neither overwrites what is there."""
    kept = tmp_path / "keystore.backup"
    done(house, "backup", str(kept))
    assert "exists already" in refused(house, "backup", str(kept))
    assert "exists already" in refused(house, "restore", str(kept))


@pytest.mark.parametrize("left", ["-wal", "-shm"])
def test_what_another_journal_left_is_never_read_into_a_restored_one(
    house: House, tmp_path: Path, left: str
) -> None:
    """SQLite would take the pages of a dead journal's log for its own."""
    kept = tmp_path / "keystore.backup"
    done(house, "backup", str(kept))
    elsewhere = build(tmp_path / "elsewhere")
    beside = elsewhere.journal.with_name(elsewhere.journal.name + left)
    beside.parent.mkdir()
    beside.touch()
    assert f"{beside.name} exists already" in refused(elsewhere, "restore", str(kept))
    assert not elsewhere.file.exists()


def test_an_altered_backup_is_refused(house: House, tmp_path: Path) -> None:
    """By its manifest, before anything is put in place."""
    kept = tmp_path / "keystore.backup"
    done(house, "backup", str(kept))
    body = bytearray(kept.read_bytes())
    body[body.index(b"GWKS") + 1] ^= 1
    kept.write_bytes(bytes(body))
    elsewhere = build(tmp_path / "elsewhere")
    assert "not what its manifest says" in refused(elsewhere, "restore", str(kept))
    assert not elsewhere.file.exists()
    assert "is not a backup" in refused(elsewhere, "restore", str(elsewhere.config))


def test_words_go_to_a_person_with_a_check_and_bring_every_address_back(
    house: House, tmp_path: Path
) -> None:
    """The pool's words alone derive the exported addresses; a pipe never sees them."""
    assert "on a terminal only" in refused(house, "words")
    seeds: dict[str, list[str]] = {}
    with at_a_terminal(house, "words") as (process, terminal):
        for purpose in ("pool", "hot", "gas"):
            shown = read_until(terminal, "Press Enter")
            words = {int(n): word for n, word in LINE.findall(shown.split("funds.")[-1])}
            seeds[purpose] = [words[place] for place in range(1, 25)]
            os.write(terminal, b"\n")
            for _ in range(3):
                question = read_until(terminal, " seed: ")
                place = int(re.findall(r"Word (\d+) of", question)[-1])
                os.write(terminal, seeds[purpose][place - 1].encode() + b"\n")
        read_until(terminal, "written down")
        assert process.wait(30) == 0

    paper = tmp_path / "paper"
    paper.write_text(" ".join(seeds["pool"]))
    rows = export(house, tmp_path / "pool.jsonl")
    found = done(house, "drill", "--words", str(paper), "--pool", str(rows))
    assert "10 addresses derived from the words alone, 0 wrong" in found
    paper.write_text(" ".join(seeds["hot"]))
    assert (
        "ethereum/0" in run(house, "drill", "--words", str(paper), "--pool", str(rows)).stderr
    )


def test_a_keystore_is_made_from_words_that_exist(tmp_path: Path) -> None:
    """The published mnemonic gives the published hot wallet."""
    house = build(tmp_path / "k")
    paper = tmp_path / "paper"
    paper.write_text("abandon " * 11 + "about")
    done(house, "init", "--json", "--words", f"hot={paper}", *CHEAP)
    _, secrets = vault.decode(house.file.read_bytes(), PASSPHRASE.encode())
    assert bytes(secrets.hot) == bytes(16)
    assert secrets.pool != secrets.hot


def test_wrong_words_make_nothing_and_are_not_repeated(tmp_path: Path) -> None:
    """A misspelled word, a moved word."""
    house = build(tmp_path / "k")
    paper = tmp_path / "paper"
    for text in ("abandon " * 12, "abandonn " * 12, "about"):
        paper.write_text(text)
        line = refused(house, "init", "--words", f"hot={paper}", *CHEAP)
        assert "--words hot: " in line
        assert "abandon" not in line
    assert not house.file.exists()


@given(entropy=st.binary(min_size=32, max_size=32), random=st.binary(min_size=64, max_size=64))
def test_words_name_their_seed(entropy: bytes, random: bytes) -> None:
    """Both ways, and the check asks for different places."""
    words = words_of(entropy)
    assert entropy_of("  ".join(words).upper(), "x") == entropy
    places = places_to_check(len(words), random + bytes(range(64)))
    assert len(set(places)) == 3
    assert all(place < 24 for place in places)


@pytest.mark.parametrize("how", ["ctrl-d", "ctrl-c"])
def test_words_leave_the_screen_however_the_person_goes(house: House, how: str) -> None:
    """The screen is wiped first; the end of the input is one line, and no traceback."""
    with at_a_terminal(house, "words") as (process, terminal):
        read_until(terminal, "Press Enter")
        shown = ""
        while WIPED not in shown:
            # A signal between the prompt and the wait for a line is heard with the next one.
            if how == "ctrl-d":
                os.write(terminal, b"\x04")
            else:
                process.send_signal(signal.SIGINT)
            while WIPED not in shown and select.select([terminal], [], [], HEARD_SECONDS)[0]:
                shown += os.read(terminal, 4096).decode()
        if how == "ctrl-d" and "the input ended" not in shown:
            shown += read_until(terminal, "the input ended")
        assert process.wait(30) == (1 if how == "ctrl-d" else 130)
    assert "Traceback" not in shown


def test_a_question_that_gets_no_answer_is_one_line(house: House) -> None:
    """Ctrl-D at a passphrase: nothing is changed."""
    before = house.file.read_bytes()
    with at_a_terminal(house, "passphrase", *CHEAP) as (process, terminal):
        read_until(terminal, "New passphrase: ")
        os.write(terminal, b"\x04")
        assert "Traceback" not in read_until(terminal, "the input ended")
        assert process.wait(30) == 1
    assert house.file.read_bytes() == before


def test_a_restore_that_was_cut_off_goes_on(house: House, tmp_path: Path) -> None:
    """The journal is in place and the vault is not; another backup's journal stays refused."""
    kept, other = tmp_path / "keystore.backup", tmp_path / "other.backup"
    done(house, "backup", str(kept))
    elsewhere = build(tmp_path / "elsewhere")
    done(elsewhere, "restore", str(kept))
    elsewhere.file.unlink()
    with contextlib.closing(sqlite3.connect(house.journal)) as db:
        db.execute("insert into issued values ('ethereum', 5)")
        db.commit()
    done(house, "backup", str(other))

    assert "journal.sqlite exists already" in refused(elsewhere, "restore", str(other))
    assert not elsewhere.file.exists()
    done(elsewhere, "restore", str(kept))
    assert elsewhere.file.read_bytes() == house.file.read_bytes()


def test_a_backup_into_no_folder_is_one_clear_line(house: House, tmp_path: Path) -> None:
    """It names the folder that was asked for, and no other."""
    target = tmp_path / "none" / "keystore.backup"
    line = refused(house, "backup", str(target))
    assert line == f"keystore: {target.parent}: no such folder; nothing was written\n"
