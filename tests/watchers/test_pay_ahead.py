"""A wallet that the chain counts more of than we do: it stands still until a person looked."""

from contextlib import aclosing

import pytest
from sqlalchemy import select

from gateway.db import CROSS_TENANT
from gateway.models import AuditLog
from tests.conftest import FreshDatabase
from tests.fakes.node import RpcFailure, serving, table
from tests.keystore.house import House
from tests.watchers.test_pay_turns import a_minute_passes
from tests.watchers.test_payouts import Desk, desk, keystore_house
from tests.watchers.world import NETWORK
from watchers.clock import now
from watchers.network import NodeUnavailable
from watchers.networks.ethereum.counted import counted
from watchers.pay import ahead
from watchers.pay.ahead import Adopted, NotAdopted
from watchers.rpc import Endpoints

pytestmark = pytest.mark.anyio
__all__ = ["keystore_house"]


async def adopt(d: Desk, count: int) -> list[Adopted]:
    """Take the chain's count over as an operator does."""
    async with d.world.database.unit_of_work(CROSS_TENANT) as session:
        assert d.world.hot in await ahead.wallets(session, NETWORK)
        counts = {d.world.hot: count}
        return await ahead.adopt(
            session, NETWORK, counts, now(), person="tester", reason="paid by hand once"
        )


async def test_payouts_go_on_behind_what_a_person_took_over(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Nothing is signed before; afterwards the next one takes the chain's next nonce, on record."""
    async with desk(database, keystore_house) as d:
        with pytest.raises(NotAdopted, match="no wallet's book is behind"):
            await adopt(d, d.first_nonce)
        d.world.chain.state.nonces[d.world.hot] = d.first_nonce + 3
        id_ = await d.request(1)
        await d.payouts.round()
        assert "used elsewhere" in ((await d.withdrawal(id_)).blocked_reason or "")
        [adopted] = await adopt(d, d.first_nonce + 3)
        assert (adopted.before, adopted.after, adopted.dead) == (
            d.first_nonce,
            d.first_nonce + 3,
            (),
        )
        await a_minute_passes(d)
        await d.payouts.round()
        [attempt] = await d.attempts()
        assert attempt.nonce == d.first_nonce + 3
        await d.bury()
        assert (await d.withdrawal(id_)).status == "completed"
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            query = select(AuditLog).where(AuditLog.action == "nonce.adopted")
            [row] = (await session.scalars(query)).all()
        assert (row.actor, (row.after or {})["reason"]) == (
            "operator:tester",
            "paid by hand once",
        )


async def test_nothing_is_taken_over_while_a_transaction_waits_for_its_signature(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Its place would be given twice."""
    async with desk(database, keystore_house) as d:
        await d.request(1)
        await d.payouts.adoption.round()
        assert await d.payouts.claims.claim()
        with pytest.raises(NotAdopted, match="waits for its signature"):
            await adopt(d, d.first_nonce + 3)


async def test_an_order_that_lost_its_place_is_named(
    database: FreshDatabase, keystore_house: House
) -> None:
    """It can never land: a person has to know of it."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(1)
        await d.payouts.round()
        [adopted] = await adopt(d, d.first_nonce + 3)
        assert adopted.dead == (id_,)


def test_only_what_enough_nodes_agree_on_is_believed() -> None:
    """One node's word would open a gap in which everything waits for ever."""
    silent = NodeUnavailable("away")
    assert ahead.agreed("0xa", {"one": 7, "two": 7, "three": silent}, 2) == 7
    with pytest.raises(NotAdopted, match="1 of 2 nodes"):
        ahead.agreed("0xa", {"one": 7, "two": silent}, 2)
    with pytest.raises(NotAdopted, match="do not agree: one 7, two 900"):
        ahead.agreed("0xa", {"one": 7, "two": 900}, 1)


async def test_the_count_is_asked_of_final_blocks() -> None:
    """A node that refuses the question is away."""
    node = table(eth_getTransactionCount="0x10")
    async with serving(node) as one, aclosing(Endpoints([one.url])) as endpoints:
        assert await counted(endpoints, "0xa") == 16
    refusing = table(eth_getTransactionCount=RpcFailure(-1, "no"))
    async with serving(refusing) as one, aclosing(Endpoints([one.url])) as endpoints:
        with pytest.raises(NodeUnavailable):
            await counted(endpoints, "0xa")
