"""The journal remembers one intent and one slot per withdrawal, and notices every change."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from keystore.entries import Answer, Ground
from keystore.journal import Journal
from keystore.refusal import Refused, Unfit

VAULT_ID = "ab" * 16
ANSWER = Answer(b"\x02signed", "0xhash", "0xsender", 1)


def clock() -> datetime:
    """Return one instant: time plays no part in what is remembered."""
    return datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a new empty journal."""
    path = tmp_path / "journal.sqlite"
    Journal.create(path, VAULT_ID)
    return path


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    """Yield it open."""
    journal = Journal.open(path, VAULT_ID, clock)
    yield journal
    journal.close()


def sign(
    journal: Journal,
    withdrawal_id: str = "wdr_1",
    *,
    intent: bytes = b"intent",
    slot: str = "slot-1",
    make: Callable[[], Answer] = lambda: ANSWER,
) -> Answer:
    """Sign once with the given parts."""
    return journal.sign_once(
        withdrawal_id,
        "net",
        intent=intent,
        slot=slot,
        allow=lambda _: Ground("r", 1),
        sign=make,
    )


def never() -> Answer:
    """Fail the test: nothing may be signed."""
    raise AssertionError("signed a second time")


def rows(path: Path) -> list[tuple[str, str, str | None]]:
    """Return kind, subject and code of every row."""
    db = sqlite3.connect(path)
    found = db.execute("select kind, subject, code from entry order by seq").fetchall()
    db.close()
    return found


def test_the_same_intent_gets_the_same_bytes_without_signing_again(journal: Journal) -> None:
    """A repeat is answered from memory."""
    first = sign(journal)

    assert sign(journal, make=never) == first == ANSWER
    assert journal.recall("wdr_1", b"intent") == ANSWER
    assert journal.signatures == 1


def test_a_repeat_after_a_restart_gets_the_same_bytes(path: Path, journal: Journal) -> None:
    """What COMMIT returned for is in the file."""
    sign(journal)
    journal.close()

    again = Journal.open(path, VAULT_ID, clock)
    assert sign(again, make=never) == ANSWER
    again.close()


def test_another_intent_for_the_same_withdrawal_is_refused(journal: Journal) -> None:
    """Even with a free slot: one withdrawal, one intent."""
    sign(journal)

    with pytest.raises(Refused) as refused:
        sign(journal, intent=b"other", slot="slot-2", make=never)
    assert refused.value.code == "intent_conflict"


def test_a_slot_taken_by_another_withdrawal_is_refused(journal: Journal) -> None:
    """One slot on the chain pays one withdrawal."""
    sign(journal)

    with pytest.raises(Refused) as refused:
        sign(journal, "wdr_2", intent=b"other", make=never)
    assert refused.value.code == "slot_taken"


def test_a_failure_while_signing_leaves_nothing_behind(path: Path, journal: Journal) -> None:
    """Neither a row nor a lock: the next attempt starts clean."""

    def fail() -> Answer:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        sign(journal, make=fail)

    assert rows(path) == []
    assert sign(journal) == ANSWER


def test_what_was_asked_before_another_process_signed_is_asked_again(
    path: Path, journal: Journal
) -> None:
    """An answer that was read before the lock is forgotten where somebody wrote meanwhile."""
    other = Journal.open(path, VAULT_ID, clock)
    sign(journal, "wdr_0", slot="0", make=lambda: Answer(b"0", "0x0", "s"))
    assert journal.recall("wdr_1", b"intent") is None
    sign(other)

    assert sign(journal, make=never) == Answer(b"\x02signed", "0xhash", "0xsender", 2)
    other.close()


def test_what_was_asked_holds_for_one_signature(journal: Journal) -> None:
    """The second intent finds the first one, though nobody asked in between."""
    sign(journal, "wdr_0", slot="0", make=lambda: Answer(b"0", "0x0", "s"))
    assert journal.recall("wdr_1", b"intent") is None
    sign(journal)

    with pytest.raises(Refused, match="another intent"):
        sign(journal, intent=b"other", slot="slot-2", make=never)


