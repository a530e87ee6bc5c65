"""Tokens that were brought home to their address: what strayed is counted, whoever's it is."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, event

from gateway.db import CROSS_TENANT
from gateway.deposits.service import Arrival, Desk, record
from gateway.invoices.standing import NO_HEADS
from gateway.models import Currency, Stray
from tests.gateway.shop import Shop, pool_address

pytestmark = pytest.mark.anyio
USDT = "USDT-TRON"


def stray(shop: Shop, address: str, asset: str, units: int) -> Stray:
    """Return tokens that lie beside an address, younger than those that were made before."""
    moment = shop.clock()
    id_ = moment.id("dep")
    return Stray(
        id=id_,
        network_id="tron",
        tx_hash=id_,
        kind="account",
        ordinal=0,
        asset=asset,
        units=units,
        sender=address,
        address=address,
        reason="account_not_canonical",
        status="confirmed",
        block_height=90,
        block_hash="0xa",
        block_time=moment.at,
        detected_at=moment.at,
        confirmed_at=moment.at,
    )


async def home(shop: Shop, moved: Sequence[tuple[str, int]]) -> list[str]:
    """Let addresses move tokens to themselves in one block; return the statements about strays."""
    sent: list[str] = []

    def at(_: Connection, __: object, sql: str, *___: object) -> None:
        sent.append(sql)

    engine = shop.watcher.engine.sync_engine
    event.listen(engine, "before_cursor_execute", at)
    async with shop.watcher.unit_of_work(CROSS_TENANT) as session:
        moment = shop.clock()
        currency = await session.get_one(Currency, USDT)
        arrivals = [
            Arrival(
                network_id="tron",
                tx_hash=f"home{number}",
                kind="token",
                ordinal=0,
                currency=currency,
                sender=address,
                address=address,
                units=units,
                pool=None,
                genuine=True,
                capital=False,
                block_height=101,
                block_hash="0xb",
                block_time=moment.at,
            )
            for number, (address, units) in enumerate(moved)
        ]
        await record(Desk(session, moment, "http://x"), arrivals, NO_HEADS)
    event.remove(engine, "before_cursor_execute", at)
    return [sql for sql in sent if "UPDATE stray" in sql and "account" in sql]


async def test_what_came_home_is_counted_with_one_statement(shop: Shop) -> None:
    """Each address and asset for itself, oldest first, no more than came; however many came."""
    first, second, third = (pool_address("tron", 50 + each) for each in range(3))
    async with shop.owner.unit_of_work(CROSS_TENANT) as session:
        asset = (await session.get_one(Currency, USDT)).contract
        assert asset is not None
        lying = {
            "a": stray(shop, first, asset, 5),
            "b": stray(shop, first, asset, 7),
            "too much": stray(shop, first, asset, 9),
            "c": stray(shop, second, asset, 3),
            "another asset": stray(shop, second, "other", 3),
            "not moved": stray(shop, third, asset, 3),
        }
        names = {row.id: name for name, row in lying.items()}
        session.add_all(lying.values())
    statements = await home(shop, [(first, 5), (first, 7), (second, 3)])
    rows = await shop.rows("SELECT id FROM stray WHERE status = 'counted'")
    assert {names[row.id] for row in rows} == {"a", "b", "c"}
    assert len(statements) == 1
