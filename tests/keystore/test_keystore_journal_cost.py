"""What one signature costs does not grow with the journal, and a repeated one writes nothing."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from keystore.client import KeystoreClient
from keystore.entries import Answer, Ground
from keystore.journal import Journal
from tests.keystore.house import House, ethereum_intent, serving

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FEW, MANY = 20, 200
STEPS = 50
"""SQLite tells after this many instructions of its machine."""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Yield an empty journal."""
    path = tmp_path / "journal"
    Journal.create(path, "vault")
    opened = Journal.open(path, "vault", lambda: MOMENT)
    yield opened
    opened.close()


def sign(journal: Journal, number: int) -> Answer:
    """Sign one payment under a rule with a window of its own."""

    def allow(_: object) -> Ground:
        journal.now()
        journal.let_go("a rule that is never used", MOMENT, 0)
        journal.setups("a lane that is never made", MOMENT)
        return Ground("everyday", 1)

    return journal.sign_once(
        f"wdr_{number}",
        "ethereum",
        intent=b"intent %d" % number,
        slot=f"slot {number}",
        allow=allow,
        sign=lambda: Answer(b"raw %d" % number, f"hash {number}", "sender"),
    )


@contextmanager
def counted(journal: Journal) -> Iterator[list[None]]:
    """Count SQLite's own steps, which no other work on the machine changes."""
    ticks: list[None] = []
    journal._db.set_progress_handler(lambda: ticks.append(None), STEPS)
    try:
        yield ticks
    finally:
        journal._db.set_progress_handler(None, STEPS)


def test_a_signature_costs_the_same_in_a_long_journal(journal: Journal) -> None:
    """Every question before it has an index: ten times the rows, not twice the steps."""
    costs = []
    for first, last in ((0, FEW), (FEW, MANY)):
        for number in range(first, last):
            sign(journal, number)
        with counted(journal) as ticks:
            for number in range(10):
                journal.recall(f"wdr_{number}", b"intent %d" % number)
            journal.now()
            journal.history("ethereum", last - 5, 5)
        costs.append(len(ticks))
        with counted(journal) as ticks:
            sign(journal, 10_000 + last)
        costs.append(len(ticks))
    asked_few, signed_few, asked_many, signed_many = costs

    assert asked_many <= 2 * asked_few
    assert signed_many <= 2 * signed_few


def test_no_statement_of_a_signature_makes_a_table_of_its_own(journal: Journal) -> None:
    """SQLite does so for an order that no index has, and for a check against a list of three."""
    asked: list[str] = []
    journal._db.set_trace_callback(asked.append)
    journal.recall("wdr_1", b"intent 1")
    sign(journal, 1)
    journal._db.set_trace_callback(None)
    journal._db.text_factory = bytes  # a program's constants are of any spelling

    programs = [journal._db.execute(f"explain {each}").fetchall() for each in set(asked)]
    steps = [{step[1] for step in program} for program in programs]
    assert any({b"MakeRecord", b"Insert"} <= each for each in steps)
    assert not any({b"OpenEphemeral", b"SorterOpen"} & each for each in steps)


def test_a_repeat_writes_nothing(house: House) -> None:
    """Neither a row nor a page of the log: bytes that were fsynced once are read again."""
    wal = house.journal.with_name(house.journal.name + "-wal")
    with serving(house):
        asked = ethereum_intent()

        async def sizes() -> list[tuple[int, int, int]]:
            found = []
            async with KeystoreClient(house.socket) as client:
                for _ in range(4):
                    await client.sign(asked)
                    state = wal.stat()
                    found.append(
                        (state.st_size, state.st_mtime_ns, house.journal.stat().st_mtime_ns)
                    )
                await client.sign(ethereum_intent(withdrawal_id="wdr_2", nonce=1))
                found.append((wal.stat().st_size, 0, 0))
            return found

        first, *again, other = asyncio.run(sizes())
    assert again == [first] * 3
    assert other[0] > first[0]
