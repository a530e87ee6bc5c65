"""M6: whoever sends dust without end to a permanent address makes nothing slower but his own day."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import TextClause, func, select, text

from gateway.db import CROSS_TENANT
from gateway.deposits.places import MARKED, PIECES_MAX, SUMS
from gateway.models import Deposit
from tests.conftest import FreshDatabase
from tests.watchers.customer_world import CUSTOMER, customer_world
from tests.watchers.world import DUE_UNITS, ETH, NETWORK, World

pytestmark = pytest.mark.anyio
MINIMUM = DUE_UNITS // 10

FLOOD = text("""
INSERT INTO deposit (id, network_id, tx_hash, kind, ordinal, currency_id, units, sender, address,
    purpose, status, reason, late, block_height, block_hash, block_time, detected_at)
SELECT id || n, network_id, tx_hash || n, kind, ordinal, currency_id, units, sender, address,
    'unattributed', 'pending', 'below_minimum', false, 1000000, block_hash, block_time, detected_at
FROM deposit, generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS n
WHERE id = :id
""")


async def test_m6_dust_without_end_costs_the_next_payment_no_more(
    database: FreshDatabase,
) -> None:
    """Four times the dust, the same rows read; a real payment is credited, and dust in portions."""
    async with customer_world(database, minimum=MINIMUM) as made:
        w, read = made.w, []
        await w.pay(made.home, 1)
        [first] = await w.deposits()
        for begin, end in ((0, 2 * PIECES_MAX), (2 * PIECES_MAX, 8 * PIECES_MAX)):
            async with w.owner.unit_of_work(CROSS_TENANT) as session:
                await session.execute(FLOOD, {"id": first.id, "first": begin + 1, "last": end})
                await session.execute(text("ANALYZE deposit"))
            read.append([await _rows_read(w, made.home, each) for each in (MARKED, SUMS)])
        assert read[0] == read[1]
        assert max(read[1]) <= 2 * PIECES_MAX
        await w.pay(made.home, MINIMUM)
        assert await w.wallet(CUSTOMER) == (MINIMUM + 1, 0)
        assert 0 < await _pieces_of(w) <= 2 * PIECES_MAX


async def _pieces_of(w: World) -> int:
    """Return how much of the dust that still flows in is the customer's by now."""
    query = select(func.count()).where(
        Deposit.customer_id == CUSTOMER, Deposit.status == "pending"
    )
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        return int(await session.scalar(query) or 0)


async def _rows_read(w: World, address: str, statement: TextClause) -> int:
    """Return how many rows the scans of a statement look at."""
    values = {
        "network": NETWORK,
        "addresses": [address],
        "currencies": [ETH],
        "most": PIECES_MAX,
    }
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        asked = text(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.text}")
        [found] = (await session.execute(asked, values)).one()
    plans = found if isinstance(found, list) else json.loads(found)
    return sum(_looked_at(node) for node in _nodes(plans[0]["Plan"]))


def _looked_at(node: dict[str, Any]) -> int:
    if node.get("Relation Name") != "deposit":
        return 0
    rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    return int(rows * node["Actual Loops"])


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from _nodes(each)
