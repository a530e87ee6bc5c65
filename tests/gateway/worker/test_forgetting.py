"""What is over for good is forgotten by the worker, batch by batch; what may still count stays."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from gateway.db import CROSS_TENANT, Database
from gateway.domain.moment import Moment
from gateway.sessions.forgetting import forget_round
from tests.conftest import FreshDatabase

pytestmark = pytest.mark.anyio
AT = datetime(2026, 11, 20, tzinfo=UTC)
OLD, NEW = AT - timedelta(days=91), AT - timedelta(days=89)
ROWS = (
    (
        "INSERT INTO refused_sign_in (account, reason, request_id, at)"
        " VALUES ('account:x', 'wrong', :id, :at)"
    ),
    (
        "INSERT INTO user_session (id, user_id, token_hash, livemode, created_at, last_active_at,"
        " expires_at, factor_needed) VALUES (:id, 'usr_1', sha256(convert_to(:id, 'UTF8')), false,"
        " CAST(:at AS timestamptz) - interval '12 hours', :at, :at, false)"
    ),
    "INSERT INTO passkey_challenge VALUES (:id, 'get', sha256('x'), :at)",
    (
        "INSERT INTO one_time_token VALUES (:id, 'usr_1', sha256(convert_to(:id, 'UTF8')), 'reset',"
        " 'a@b', CAST(:at AS timestamptz) - interval '1 hour', :at, NULL)"
    ),
    (
        "INSERT INTO invitation (id, token_hash, email, role, mailed, invited_by, created_at,"
        " expires_at) VALUES (:id, sha256(convert_to(:id, 'UTF8')), 'a@b', 'ADMIN', true, 'x',"
        " CAST(:at AS timestamptz) - interval '7 days', :at)"
    ),
    "INSERT INTO sign_in_attempt VALUES (convert_to(:id, 'UTF8'), 1, '-infinity', :at)",
    "INSERT INTO request_nonce VALUES ('key_1', :id, :at)",
    "INSERT INTO rate_window VALUES (:id, :at, 1)",
)
USAGE = (
    "INSERT INTO usage_day SELECT 'mer_1', false, date_trunc('day', CAST(:at AS timestamptz),"
    " 'UTC'), 'r', 'GET', :id, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0"
)
TABLES = (
    "refused_sign_in", "user_session", "passkey_challenge", "one_time_token", "invitation", "sign_in_attempt",
    "request_nonce", "rate_window", "usage_day",
)  # fmt: skip


async def test_what_is_over_for_good_is_forgotten(database: FreshDatabase) -> None:
    """Sessions, tokens and unused offers after 90 days, counters after one, usage after three years."""
    owner = Database(database.url("owner"), pool_size=1)
    worker = Database(database.url("worker"), pool_size=1)
    async with owner.unit_of_work(CROSS_TENANT) as session:
        run = session.execute
        await run(
            text("INSERT INTO merchant (id, name, created_at) VALUES ('mer_1', 'x', now())")
        )
        await run(text("INSERT INTO users (id, email, role, created_at)"
                       " VALUES ('usr_1', 'a@b', 'ADMIN', now())"))  # fmt: skip
        for number in range(3):
            for statement in ROWS:
                await run(text(statement), {"id": f"old_{number}", "at": OLD})
            at = AT - timedelta(days=365 * 3 + 2)
            await run(text(USAGE), {"id": f"old_{number}", "at": at})
        for place, statement in enumerate((*ROWS, USAGE)):
            at = NEW if place < 5 else AT - timedelta(minutes=1)
            await run(text(statement), {"id": "new", "at": at})
        await run(text("UPDATE invitation SET accepted_at = :at, user_id = 'usr_1'"
                       " WHERE id = 'old_0'"), {"at": OLD})  # fmt: skip
    moment = Moment(AT, bytes)
    assert await forget_round(worker, moment, batch=2) is True
    assert await forget_round(worker, moment, batch=2) is False
    async with owner.unit_of_work(CROSS_TENANT) as session:
        left = {
            table: await session.scalar(text(f"SELECT count(*) FROM {table}"))
            for table in TABLES
        }
    await worker.aclose()
    await owner.aclose()
    assert left == {**dict.fromkeys(TABLES, 1), "invitation": 2}
