"""A run of entries is posted at once, and leaves what one after another would have left."""

import json
import random
import threading
from collections.abc import Sequence

import psycopg
import pytest
from psycopg import errors

from tests.conftest import FreshDatabase
from tests.migrations.test_ledger_rules import (
    POSTING,
    connect,
    ledger,
    new_journal,
)

__all__ = ["ledger"]

Entry = tuple[int, str, str, int]
"""Journal, account, type and what `confirmed` changes by."""
RUN = "INSERT INTO posting_run (entries, at) VALUES (%s, now())"
BROKEN = """
SELECT h.account, h.version FROM (
    SELECT *, lag(hash) OVER chain AS last_hash, lag(confirmed_after, 1, 0::numeric) OVER chain AS last_confirmed,
        lag(locked_after, 1, 0::numeric) OVER chain AS last_locked, row_number() OVER chain AS place
    FROM balance_history WINDOW chain AS (PARTITION BY wallet_id ORDER BY version)) AS h
JOIN wallet w ON w.id = h.wallet_id
WHERE h.version <> h.place OR h.previous_hash IS DISTINCT FROM h.last_hash
    OR (h.confirmed_before, h.locked_before) <> (h.last_confirmed, h.last_locked)
    OR (h.account, h.currency_id) <> (w.account, w.currency_id) OR h.merchant_id IS DISTINCT FROM w.merchant_id
    OR h.hash <> sha256(coalesce(h.previous_hash, '\\x00'::bytea) || convert_to(concat_ws('|', w.id, h.version,
        h.journal_id, h.currency_id, h.change_type, h.delta_confirmed, h.delta_locked, h.confirmed_after,
        h.locked_after), 'UTF8'))
    OR h.version = w.version AND (h.hash, h.confirmed_after, h.locked_after) <> (w.head_hash, w.confirmed, w.locked)
    OR h.version > w.version
"""


def run_of(entries: Sequence[Entry]) -> str:
    """Return entries as the view takes them."""
    return json.dumps(
        [
            {
                "place": place,
                "journal": journal,
                "account": account,
                "currency": "ETH-ETHEREUM",
                "type": kind,
                "confirmed": str(units),
                "locked": "0",
            }
            for place, (journal, account, kind, units) in enumerate(entries)
        ]
    )


def deposits(watcher: psycopg.Connection, source: random.Random, name: str) -> list[Entry]:
    """Return the entries of some deposits, in the order in which wallets are locked."""
    entries: list[Entry] = []
    for number in range(source.randrange(1, 30)):
        merchant = source.choice(["mer_1", "mer_2", "suspense"])
        owner = None if merchant == "suspense" else merchant
        journal = new_journal(watcher, "deposit", f"{name}-{number}", owner)
        units = source.randrange(1, 10**30)
        entries += [
            (journal, merchant, "DEPOSIT", units),
            (journal, "custody", "DEPOSIT", -units),
        ]
    return sorted(entries, key=lambda each: (each[1] == "custody", each[1]))


def test_a_run_leaves_what_one_entry_after_another_leaves(ledger: FreshDatabase) -> None:
    """Versions, balances and hashes follow one another; new wallets are made; single entries go on."""
    source = random.Random(7)
    with connect(ledger, "watcher") as watcher:
        for number in range(6):
            entries = deposits(watcher, source, f"run{number}")
            watcher.execute(RUN, [run_of(entries)])
            single = new_journal(watcher, "deposit", f"single{number}", "mer_1")
            watcher.execute(POSTING, [single, "mer_1", "DEPOSIT", 5, 0])
            watcher.execute(POSTING, [single, "custody", "DEPOSIT", -5, 0])
            watcher.commit()
            assert watcher.execute(BROKEN).fetchall() == []
        rows = watcher.execute(
            "SELECT account, version, confirmed FROM wallet ORDER BY account"
        ).fetchall()
        entered = watcher.execute(
            "SELECT account, count(*), sum(delta_confirmed) FROM balance_history GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert rows == entered
    assert [row[0] for row in rows] == ["custody", "mer_1", "mer_2", "suspense"]
    watcher_sees_nothing_to_do = run_of([])
    with connect(ledger, "watcher") as watcher:
        watcher.execute(RUN, [watcher_sees_nothing_to_do])


def test_no_entry_of_a_run_is_without_cover(ledger: FreshDatabase) -> None:
    """What comes later in the run does not pay for what went before."""
    with connect(ledger, "watcher") as watcher:
        journal = new_journal(watcher, "deposit", "d2", "mer_1")
        entries = [(journal, "mer_1", "DEPOSIT", units) for units in (-101, 101)]
        with pytest.raises(errors.CheckViolation, match="balance_history_covered"):
            watcher.execute(RUN, [run_of(entries)])


def test_a_run_that_does_not_sum_to_zero_fails_at_commit(ledger: FreshDatabase) -> None:
    """The rule of single entries holds for all of them."""
    with connect(ledger, "watcher") as watcher:
        journal = new_journal(watcher, "deposit", "d2", "mer_1")
        watcher.execute(RUN, [run_of([(journal, "mer_1", "DEPOSIT", 5)])])
        with pytest.raises(errors.CheckViolation, match="does not sum to zero"):
            watcher.commit()


def test_only_the_watcher_posts_runs_and_nobody_gives_a_hash(ledger: FreshDatabase) -> None:
    """The other roles have entries of their own kinds only; what is filled is never believed."""
    forged = POSTING.replace("at) VALUES (", "at, hash) VALUES (").replace(
        "now())", "now(), '\\x01')"
    )
    assert forged.count("hash") == 1
    with connect(ledger, "owner") as owner:
        journal = new_journal(owner, "deposit", "d2", "mer_1")
        owner.commit()
        owner.execute(forged, [journal, "mer_1", "DEPOSIT", 5, 0])
        assert owner.execute(BROKEN).fetchall() == []
        owner.rollback()
    for role in ("api", "worker"):
        with connect(ledger, role) as other, pytest.raises(errors.InsufficientPrivilege):
            other.execute(RUN, [run_of([(journal, "mer_1", "DEPOSIT", 5)])])
    with connect(ledger, "watcher") as watcher, pytest.raises(errors.InsufficientPrivilege):
        watcher.execute(forged, [journal, "mer_1", "DEPOSIT", 5, 0])


def test_a_run_waits_for_whoever_posts_to_the_same_wallet(ledger: FreshDatabase) -> None:
    """It goes on from where the other one left the wallet."""
    with connect(ledger, "watcher") as first, connect(ledger, "watcher") as second:
        for connection, ref in ((first, "d2"), (second, "d3")):
            new_journal(connection, "deposit", ref, "mer_1")
            connection.commit()
        journals = [row[0] for row in first.execute("SELECT id FROM journal ORDER BY id")][-2:]
        runs = [
            run_of([(journal, "mer_1", "DEPOSIT", 5), (journal, "custody", "DEPOSIT", -5)])
            for journal in journals
        ]
        first.execute(RUN, [runs[0]])
        waiting = threading.Thread(target=lambda: second.execute(RUN, [runs[1]]))
        waiting.start()
        with connect(ledger, "owner") as owner:
            while not owner.execute(
                "SELECT 1 FROM pg_locks WHERE NOT granted AND pid = %s",
                [second.info.backend_pid],
            ).fetchone():
                assert waiting.is_alive()
                owner.rollback()
        first.commit()
        waiting.join()
        second.commit()
        assert second.execute(BROKEN).fetchall() == []
        [row] = second.execute(
            "SELECT confirmed, version FROM wallet WHERE account = 'mer_1'"
        ).fetchall()
    assert row == (110, 3)
