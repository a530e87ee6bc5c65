"""`watchers coverage` and `watchers rescan` on a running chain."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import delete

from gateway.db import CROSS_TENANT
from gateway.models import Block
from tests.conftest import FreshDatabase
from tests.watchers.real_world import RealWorld, ethereum_world
from tests.watchers.test_command import config, run
from watchers.addresses import AddressBook

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
OURS = 10**18


async def unseen(w: RealWorld) -> str:
    """Pay the pool and scan with a book that knows nobody; return the hash."""
    assert isinstance(w.chain.url, str)
    tx_hash = await w.chain.pay(w.pool[1], OURS)
    await w.chain.mine(8)
    book, w.scanner.book = w.scanner.book, AddressBook(w.scanner.book.public_key)
    await w.scan()
    w.scanner.book = book
    assert await w.deposits() == []
    return tx_hash


def watchers(path: Path, *words: str) -> "asyncio.Future[subprocess.CompletedProcess[str]]":
    """Run the command beside the chain."""
    done = asyncio.to_thread(run, words[0], "ethereum", *words[1:], "--config", str(path))
    return asyncio.ensure_future(done)


async def test_rescan_of_a_transaction_prints_what_was_missed(
    database: FreshDatabase, tmp_path: Path
) -> None:
    """By its hash, then by its range: found once, credited by the watcher's final lane."""
    async with ethereum_world(database, mining=True) as w:
        tx_hash = await unseen(w)
        path = config(tmp_path, database, w.chain.url, w.chain.identity)
        first = await watchers(path, "rescan", "--tx", tx_hash)
        assert first.returncode == 0, first.stderr
        assert first.stdout.splitlines()[1:4] == [
            "blocks read                1",
            "transfers to us            1",
            "new deposits               1",
        ]
        low = w.scanner.position.final_height - 3
        span = ("--from", str(low), "--to", str(w.scanner.position.height))
        again = await watchers(path, "rescan", *span)
        assert "new deposits               0" in again.stdout
        await w.scan()
        assert sum((await w.credited()).values()) == OURS

        beyond = await watchers(path, "rescan", "--from", "0", "--to", "999999")
        assert beyond.returncode == 1
        assert "were not all processed" in beyond.stderr


async def test_coverage_exits_1_where_a_height_was_not_read(
    database: FreshDatabase, tmp_path: Path
) -> None:
    """Ranges and providers for people, one object for programs, and every gap."""
    async with ethereum_world(database) as w:
        await w.chain.mine(6)
        await w.scan()
        path = config(tmp_path, database, w.chain.url, w.chain.identity)
        whole = await watchers(path, "coverage")
        assert (whole.returncode, whole.stdout.splitlines()[-1]) == (0, "gaps      none")
        missing = w.scanner.position.height - 2
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(delete(Block).where(Block.height == missing))
        found = await watchers(path, "coverage", "--json")
        assert found.returncode == 1
        assert json.loads(found.stdout)["gaps"] == [{"first": missing, "last": missing}]
        cursor = w.scanner.position.height
        beyond = await watchers(path, "coverage", "--to", str(cursor + 9), "--json")
        assert json.loads(beyond.stdout)["gaps"][-1] == {
            "first": cursor + 1,
            "last": cursor + 9,
        }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["coverage", "ethereum", "--to", "9" * 30], "--to: "),
        (["rescan", "ethereum", "--from", "4", "--to", "2"], "--from: 4 lies above --to 2"),
        (["rescan", "ethereum", "--tx", "0x12"], "--tx: a transaction hash here is 64 hex"),
        (["reconcile", "ethereum"], "networks.ethereum: not in the database"),
    ],
)
def test_words_that_ask_for_nothing_are_one_line(
    database: FreshDatabase, tmp_path: Path, words: list[str], said: str
) -> None:
    """Said before any node is asked: there is none here."""
    path = config(tmp_path, database, "http://127.0.0.1:1", "1")
    refused = run(*words, "--config", str(path))
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert said in refused.stderr
