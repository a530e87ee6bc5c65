"""What creating an invoice asks of the database, and what is left when the process dies at it."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from itertools import product
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, event
from structlog.testing import capture_logs

from gateway.catalog.published import Published, Shelf
from gateway.db import Database
from tests.gateway.postgres.trips import traced
from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio

PATH = "/v1/invoices"
ORDER = {"amount": "10.00", "currency": "USD", "payment_methods": ["ETH-ETHEREUM"]}
ONCE = {"Idempotency-Key": "order-1"}
TAKEN = "SELECT count(*) FROM address_pool WHERE invoice_id IS NOT NULL"
COUNTS = """
SELECT (SELECT count(*) FROM invoice), (SELECT count(*) FROM payment_option),
    (SELECT count(*) FROM invoice_timeline), (SELECT count(*) FROM event),
    (SELECT count(*) FROM idempotency_key),
    (SELECT count(*) FROM audit_log WHERE action = 'invoice.created'),
    (SELECT count(*) FROM address_pool WHERE invoice_id IS NOT NULL)
"""


STATEMENTS = 10


class Killed(Exception):
    """The process ended here."""


@contextmanager
def killed(database: Database, side: str, statement: int) -> Iterator[list[str]]:
    """Die right before or right after the n-th statement; list what was reached."""
    reached: list[str] = []

    def at(connection: Connection, _: Any, sql: str, *__: Any) -> None:
        reached.append(sql)
        if len(reached) == statement:
            connection.connection.driver_connection.pgconn.finish()  # type: ignore[union-attr]
            raise Killed

    engine, name = database.engine.sync_engine, f"{side}_cursor_execute"
    event.listen(engine, name, at)
    try:
        yield reached
    finally:
        event.remove(engine, name, at)


async def test_a_new_invoice_looks_for_no_event_before_its_first(shop: Shop) -> None:
    """There is none; without statistics PostgreSQL would read all of the merchant's to find out."""
    _, key = await shop.merchant_and_key()
    with killed(shop.database, "before", statement=0) as reached:
        made = await shop.call("POST", PATH, key, json=ORDER)
        assert made.status_code == 201
        [told] = [each for each in reached if "INTO event" in each]
        assert "FROM event" not in told
        invoice_id = made.json()["id"]
        ended = await shop.call("POST", f"{PATH}/{invoice_id}/cancel", key)
        assert ended.status_code == 200
    events = "SELECT type, sequence FROM event ORDER BY sequence"
    assert await shop.rows(events) == [("invoice.created", 1), ("invoice.canceled", 2)]


def remembering(shop: Shop) -> AbstractAsyncContextManager[Shop]:
    """Serve the shop with offers that are read once."""
    api = replace(shop.settings.api, offers_milliseconds=60_000)
    return shop.beside(replace(shop.settings, api=api))


async def test_an_invoice_takes_three_round_trips(shop: Shop) -> None:
    """Who asks; the key, the merchant's wishes and an address; everything written, committed."""
    _, key = await shop.merchant_and_key()
    async with remembering(shop) as beside:
        await beside.call("POST", PATH, key, json=ORDER)
        with traced(shop.database) as trips:
            made = await beside.call("POST", PATH, key, json=ORDER, headers=ONCE)
        assert made.status_code == 201, made.text
        assert ["COMMIT" in trip for trip in trips] == [False, False, True]
        with traced(shop.database) as trips:
            again = await beside.call("POST", PATH, key, json=ORDER, headers=ONCE)
        assert again.content == made.content
        assert len(trips) == 3
        assert await shop.rows(TAKEN) == [(2,)]
        for refusal in (
            {"headers": ONCE, "json": {**ORDER, "amount": "11.00"}},
            {"json": {**ORDER, "amount": "0"}},
            {"json": {**ORDER, "activate": ["X"]}},
        ):
            refused = await beside.call("POST", PATH, key, **refusal)
            assert refused.status_code == 422
        assert await shop.rows(TAKEN) == [(2,)]
        several = {**ORDER, "payment_methods": ["ETH-ETHEREUM", "TRX-TRON"]}
        assert (await beside.call("POST", PATH, key, json=several)).status_code == 201
        assert await shop.rows(TAKEN) == [(2,)]


async def test_whenever_the_process_dies_a_repetition_makes_one_invoice(shop: Shop) -> None:
    """Before and after each statement, which is before and after the commit too."""
    _, key = await shop.merchant_and_key()
    await shop.stock("ethereum", 30, first=20)
    async with remembering(shop) as beside:
        await beside.call("POST", PATH, key, json=ORDER)
        for side, statement in product(("before", "after"), range(1, STATEMENTS + 2)):
            headers = {"Idempotency-Key": f"{side}-{statement}"}
            before = [*(await shop.rows(COUNTS))[0]]
            # Rendering the fault of each death would take seconds.
            with capture_logs(), killed(shop.database, side, statement) as reached:
                answer = await beside.call("POST", PATH, key, json=ORDER, headers=headers)
            assert len(reached) == min(statement, STATEMENTS)
            assert answer.status_code in ({500, 503} if statement <= STATEMENTS else {201})
            left = [*(await shop.rows(COUNTS))[0]]
            assert len({now - was for now, was in zip(left, before, strict=True)}) == 1
            again = await beside.call("POST", PATH, key, json=ORDER, headers=headers)
            assert again.status_code == 201
            assert [*(await shop.rows(COUNTS))[0]] == [was + 1 for was in before]


def test_one_caller_reads_the_offers_anew_and_the_others_do_not_wait() -> None:
    """For as long again; what is older than that is shown to nobody."""
    now = 0.0
    shelf = Shelf(10, lambda: now)
    old, new = (Published([], {}, {}, {}, {}) for _ in range(2))
    assert shelf.take(test=True) is None
    shelf.keep(old, test=True)
    now = 9.0
    assert shelf.take(test=True) is old
    assert shelf.take(test=False) is None
    now = 11.0
    assert [shelf.take(test=True) for _ in range(3)] == [None, old, old]
    now = 20.0
    assert shelf.take(test=True) is None
    shelf.keep(new, test=True)
    now = 31.0
    assert [shelf.take(test=True) for _ in range(2)] == [None, new]
    assert Shelf(0, lambda: now).take(test=True) is None