def test_two_processes_agree_on_one_answer(path: Path, journal: Journal) -> None:
    """A second connection sees the first one's row and chain."""
    other = Journal.open(path, VAULT_ID, clock)
    sign(journal)

    assert sign(other, make=never) == ANSWER
    with pytest.raises(Refused):
        sign(other, "wdr_2", intent=b"other", make=never)
    sign(other, "wdr_2", intent=b"other", slot="2", make=lambda: Answer(b"2", "0x2", "s"))
    sign(journal, "wdr_3", intent=b"more", slot="3", make=lambda: Answer(b"3", "0x3", "s"))
    other.close()
    Journal.open(path, VAULT_ID, clock).close()


def test_a_refusal_is_remembered_once(path: Path, journal: Journal) -> None:
    """A caller that insists adds no rows; another reason does."""
    for code in ("bad_amount", "bad_amount", "slot_taken"):
        journal.record_refusal("wdr_1", "net", b"intent", code)

    assert rows(path) == [
        ("refused", "wdr_1", "bad_amount"),
        ("refused", "wdr_1", "slot_taken"),
    ]
    assert sign(journal) == ANSWER


def test_a_nonce_setup_is_signed_once_per_question(path: Path, journal: Journal) -> None:
    """The same question again adds nothing, and nobody decides about it twice."""
    asked: list[bytes] = []

    def ask(intent: bytes) -> Answer:
        def allow() -> Ground:
            asked.append(intent)
            return Ground("r", 0)

        return journal.setup_once(
            "lane",
            "net",
            intent=intent,
            allow=allow,
            sign=lambda: Answer(intent, f"hash of {intent!r}", "hot"),
        )

    assert ask(b"1") == ask(b"1") != ask(b"2")
    assert asked == [b"1", b"2"]
    assert rows(path) == [("setup", "lane", None), ("setup", "lane", None)]
    assert journal.signatures == 0


def test_no_setup_is_signed_that_nobody_allowed(path: Path, journal: Journal) -> None:
    """The decision comes first, and a refusal leaves nothing."""

    def refuse() -> Ground:
        raise Refused("blocked", "no")

    with pytest.raises(Refused):
        journal.setup_once("lane", "net", intent=b"1", allow=refuse, sign=never)
    assert rows(path) == []


OLDER = """
drop index one_setup; drop index by_subject; drop index by_rule;
create unique index one_transaction on entry (tx_hash) where raw is not null;
create index by_subject on entry (subject);
create index by_rule on entry (rule, at) where kind = 'signed';
create index by_time on entry (at);
"""
"""What journals of two older versions have, and what they have not."""


def test_a_journal_of_an_older_version_is_opened(path: Path, journal: Journal) -> None:
    """Its rows stay as they are, it gets today's indexes once, and it goes on."""

    def indexes() -> list[tuple[str, str]]:
        db = sqlite3.connect(path)
        query = "select name, sql from sqlite_master where type = 'index' order by name"
        found = db.execute(query).fetchall()
        db.close()
        return found

    today = indexes()
    sign(journal)
    journal.record_refusal("wdr_1", "net", b"intent", "bad_amount")
    journal.close()
    before = rows(path)
    db = sqlite3.connect(path)
    db.executescript(OLDER)
    db.close()
    assert indexes() != today

    again = Journal.open(path, VAULT_ID, clock)
    assert (indexes(), rows(path)) == (today, before)
    assert sign(again, make=never) == ANSWER
    sign(again, "wdr_2", intent=b"b", slot="b", make=lambda: Answer(b"b", "0xb", "s"))
    again.close()
    Journal.open(path, VAULT_ID, clock).close()


@pytest.mark.parametrize(
    "statement",
    [
        "update entry set subject = 'wdr_9'",
        "delete from entry",
        "delete from entry where seq = 2",
    ],
)
def test_rows_cannot_be_changed_or_removed(
    path: Path, journal: Journal, statement: str
) -> None:
    """The file's own triggers refuse."""
    sign(journal)
    db = sqlite3.connect(path)

    with pytest.raises(sqlite3.IntegrityError, match="journal rows"):
        db.execute("delete from entry" if "seq = 2" in statement else statement)
    db.close()


