"""An address is looked at for the last time when its invoice's own monitoring ends."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from devnet import anvil
from devnet.anvil import AnvilChain
from devnet.contracts import cases
from gateway.db import CROSS_TENANT
from tests.conftest import FreshDatabase
from tests.watchers.recon_world import Counted, counted
from tests.watchers.world import DUE_UNITS
from watchers.reconcile.expiries import LOOKS, unusual
from watchers.reconcile.reconciler import Reconciler


@pytest.fixture(scope="module")
async def chain() -> AsyncIterator[AnvilChain]:
    """Run one anvil for the module."""
    async with anvil.running() as running:
        yield running


async def expired(w: Counted, ago: str, monitored: str, status: str) -> None:
    """Put the expiry so long before the next final block; the looks until then are done."""
    past = "(SELECT expiries_through + interval '5 s' FROM reconciliation_mark)"
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(
            text(
                "UPDATE reconciliation_mark SET expiries_through = expiries_through - interval '10 s'"
            )
        )
        await session.execute(
            text(
                f"UPDATE invoice SET status = '{status}', expires_at = {past} - interval '{ago}',"
                f" monitoring_until = {past} - interval '{ago}' + interval '{monitored}'"
            )
        )


@pytest.mark.anyio
@pytest.mark.chain
@pytest.mark.parametrize("restarted", [False, True], ids=["same", "restarted"])
@pytest.mark.parametrize("monitored", ["3 days", "30 days", "365 days"])
async def test_the_last_look_at_an_invoice_settled_elsewhere_is_at_the_end_of_its_monitoring(
    database: FreshDatabase, chain: AnvilChain, monitored: str, *, restarted: bool
) -> None:
    """Whatever its length is, whether this process or one before saw the invoice expire."""
    async with counted(database, chain, expires_at=datetime.now(UTC) + timedelta(hours=1)) as w:
        for _ in range(2):  # the second turn has a mark to look from
            await w.settle()
        await expired(w, "0 s", monitored, "expired")
        assert await w.reconciler.round()
        if restarted:
            w.reconciler = Reconciler(w.reconciler.credits, pause_seconds=3600)
        contract = await chain.create(cases.fixed_forwarder(w.assigned))
        await chain.included(await chain.transact(to=contract, value=hex(DUE_UNITS)))
        await w.bury()
        await w.turn()
        await expired(w, "2 days", monitored, "settled")
        assert not await w.reconciler.round()
        await expired(w, monitored, monitored, "settled")
        assert await w.reconciler.round()
        assert not await w.reconciler.round()
        [found] = await w.balance_deposits()
        assert (found.units, found.late) == (DUE_UNITS, True)


def test_only_whole_days_are_a_length_of_their_own() -> None:
    """A simulated invoice expires at any time: each would add a window to every look."""
    shop, cut = timedelta(days=30), timedelta(days=6, hours=23, microseconds=7)
    assert unusual([*LOOKS, shop, cut]) == {shop}
