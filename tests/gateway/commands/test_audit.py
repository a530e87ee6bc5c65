"""The audit log's chain: whole while nobody touches a row, broken and named when somebody does."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from sqlalchemy import text

from gateway.__main__ import main
from gateway.audit.chain import Head, link
from gateway.audit.service import record
from gateway.db import CROSS_TENANT, Database
from gateway.domain.actor import Actor
from gateway.domain.moment import Moment
from tests.conftest import FreshDatabase
from tests.gateway.commands.served import write_config

pytestmark = pytest.mark.usefixtures("own_logging")
ACTOR = Actor("key_1", None, frozenset(), livemode=False)


def with_database(
    database: FreshDatabase,
    role: Literal["admin", "worker"],
    work: Callable[[Database], Awaitable[object]],
) -> None:
    """Do something as a role."""

    async def done() -> None:
        opened = Database(database.url(role), pool_size=2)
        try:
            await work(opened)
        finally:
            await opened.aclose()

    asyncio.run(done())


def note(database: FreshDatabase, *subjects: str) -> None:
    """Write one row per subject, with nested JSON and letters of other scripts."""

    async def work(owner: Database) -> None:
        for subject in subjects:
            async with owner.unit_of_work(CROSS_TENANT) as session:
                moment = Moment(datetime.now(UTC), bytes)
                await record(
                    session, ACTOR, moment, action="x.changed", subject=subject,
                    before={"b": [1, None], "a": "é"}, after={"c": {"z": True}},
                )  # fmt: skip

    with_database(database, "admin", work)


def chain(database: FreshDatabase) -> list[Head | None]:
    """Link what is there, as gw_worker, until there is nothing new."""
    heads: list[Head | None] = []

    async def work(worker: Database) -> None:
        while True:
            async with worker.unit_of_work(CROSS_TENANT) as session:
                heads.append(await link(session))
            if heads[-1] is None:
                return

    with_database(database, "worker", work)
    return heads


def tamper(database: FreshDatabase, statement: str) -> None:
    """Change something as the owner with every trigger off, after people were told of it all."""

    async def work(admin: Database) -> None:
        async with admin.unit_of_work(CROSS_TENANT) as session:
            for table in ("audit_log", "audit_link"):
                await session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
            told = "UPDATE notification_cursor SET place = (SELECT max(place) FROM audit_link)"
            await session.execute(text(f"{told} WHERE source = 'audit'"))
            await session.execute(text(statement))

    with_database(database, "admin", work)


def verified(config: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, str]:
    """Run the command."""
    code = main(["audit", "verify", "--config", str(config), *more])
    return code, capsys.readouterr().out


def test_a_log_that_nobody_touched_is_whole(
    database: FreshDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows without a link are counted; a head noted earlier is found again."""
    config = write_config(tmp_path, database)
    assert verified(config, capsys)[0] == 0
    note(database, "a", "b")
    head, nothing = chain(database)
    assert (head is not None and head.place, nothing) == (2, None)
    note(database, "c")
    code, said = verified(config, capsys)
    assert (code, "1 rows wait" in said) == (0, True)
    chain(database)
    assert head is not None
    assert verified(config, capsys, "--head", f"{head.place}:{head.hash}")[0] == 0
    assert verified(config, capsys, "--head", f"{head.place}:{'0' * 64}")[0] == 1


CUT = """
WITH cut AS (DELETE FROM audit_link WHERE place = 3 RETURNING audit_id)
DELETE FROM audit_log WHERE id IN (SELECT audit_id FROM cut)
"""
FORGED = (
    "INSERT INTO audit_log (actor, action, subject, at) VALUES ('x', 'x', 'x', now())",
    "neither linked",
)


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        FORGED,
        ("UPDATE audit_log SET after = '{}' WHERE subject = 'b'", "is not what was written"),
        ("UPDATE audit_log SET at = at + interval '1 us' WHERE subject = 'a'", "not what was"),
        ("DELETE FROM audit_log WHERE subject = 'b'", "is gone"),
        ("DELETE FROM audit_link WHERE place = 2", "link 2 is missing"),
        ("DELETE FROM audit_link WHERE place = 3", "neither linked nor waiting"),
        ("UPDATE audit_log SET subject = translate(subject, 'ab', 'ba')", "is not what was"),
        (CUT, "links up to 3 were there"),
        ("TRUNCATE audit_log, audit_link, audit_pending", "links up to 3 were there"),
    ],
)
def test_a_row_that_was_touched_is_named(
    database: FreshDatabase,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    statement: str,
    fault: str,
) -> None:
    """Also by the owner of the database with every trigger off."""
    config = write_config(tmp_path, database)
    note(database, "a", "b", "c")
    chain(database)
    tamper(database, statement)
    code, said = verified(config, capsys)
    assert (code, "broken" in said) == (1, True)
    assert fault in said


def test_two_workers_make_one_chain(database: FreshDatabase) -> None:
    """Side by side they wait for each other."""
    note(database, *"abcdef")

    async def work(worker: Database) -> None:
        async def once() -> None:
            async with worker.unit_of_work(CROSS_TENANT) as session:
                await link(session)

        await asyncio.gather(once(), once())

    with_database(database, "worker", work)
    assert chain(database) == [None]
