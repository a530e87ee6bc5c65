"""A message is a row of its caller's transaction; a secret one is readable by the worker alone."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from gateway.notifications import Message, post
from gateway.notifications.outbox import SEALING
from tests.gateway.conftest import TestApi

pytestmark = pytest.mark.anyio


async def test_a_message_lives_and_dies_with_its_transaction(api: TestApi) -> None:
    """It is there after the commit, and gone with a roll-back."""
    merchant_id = await api.merchant()
    message = Message(merchant_id, "a@shop.example", "invoice.settled", "Paid\r\nBcc: x", "so")
    async with api.database.unit_of_work(merchant_id) as session:
        await post(session, message, api.clock())
    with pytest.raises(RuntimeError, match="rolled back"):
        async with api.database.unit_of_work(merchant_id) as session:
            await post(session, message, api.clock())
            raise RuntimeError("rolled back")
    rows = await api.rows(
        "SELECT subject, body, status FROM notification WHERE merchant_id = :id", id=merchant_id
    )
    assert [tuple(row) for row in rows] == [("Paid Bcc: x", "so", "scheduled")]


async def test_a_secret_body_stands_nowhere_in_the_database(api: TestApi) -> None:
    """Only the sealing of the house opens it, and only in its own row."""
    message = Message(None, "a@b.example", "reset", "Reset", "https://x/#token", secret=True)
    async with api.database.unit_of_work(None) as session:
        message_id = await post(session, message, api.clock())
    [row] = await api.rows("SELECT body, sealed FROM notification WHERE secret")
    assert row.body is None
    assert b"token" not in row.sealed
    sealing = api.database.info[SEALING]
    assert sealing.open(row.sealed, message_id) == "https://x/#token"


async def test_nobody_posts_for_another_merchant_or_reads_what_is_sealed(api: TestApi) -> None:
    """Plain SQL as gw_api, too."""
    mine, theirs = await api.merchant(), await api.merchant()
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with api.database.unit_of_work(mine) as session:
            await post(session, Message(theirs, "a@b.example", "x", "x", "x"), api.clock())
    for columns in ("sealed", "*"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with api.database.unit_of_work(mine) as session:
                await session.execute(text(f"SELECT {columns} FROM notification"))
