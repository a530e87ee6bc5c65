"""What a payout costs is published per currency, and never above what the operator allows."""

from dataclasses import dataclass, field

import pytest
from sqlalchemy import delete

from gateway.db import CROSS_TENANT
from gateway.models import ApplicationWallet, FeeQuote
from tests.conftest import FreshDatabase
from tests.watchers.world import ETH, NETWORK, USDC, World, world
from watchers import store
from watchers.network import NATIVE, NodeUnavailable
from watchers.quotes import Quote, Quotes

pytestmark = pytest.mark.anyio
CEILING = 900


@dataclass
class Market:
    """A market that a test moves; `down` is a node that does not answer."""

    price: int = 1
    down: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def quote(self, asset: str, source: str) -> Quote:
        """Return the price of a payment: tokens cost three times a coin's."""
        if self.down:
            raise NodeUnavailable("the fake node is down")
        self.asked.append((asset, source))
        units = self.price * (100 if asset == NATIVE else 300)
        return Quote(units, units * 2, {"price": str(self.price)})


async def quotes(w: World, market: Market) -> Quotes:
    """Return the publisher over this market."""
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        currencies = await store.currencies_of(session, NETWORK)
    return Quotes(NETWORK, w.database, market, currencies, CEILING)


async def shown(w: World) -> dict[str, tuple[int, int]]:
    """Return typical and ceiling of each currency."""
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        rows = [await session.get(FeeQuote, currency) for currency in (ETH, USDC)]
    return {row.currency_id: (row.typical_units, row.ceiling_units) for row in rows if row}


async def test_every_currency_has_its_quote(database: FreshDatabase) -> None:
    """For a payment out of the hot wallet; the next round replaces it."""
    async with world(database) as w:
        market = Market()
        publisher = await quotes(w, market)
        await publisher.round()
        assert await shown(w) == {ETH: (100, 200), USDC: (300, 600)}
        assert set(market.asked) == {(NATIVE, w.hot), (w.chain.token, w.hot)}
        market.price = 2
        await publisher.round()
        assert await shown(w) == {ETH: (200, 400), USDC: (600, CEILING)}
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            row = await session.get_one(FeeQuote, USDC)
        assert row.parts == {"price": "2", "operator_ceiling": str(CEILING)}


async def test_a_node_in_trouble_leaves_the_old_quote(database: FreshDatabase) -> None:
    """Its time stands beside it: whoever reads it sees how old it is."""
    async with world(database) as w:
        market = Market()
        publisher = await quotes(w, market)
        await publisher.round()
        market.down = True
        with pytest.raises(NodeUnavailable):
            await publisher.round()
        assert await shown(w) == {ETH: (100, 200), USDC: (300, 600)}


async def test_without_a_hot_wallet_there_is_nothing_to_quote(database: FreshDatabase) -> None:
    """The keystore has not named one yet."""
    async with world(database) as w:
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(delete(ApplicationWallet))
        market = Market()
        await (await quotes(w, market)).round()
        assert (market.asked, await shown(w)) == ([], {})