@pytest.mark.parametrize(
    "statement",
    [
        "update entry set subject = 'wdr_9' where seq = 1",
        "update entry set raw = x'00' where seq = 2",
        "update entry set slot = 'free' where seq = 2",
        "update entry set hash = x'00' where seq = 2",
        "delete from entry where seq = 1",
        "update origin set vault_id = 'other'",
    ],
)
def test_a_row_changed_behind_the_triggers_is_noticed(
    path: Path, journal: Journal, statement: str
) -> None:
    """The hash chain does not fit any more, and the keystore does not start on it."""
    sign(journal)
    sign(journal, "wdr_2", intent=b"b", slot="b", make=lambda: Answer(b"b", "0xb", "s"))
    journal.close()
    db = sqlite3.connect(path)
    db.executescript(f"drop trigger entry_is_final; drop trigger entry_stays; {statement};")
    db.close()

    with pytest.raises(Unfit, match="journal"):
        Journal.open(path, VAULT_ID, clock)


def test_a_missing_foreign_or_broken_journal_is_refused(path: Path, tmp_path: Path) -> None:
    """No empty memory is put in the place of the real one."""
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(b"not a database" * 100)

    with pytest.raises(Unfit, match="no such file"):
        Journal.open(tmp_path / "gone.sqlite", VAULT_ID, clock)
    with pytest.raises(Unfit, match="another keystore file"):
        Journal.open(path, "cd" * 16, clock)
    with pytest.raises(Unfit, match="not a database"):
        Journal.open(broken, VAULT_ID, clock)
    with pytest.raises(Unfit, match="will not be overwritten"):
        Journal.create(path, VAULT_ID)


def test_commits_are_synchronous_and_the_file_is_private(path: Path, journal: Journal) -> None:
    """`synchronous = FULL` in write-ahead mode: COMMIT waits for the disk."""
    assert journal._db.execute("pragma synchronous").fetchone() == (2,)
    assert journal._db.execute("pragma journal_mode").fetchone() == ("wal",)
    assert path.stat().st_mode & 0o777 == 0o600


def test_opening_a_journal_again_changes_nothing_in_it(path: Path) -> None:
    """Its indexes are today's already, however SQLite spells them: nothing is built anew."""

    def version() -> int:
        db = sqlite3.connect(path)
        found: int = db.execute("pragma schema_version").fetchone()[0]
        db.close()
        return found

    made = version()
    Journal.open(path, VAULT_ID, clock).close()
    assert version() == made


def test_two_networks_of_one_key_may_have_the_same_creation(
    journal: Journal, path: Path
) -> None:
    """The bytes name no network: the second is answered, and no second row stands for them."""

    def create(network: str) -> Answer:
        return journal.setup_once(
            "lane",
            network,
            intent=network.encode(),
            allow=lambda: Ground("r", 1),
            sign=lambda: Answer(b"bytes", "hash", "hot"),
        )

    assert create("sol") == create("sol2") == create("sol")
    assert [kind for kind, _, _ in rows(path)] == ["setup"]


def test_an_index_that_hides_a_row_is_noticed(path: Path, journal: Journal) -> None:
    """The chain of rows is whole; the answer to "was it signed?" would come from the index."""
    for number in range(12):
        sign(
            journal,
            f"wdr_{number}",
            intent=b"%d" % number,
            slot=f"slot {number}",
            make=partial(Answer, b"raw", f"0x{number}", "sender"),
        )
    journal.close()
    sound = path.read_bytes()
    places = [found.start() + 4 for found in re.finditer(b"wdr_3|slot 3", sound)]
    assert len(places) > 3
    for place in places:
        damaged = bytearray(sound)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(Unfit, match="journal"):
            Journal.open(path, VAULT_ID, clock)
    path.write_bytes(sound)
    Journal.open(path, VAULT_ID, clock).close()
