"""Whole lists as files: complete, filtered, of this tenant and mode, and never in memory as a whole."""

import csv
import io
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, cast

import msgspec
import pytest
from litestar.response import Stream
from sqlalchemy import Select, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from devnet.system.waiting import until
from gateway.domain.actor import MERCHANT_SCOPES, Actor
from gateway.domain.errors import TooMany
from gateway.exports.streaming import BATCH, BATCHES_AHEAD, Export, Exports, Patience
from gateway.http.call import Call
from gateway.http.idempotency import Seal
from gateway.models import Invoice
from tests.gateway.shop import Shop, pool_address

pytestmark = pytest.mark.anyio

MANY = """
INSERT INTO invoice (id, merchant_id, livemode, amount, currency, tolerance_basis_points, status,
    description, created_at, expires_at, monitoring_until)
SELECT 'inv_' || lpad(n::text, 26, '0'), :merchant_id, false, 1, 'USD', 0, 'settled', '=1+1',
    now(), now(), now()
FROM generate_series(1, :count) n
"""


async def test_every_list_comes_as_csv_and_as_json_lines(shop: Shop) -> None:
    """With its filters; of nobody else; formulas are text."""
    merchant_id, key = await shop.merchant_and_key()
    other_id, other = await shop.merchant_and_key()
    await shop.run(MANY, merchant_id=merchant_id, count=BATCH + 1)
    await shop.run(MANY.replace("'inv_'", "'inw_'"), merchant_id=other_id, count=1)
    invoice = await shop.invoice(key, payment_methods=["USDT-TRON"], order_id="77")
    option = invoice["payment_options"][0]
    await shop.pay(option["address"], "USDT-TRON", 49_900_000, tx="aa", final=True)
    destination = {"destination": pool_address("tron", 500)}
    asked = {"payment_method": "USDT-TRON", "amount": "1", **destination}
    held = await shop.call(
        "POST", "/v1/withdrawals", key, json=asked, headers={"Idempotency-Key": "w"}
    )
    assert held.status_code == 201, held.text
    counts = {
        "invoices": BATCH + 2,
        "invoices?order_id=77": 1,
        "invoices?q=nowhere": 0,
        "deposits": 1,
        "deposits?status=pending": 0,
        "withdrawals": 1,
        "balance_entries": 2,
    }
    for what, count in counts.items():
        name, _, query = what.partition("?")
        path = f"/v1/{name}/export?{query}"
        answer = await shop.call("GET", path, key)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert f'filename="{name}.csv"' in answer.headers["content-disposition"]
        rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
        assert len(rows) == count, what
        answer = await shop.call("GET", f"{path}&format=ndjson", key)
        assert answer.headers["content-type"] == "application/x-ndjson"
        documents = [msgspec.json.decode(line) for line in answer.content.splitlines()]
        assert [each["id"] for each in documents] == [row["id"] for row in rows]
    rows = list(
        csv.DictReader(io.StringIO((await shop.call("GET", "/v1/invoices/export", key)).text))
    )
    assert (rows[0]["order_id"], rows[0]["amount_paid"]) == ("77", "49.90")
    assert {row["description"] for row in rows[1:]} == {"'=1+1"}
    entries = (await shop.call("GET", "/v1/balance_entries/export", key)).text
    assert ",-1.000000,-1000000," in entries
    assert (await shop.call("GET", "/v1/invoices/export?format=xls", key)).status_code == 422
    foreign = (await shop.call("GET", "/v1/invoices/export", other)).text
    assert foreign.count("inw_") == 1
    assert "inv_" not in foreign
    live = await shop.key(merchant_id, livemode=True)
    assert "inv_" not in (await shop.call("GET", "/v1/invoices/export", live)).text


def chunks(stream: Stream) -> AsyncGenerator[bytes, None]:
    """Return what a stream sends."""
    return cast("AsyncGenerator[bytes, None]", stream.iterator)


def call_of(shop: Shop, merchant_id: str) -> Call:
    """Return a call of this merchant."""
    actor = Actor("key_1", merchant_id, MERCHANT_SCOPES, livemode=False)
    return Call(
        actor, shop.clock(), shop.database, Seal("x"), "GET", "/", b"", None, shop.settings
    )


