"""Which addresses are left alone, and which go alone: by what became of their transactions."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from gateway.db import CROSS_TENANT, Database
from gateway.models import ApplicationWallet, Attempt, Network, Sweep, Transaction
from tests.conftest import FreshDatabase
from tests.watchers.world import ETH, NETWORK, currency_row
from watchers.clock import now
from watchers.network import NATIVE, Block, BlockRef, Outcome, PayoutOrder, Transfer
from watchers.pay import promises
from watchers.scan import inside
from watchers.sweep import rows
from watchers.sweep.jobs import groups

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def owner(database: FreshDatabase) -> AsyncIterator[Database]:
    """Give a network with a hot wallet."""
    opened = Database(database.url("owner"), pool_size=1)
    async with opened.unit_of_work(CROSS_TENANT) as session:
        await session.execute(
            insert(Network).values(
                id=NETWORK, family="ethereum", display_name="Chain", identity="1", test=True,
                local=True, enabled=True,
            )
        )  # fmt: skip
        await session.execute(currency_row(ETH, None, 18))
        await session.execute(
            insert(ApplicationWallet).values(
                id="awl_1", network_id=NETWORK, purpose="hot", address="hot", path="m",
                created_at=NOW,
            )
        )  # fmt: skip
    yield opened
    await opened.aclose()


def sweep(number: int, address: str, state: str, steps: int = 1) -> Sweep:
    """Return a sweep of a coin."""
    ended = NOW if state in {"done", "failed"} else None
    return Sweep(
        id=f"swp_{number}", network_id=NETWORK, currency_id=ETH, address=address, pool_index=0,
        destination="hot", units=1, since=NOW, reason="-", state=state, steps=steps,
        cost_units=0, returned_units=0, created_at=NOW, updated_at=NOW, ended_at=ended,
    )  # fmt: skip


def attempt(number: int, sender: str, state: str, **intent: Any) -> Attempt:
    """Return a transaction of the house."""
    signed: dict[str, Any] = {"raw": b"-", "tx_hash": f"hash {number}"}
    return Attempt(
        id=f"att_{number}", network_id=NETWORK, purpose="sweep", order_id=f"swo_{number}",
        intent=intent, sender=sender, state=state, broadcasts=0, created_at=NOW, **signed,
    )  # fmt: skip


@pytest.mark.anyio
async def test_an_address_that_an_open_transaction_empties_is_busy_without_a_sweep(
    owner: Database,
) -> None:
    """As sender or as a source, until it has ended; the wallets that pay for it are not."""
    async with owner.unit_of_work(CROSS_TENANT) as session:
        session.add_all(
            [
                sweep(1, "live", "moving"),
                sweep(2, "over", "done"),
                attempt(1, "sender", "signed"),
                attempt(2, "hot", "included", sources=[{"address": "one"}, {"address": "two"}]),
                attempt(3, "ended", "succeeded"),
                attempt(4, "hot", "succeeded", sources=[{"address": "three"}]),
            ]
        )
        await session.flush()
        assert await rows.busy(session, NETWORK) == {"live", "sender", "one", "two"}


@pytest.mark.anyio
async def test_an_address_that_gas_or_energy_is_on_its_way_to_is_busy(owner: Database) -> None:
    """Until it is there; whoever else is paid has nothing to do with it."""
    made = [
        (1, "top_up", "signed", "gas comes"),
        (2, "resource", "included", "energy comes"),
        (3, "resource", "prepared", ""),
        (4, "top_up", "succeeded", "has it"),
        (5, "cold", "signed", "stranger"),
    ]
    async with owner.unit_of_work(CROSS_TENANT) as session:
        for number, purpose, state, to in made:
            each = attempt(number, "hot", state, to=to)
            each.purpose = purpose
            session.add(each)
        await session.flush()
        assert await rows.busy(session, NETWORK) == {"gas comes", "energy comes"}


@pytest.mark.anyio
async def test_what_failed_last_and_had_begun_is_remembered(owner: Database) -> None:
    """A sweep that went well since, or that never sent anything, says nothing against it."""
    async with owner.unit_of_work(CROSS_TENANT) as session:
        session.add_all(
            [
                sweep(1, "good again", "failed"),
                sweep(2, "good again", "done"),
                sweep(3, "bad", "done"),
                sweep(4, "bad", "failed"),
                sweep(5, "bad", "planned", steps=0),
                sweep(6, "never begun", "failed", steps=0),
                sweep(7, "not asked for", "failed"),
            ]
        )
        await session.flush()
        asked = {"good again", "bad", "never begun"}
        assert await rows.failed_before(session, NETWORK, asked) == {(ETH, "bad")}


@pytest.mark.anyio
async def test_cold_storage_pays_for_what_it_sent_itself_and_for_nothing_else(
    owner: Database,
) -> None:
    """A contract that keeps coins, or an allowed spender's call: somebody else paid the network."""
    ref = BlockRef(7, "block 7", "block 6", NOW)
    outcomes = {
        "own": Outcome(success=True, payer_spent_units=5, payer="cold"),
        "other": Outcome(success=True, payer_spent_units=6, payer="somebody"),
        "unsaid": Outcome(success=True, payer_spent_units=7),
    }
    block = Block(ref, (), outcomes)
    hits = [(block, Transfer(each, "token", 0, "usd", "cold", "hot", 1)) for each in outcomes]
    async with owner.unit_of_work(CROSS_TENANT) as session:
        session.add(
            ApplicationWallet(
                id="awl_2", network_id=NETWORK, purpose="cold", address="cold", path="",
                created_at=NOW,
            )
        )  # fmt: skip
        await session.flush()
        await inside.from_cold(session, NETWORK, hits, now())
        query = select(Transaction.tx_hash, Transaction.payer_spent_units)
        assert [tuple(row) for row in await session.execute(query)] == [("own", 5)]


@pytest.mark.anyio
async def test_a_promise_made_meanwhile_is_noticed(owner: Database) -> None:
    """What was judged by older promises is judged again."""
    order = PayoutOrder("hou_1", NATIVE, 18, "gas", 10, "hot", 3)
    async with owner.unit_of_work(CROSS_TENANT) as session:
        before = await promises.of_wallet(session, NETWORK, "hot", 3)
        assert await promises.no_more(session, NETWORK, order, before)
        session.add(attempt(1, "hot", "signed", asset=NATIVE, units="80", to="somebody"))
        session.add(attempt(2, "hot", "included", asset=NATIVE, units="9", to="somebody"))
        await session.flush()
        assert not await promises.no_more(session, NETWORK, order, before)
        assert await promises.of_wallet(session, NETWORK, "hot", 3) == {NATIVE: 83}
        assert await promises.no_more(session, NETWORK, order, Counter({NATIVE: 84}))


@given(st.lists(st.booleans(), max_size=12), st.integers(1, 8))
def test_every_sweep_is_in_one_group_and_what_failed_before_is_there_alone(
    failed: list[bool], size: int
) -> None:
    """One coin sent to such an address in time fails all that go with it, once and never again."""
    sweeps = [sweep(number, str(number), "planned") for number in range(len(failed))]
    alone = {(ETH, str(number)) for number, each in enumerate(failed) if each}
    made = list(groups(sweeps, alone, lambda _: size))
    assert sorted(each.id for group in made for each in group) == sorted(s.id for s in sweeps)
    for group in made:
        suspects = [each for each in group if (ETH, each.address) in alone]
        assert not suspects or len(group) == 1
        assert len(group) <= size
    assert sum(map(len, made)) == len(sweeps)
