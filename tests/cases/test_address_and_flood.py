"""One address, one invoice, for good; and what it costs to be flooded."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event, func, insert, select, text, update
from sqlalchemy.exc import ProgrammingError

from gateway.addresses import repository as addresses
from gateway.db import CROSS_TENANT, Database
from gateway.deposits.announcements import DEPOSITS_TOLD
from gateway.models import AddressPool, Deposit, Event, FreeAddress, Invoice, PaymentOption
from tests.conftest import FreshDatabase
from tests.fakes.chain import GENESIS_TIME, Move
from tests.fakes.network import FakeReader
from tests.watchers.world import DUE_UNITS, NETWORK, World, world
from watchers.network import Block, Transfer

pytestmark = pytest.mark.anyio

FLOOD = 10_000
STATEMENTS_MAX = 150
"""Of one block or run, whatever it holds."""
LATER = "inv_2"


async def next_invoice(w: World) -> None:
    """Write a second invoice of the same merchant, without an address."""
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        old = await session.get_one(Invoice, "inv_1")
        option = (await session.scalars(select(PaymentOption).limit(1))).one()
        await session.execute(insert(Invoice).values(_copied(old) | {"id": LATER}))
        values = _copied(option) | {"invoice_id": LATER, "address": None}
        await session.execute(insert(PaymentOption).values(values))


async def test_case_74_a_payer_who_pays_an_old_address_again_pays_his_old_invoice(
    database: FreshDatabase,
) -> None:
    """Expired, paid late, paid once more: the address never passes to another invoice."""
    async with world(database, expires_at=GENESIS_TIME) as w:
        await w.pay(w.assigned, DUE_UNITS)
        await next_invoice(w)
        api = Database(database.url("api"), pool_size=1)
        try:
            async with api.unit_of_work("mer_1") as session:
                moment = datetime.now(UTC)
                claimed = await addresses.claim(session, NETWORK, LATER, moment)
                assert claimed is not None
                assert claimed.address == w.free
            async with api.unit_of_work("mer_1") as session:
                assert await addresses.claim(session, NETWORK, LATER, moment) is None
            with pytest.raises(ProgrammingError, match="permission denied"):
                async with api.unit_of_work("mer_1") as session:
                    await session.execute(update(AddressPool).values(invoice_id=LATER))
        finally:
            await api.aclose()
        await w.pay(w.assigned, DUE_UNITS)
        rows = [(row.invoice_id, row.late) for row in await w.deposits()]
        assert rows == [("inv_1", True), ("inv_1", True)]
        assert await w.events(LATER) == []
        assert await w.wallet("mer_1") == (2 * DUE_UNITS, 0)
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            assert (await session.scalars(select(FreeAddress))).all() == []


async def test_case_77_ten_thousand_grains_of_dust_cost_no_statement_each(
    database: FreshDatabase,
) -> None:
    """They have their rows, written in a few statements, and nobody hears of a single one."""
    async with world(database, minimum=10**15) as w:
        w.chain.submit([Move(w.assigned, 1)] * FLOOD)
        await w.chain.mine()
        with counted(w) as statements:
            await w.scanner.step()
        assert len(statements) < STATEMENTS_MAX
        assert len(await w.deposits()) == FLOOD
        assert await w.events() == []
        assert (await w.invoice()).status == "pending"


async def test_case_77_ten_thousand_worthless_tokens_are_a_ration_of_rows_and_a_number(
    database: FreshDatabase,
) -> None:
    """What is not listed costs its sender everything and us twenty rows a day."""
    async with world(database) as w:
        spam = tuple(
            Transfer(f"0x{n:064x}", "token", 0, "0x" + "5b" * 20, "", w.assigned, 1)
            for n in range(FLOOD)
        )
        w.scanner.reader = Spammed(w.chain, w.chain.chain_id, frozenset(), spam=spam)
        await w.chain.mine()
        with counted(w) as statements:
            await w.scanner.step()
        assert len(statements) < STATEMENTS_MAX
        assert await w.deposits() == []
        assert await w.events() == []
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            assert await session.scalar(text("SELECT count(*) FROM stray")) == 20
            assert await session.scalar(text("SELECT dropped FROM stray_day")) == FLOOD - 20


async def test_case_77_a_flood_of_real_payments_is_no_flood_of_webhooks(
    database: FreshDatabase,
) -> None:
    """Every payment is credited; so many are told one by one, the invoice tells the rest."""
    payments = 3 * DEPOSITS_TOLD
    async with world(database) as w:
        w.chain.submit([Move(w.assigned, 5)] * payments)
        await w.chain.mine(4)
        await w.scan()
        assert await w.wallet("mer_1") == (5 * payments, 0)
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            told = dict(
                (
                    await session.execute(
                        select(Event.type, func.count())
                        .where(Event.type.startswith("deposit."))
                        .group_by(Event.type)
                    )
                )
                .tuples()
                .all()
            )
            rows = await session.scalar(select(func.count()).select_from(Deposit))
        assert rows == payments
        assert told == {
            "deposit.detected": DEPOSITS_TOLD,
            "deposit.confirmed": DEPOSITS_TOLD,
        }


class Spammed(FakeReader):
    """A reader whose blocks carry the same strays beside their transfers."""

    def __init__(self, *arguments: Any, spam: tuple[Transfer, ...]) -> None:
        super().__init__(*arguments)
        self.spam = spam

    async def read(self, height: int) -> Block:
        """Return the block with the spam in it."""
        return replace(await super().read(height), strays=lambda: self.spam)


@contextmanager
def counted(w: World) -> Iterator[list[str]]:
    """Collect what is sent to the database: one entry per statement, however many rows."""
    sent: list[str] = []

    def note(*arguments: Any) -> None:
        sent.append(arguments[2])

    event.listen(w.database.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(w.database.engine.sync_engine, "before_cursor_execute", note)


def _copied(row: Any) -> dict[str, Any]:
    return {
        attribute.key: getattr(row, attribute.key) for attribute in row.__mapper__.column_attrs
    }