async def test_a_reader_who_does_not_read_holds_the_database_back(shop: Shop) -> None:
    """A server-side cursor, a few batches ahead of the reader, and one export at a time."""
    merchant_id, _ = await shop.merchant_and_key()
    other_id, third_id = [(await shop.merchant_and_key())[0] for _ in range(2)]
    await shop.run(MANY, merchant_id=merchant_id, count=BATCH * 12)
    read = 0
    cursors: list[Any] = []

    async def found(_: AsyncSession) -> Select[Invoice]:
        return select(Invoice).where(Invoice.merchant_id == merchant_id)

    async def shape(session: AsyncSession, rows: Sequence[Invoice]) -> list[str]:
        nonlocal read
        cursors.extend(await session.scalars(text("SELECT name FROM pg_cursors")))
        assert len(session.identity_map) <= 2 * BATCH
        read += 1
        return [row.id for row in rows]

    async def ahead() -> bool | None:
        return read > BATCHES_AHEAD + 1 or None

    async def open_again() -> Stream | None:
        try:
            return await exports.begin(call, export, "ndjson")
        except TooMany:
            return None

    export = Export(name="x", columns=(), select=found, shape=shape)
    exports = Exports(seconds_max=30)
    call = call_of(shop, merchant_id)
    stream = await exports.begin(call, export, "ndjson")
    await until(ahead, "the reading to stop")
    assert cursors
    assert read == BATCHES_AHEAD + 2
    with pytest.raises(TooMany):
        await exports.begin(call, export, "ndjson")
    second = await exports.begin(call_of(shop, other_id), export, "ndjson")
    with pytest.raises(TooMany):
        await exports.begin(call_of(shop, third_id), export, "ndjson")
    lines = b"".join([chunk async for chunk in chunks(stream)]).splitlines()
    assert len(lines) == BATCH * 12
    leaving = chunks(second)
    await anext(leaving)
    await leaving.aclose()
    again = await until(open_again, "the place to be free")
    assert len([chunk async for chunk in chunks(again)]) == 12


async def test_an_export_that_breaks_off_is_no_whole_file(shop: Shop) -> None:
    """The reader is told by an error, after the time or when something goes wrong on the way."""
    merchant_id, _ = await shop.merchant_and_key()
    await shop.run(MANY, merchant_id=merchant_id, count=BATCH * 6)
    call = call_of(shop, merchant_id)
    seen = 0

    async def found(_: AsyncSession) -> Select[Invoice]:
        return select(Invoice).where(Invoice.merchant_id == merchant_id)

    async def plain(_: AsyncSession, rows: Sequence[Invoice]) -> list[str]:
        return [row.id for row in rows]

    async def broken(session: AsyncSession, rows: Sequence[Invoice]) -> list[str]:
        nonlocal seen
        seen += 1
        if seen == 3:
            await session.execute(text("SELECT 1 / 0"))
        return [row.id for row in rows]

    export = Export(name="x", columns=(), select=found, shape=plain)
    for hasty in (Exports(seconds_max=0.5), Exports(stall_seconds=0.1)):
        stream = await hasty.begin(call, export, "ndjson")
        await until(_freed(hasty), "the time to be over")
        with pytest.raises(TimeoutError):
            _ = [chunk async for chunk in chunks(stream)]
    export = Export(name="x", columns=(), select=found, shape=broken)
    stream = await Exports().begin(call, export, "ndjson")
    with pytest.raises(DBAPIError, match="division by zero"):
        _ = [chunk async for chunk in chunks(stream)]


def test_a_slow_reader_uses_up_the_patience_little_by_little() -> None:
    """Less than the minimum for long enough ends it, whatever each batch took; speed earns no credit."""
    slow, steady = Patience(30, 1000), Patience(30, 1000)
    for _ in range(20):
        slow.taken(10_000, 12)
        steady.taken(10_000, 9)
    assert slow.seconds < 0
    assert steady.seconds == 30
    slow = Patience(30, 1000)
    slow.taken(10_000_000, 0)
    slow.taken(0, 31)
    assert slow.seconds < 0


async def test_what_goes_wrong_at_once_is_a_problem_like_any_other(shop: Shop) -> None:
    """An altered address in the first batch: a status and a code, not a file that breaks off."""
    _, key = await shop.merchant_and_key()
    header = await shop.call("GET", "/v1/invoices/export", key)
    assert header.text.startswith("id,order_id,")
    assert header.text.count("\r\n") == 1
    await shop.invoice(key, payment_methods=["ETH-ETHEREUM"])
    await shop.run("UPDATE payment_option SET address_path = 'm/9'")
    answer = await shop.call("GET", "/v1/invoices/export", key)
    assert (answer.status_code, answer.json()["code"]) == (503, "address_unverified")


def _freed(exports: Exports) -> Callable[[], Awaitable[bool | None]]:
    async def freed() -> bool | None:
        return not exports.under_way or None

    return freed
