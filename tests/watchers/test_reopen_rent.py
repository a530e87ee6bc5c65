"""`watchers reopen` and rent of accounts that a sweep closed: booked as the new chain gave it back."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import insert, select

from gateway.db import CROSS_TENANT, Database
from gateway.domain.posting import CUSTODY, EXPENSE
from gateway.models import Attempt, Journal, Network, ReopenedOrder, Wallet
from tests.conftest import FreshDatabase
from tests.watchers.world import PUBLIC_URL, currency_row
from watchers.clock import now
from watchers.pay.keepers import CANCEL, End
from watchers.sweep.keeper import SweepKeeper

pytestmark = pytest.mark.anyio
NETWORK, SOL, ORDER = "ethereum", "SOL-SOLANA", "swo_1"
RENT, FEE = 2_039_280, 5_000
INTENT = {"family": "solana", "asset": "mint", "sources": [{"address": "a", "units": "7"}]}


@pytest.fixture
async def owner(database: FreshDatabase) -> AsyncIterator[Database]:
    """Give a network with a sweep and its cancel, both signed."""
    opened = Database(database.url("owner"), pool_size=1)
    async with opened.unit_of_work(CROSS_TENANT) as session:
        await session.execute(
            insert(Network).values(
                id=NETWORK, family="solana", display_name="Chain", identity="1", test=True,
                local=True, enabled=True,
            )
        )  # fmt: skip
        await session.execute(currency_row(SOL, None, 9))
        session.add_all(
            Attempt(
                id=f"att_{purpose}", network_id=NETWORK, purpose=purpose, order_id=ORDER,
                intent=INTENT, sender="hot", nonce_account="lane", nonce_value="value",
                place=place, state="signed", raw=b"-", tx_hash=f"hash {purpose}",
                broadcasts=0, created_at=now().at,
            )
            for place, purpose in enumerate(("sweep", CANCEL), start=1)
        )  # fmt: skip
    yield opened
    await opened.aclose()


async def ends(owner: Database, purpose: str, block: str, back: int | None) -> None:
    """Let one of them end in a block, having given back so much; None: it failed."""
    async with owner.unit_of_work(CROSS_TENANT) as session:
        row = await session.get_one(Attempt, f"att_{purpose}")
        row.state = "failed" if back is None else "succeeded"
        row.success, row.block_height, row.block_hash = back is not None, 1, block
        row.payer_spent_units, row.fee_units = max(0, FEE - (back or 0)), FEE
        row.payer_gained_units = max(0, (back or 0) - FEE)
        await session.flush()
        end = End("canceled" if purpose == CANCEL else "succeeded", FEE)
        await SweepKeeper(PUBLIC_URL).ended(session, row, end, now())


async def booked(owner: Database) -> tuple[int, int]:
    """Return what custody and the house's expense have."""
    async with owner.unit_of_work(CROSS_TENANT) as session:
        rows = await session.execute(select(Wallet.account, Wallet.confirmed))
        has = {account: int(confirmed) for account, confirmed in rows}
    return has.get(CUSTODY, 0), has.get(EXPENSE, 0)


async def test_rent_is_booked_once_and_as_the_chain_that_stands_gave_it_back(
    owner: Database,
) -> None:
    """Given back, then not, then another amount, then canceled: the ledger follows each."""
    await ends(owner, "sweep", "block 1", RENT)
    assert await booked(owner) == (-RENT, RENT)
    async with owner.unit_of_work(CROSS_TENANT) as session:
        session.add(ReopenedOrder(order_id=ORDER, network_id=NETWORK, reopened_at=now().at))
    await ends(owner, "sweep", "block 2", None)
    assert await booked(owner) == (0, 0)
    await ends(owner, "sweep", "block 3", RENT + 1)
    assert await booked(owner) == (-RENT - 1, RENT + 1)
    await ends(owner, "sweep", "block 4", -RENT)
    assert await booked(owner) == (RENT, -RENT), "an account was opened for it"
    await ends(owner, CANCEL, "block 5", 0)
    assert await booked(owner) == (0, 0)
    await ends(owner, "sweep", "block 6", RENT)
    await ends(owner, "sweep", "block 6", RENT)
    assert await booked(owner) == (-RENT, RENT)
    async with owner.unit_of_work(CROSS_TENANT) as session:
        assert len((await session.scalars(select(Journal.id))).all()) == 6


async def test_rent_follows_a_chain_that_goes_back_and_forth(owner: Database) -> None:
    """The same two blocks stand again and again: each time the ledger says what came back there."""
    async with owner.unit_of_work(CROSS_TENANT) as session:
        session.add(ReopenedOrder(order_id=ORDER, network_id=NETWORK, reopened_at=now().at))
    for _ in range(3):
        await ends(owner, "sweep", "block 1", RENT)
        assert await booked(owner) == (-RENT, RENT)
        await ends(owner, "sweep", "block 2", None)
        assert await booked(owner) == (0, 0)
