"""Prices from the configuration, in a history that does not grow for ever."""

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from sqlalchemy import select

from gateway.db import CROSS_TENANT, Database
from gateway.models import PriceHistory
from gateway.prices.service import rate
from gateway.prices.static import price_round, static_prices
from gateway.settings import PriceSettings, Settings, SettingsError
from tests.conftest import FreshDatabase
from tests.gateway.worker.world import Clock, eventually, world

pytestmark = pytest.mark.anyio

PRICES = {"ETH": "2500.10", "EUR": "1.08"}


def priced(settings: Settings, **values: object) -> Settings:
    """Return settings with static prices."""
    prices = PriceSettings(**{"static": PRICES, **values})  # type: ignore[arg-type]
    return msgspec.structs.replace(settings, prices=prices)


async def history(database: FreshDatabase) -> list[PriceHistory]:
    """Return every price, oldest first."""
    owner = Database(database.url("admin"), pool_size=1)
    try:
        async with owner.unit_of_work(CROSS_TENANT) as session:
            query = select(PriceHistory).order_by(PriceHistory.at, PriceHistory.code)
            return list(await session.scalars(query))
    finally:
        await owner.aclose()


async def test_prices_are_written_exactly_and_again(database: FreshDatabase) -> None:
    """Each round adds a row per code; the newest serves a rate."""
    clock = Clock()
    worker = Database(database.url("worker"), pool_size=1)
    prices = static_prices(priced(database.settings))
    try:
        for _ in range(2):
            await price_round(worker, prices, clock())
            clock.put_forward(seconds=200)
        async with worker.unit_of_work(CROSS_TENANT) as session:
            found = await rate(
                session, "ETH", "EUR", at=clock().at, max_age=timedelta(seconds=600)
            )
        assert found.source == "static/static"
        assert found.value.quantize(Decimal("0.01")) == Decimal("2314.91")
    finally:
        await worker.aclose()
    rows = await history(database)
    assert [(row.code, row.quote, row.source, row.price) for row in rows] == [
        ("ETH", "USD", "static", Decimal("2500.10")),
        ("EUR", "USD", "static", Decimal("1.08")),
    ] * 2


async def test_prices_older_than_90_days_are_dropped(database: FreshDatabase) -> None:
    """Whatever their source."""
    clock = Clock()
    worker = Database(database.url("worker"), pool_size=1)
    prices = static_prices(priced(database.settings))
    try:
        await price_round(worker, prices, clock())
        clock.put_forward(days=89)
        await price_round(worker, prices, clock())
        assert len(await history(database)) == 4
        clock.put_forward(days=2)
        await price_round(worker, {}, clock())
    finally:
        await worker.aclose()
    assert len(await history(database)) == 2


async def test_the_worker_writes_prices_at_its_start_and_keeps_them_young(
    database: FreshDatabase,
) -> None:
    """Every third of the maximum age."""
    async with world(database) as w:
        w.settings = priced(w.settings, max_age_seconds=1)

        async def three_rounds() -> bool:
            return len(await history(database)) >= 6

        async with w.working():
            await eventually(three_rounds)


@pytest.mark.parametrize("price", ["0.0", "1" + 18 * "0", "9" * 40])
def test_what_is_no_price_is_refused_with_its_key(database: FreshDatabase, price: str) -> None:
    """One line that names it, at the start: no column would take it in any round."""
    settings = priced(database.settings, static={"ETH": price})
    with pytest.raises(SettingsError, match=r"^prices\.static\.ETH: "):
        static_prices(settings)
