"""What rules let go is counted once and kept as sums: always what the rows themselves say."""

import contextlib
import random
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
import pytest

from keystore import networks
from keystore.entries import Answer, Ground
from keystore.journal import Journal
from keystore.spending import INTENT_MARK, Spending, read_intent
from tests.keystore.house import ethereum_intent

RULES = ("everyday", "large")
TIMES = (timedelta(hours=1), timedelta(hours=24))
STEPS = 50
"""SQLite tells after this many instructions of its machine."""


class Clock:
    """A clock that goes as it is told, also back."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 21, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.at


@pytest.fixture
def clock() -> Clock:
    """Return a clock."""
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a new journal."""
    Journal.create(tmp_path / "journal", "id")
    return tmp_path / "journal"


@pytest.fixture
def journal(path: Path, clock: Clock) -> Iterator[Journal]:
    """Yield it open."""
    with contextlib.closing(Journal.open(path, "id", clock)) as opened:
        yield opened


def sign(journal: Journal, number: int, price: int, rule: str, units: int) -> None:
    """Sign a payment, or what replaces it: a number has one slot."""
    intent = ethereum_intent(
        withdrawal_id=f"wdr_{number}", nonce=number, max_fee_per_gas=str(price)
    )
    canonical = INTENT_MARK + msgspec.json.encode(intent, order="sorted")

    def allow(held: Ground | None) -> Ground:
        return Ground(rule, units) if held is None else Ground(held.rule, 0)

    journal.sign_once(
        intent.withdrawal_id,
        "ethereum",
        intent=canonical,
        slot=f"slot {number}",
        replaces=lambda _: True,
        allow=allow,
        sign=lambda: Answer(canonical, f"hash {number} {price}", "sender"),
    )


def counted(path: Path, rule: str, since: datetime) -> tuple[int, int]:
    """Add up units and fees from the rows, one by one."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        found = db.execute("select at, kind, slot, units, intent, rule from entry").fetchall()
    units, fees = 0, dict[str, int]()
    for at, kind, slot, amount, intent, named in found:
        if named == rule and datetime.fromisoformat(at) > since:
            units += int(amount) if kind == "signed" else 0
            fee = networks.fee_most(read_intent(intent))
            fees[slot] = max(fees.get(slot, 0), fee)
    return units, sum(fees.values())


def test_running_sums_are_what_the_rows_say(path: Path, journal: Journal, clock: Clock) -> None:
    """Through bumps, another process's rows, groups that were undone, and a clock set back."""
    chance, spending, prices = random.Random(5), Spending(journal), dict[int, int]()
    with contextlib.closing(Journal.open(path, "id", clock)) as other:

        def sign_some(writer: Journal) -> None:
            number = chance.randrange(60)
            prices[number] = prices.get(number, 10**9) + chance.randrange(1, 10**9)
            sign(writer, number, prices[number], chance.choice(RULES), chance.randrange(1, 100))

        for _ in range(150):
            clock.at += timedelta(minutes=chance.randrange(-200, 300))
            match chance.randrange(4):
                case 0:
                    sign_some(other)
                case 1:
                    with contextlib.suppress(ZeroDivisionError), journal.together():
                        sign_some(journal)
                        spending.until_now().units("everyday", TIMES[1])
                        raise ZeroDivisionError
                case _:
                    sign_some(journal)
            past = spending.until_now()
            for rule in RULES:
                for time in TIMES:
                    told = past.units(rule, time), past.fees(rule, time)[0]
                    assert told == counted(path, rule, past.moment - time)


def test_the_dearest_of_a_slot_counts_until_it_is_too_old(
    journal: Journal, clock: Clock
) -> None:
    """The fee of one slot is told beside the sum."""
    sign(journal, 1, 10**9, "everyday", 5)
    sign(journal, 1, 3 * 10**9, "everyday", 0)
    sign(journal, 2, 10**9, "everyday", 5)
    past = Spending(journal).until_now()

    gas = ethereum_intent().gas_limit
    assert past.fees("everyday", TIMES[0], "slot 1") == (4 * 10**9 * gas, 3 * 10**9 * gas)
    assert past.fees("everyday", TIMES[0], "slot 9") == (4 * 10**9 * gas, 0)
    clock.at += timedelta(hours=2)
    assert Spending(journal).until_now().fees("everyday", TIMES[0], "slot 1") == (0, 0)


def test_a_decision_costs_the_same_in_a_full_window(journal: Journal, clock: Clock) -> None:
    """Each row is looked at once: ten times the rows, not twice the steps."""
    spending, costs = Spending(journal), []
    for first, last in ((0, 20), (20, 200)):
        for number in range(first, last):
            clock.at += timedelta(seconds=1)
            sign(journal, number, 10**9, "everyday", 1)
        spending.until_now().fees("everyday", TIMES[1])
        clock.at += timedelta(seconds=1)
        sign(journal, 1_000 + last, 10**9, "everyday", 1)
        ticks: list[None] = []
        journal._db.set_progress_handler(partial(ticks.append, None), STEPS)
        spending.until_now().fees("everyday", TIMES[1])
        journal._db.set_progress_handler(None, STEPS)
        costs.append(len(ticks))
    assert costs[1] <= 2 * costs[0] + 1
