"""A chain that was rewritten below what was final, and is still shorter than ours."""

import copy

import pytest

from gateway.models import NetworkHealth
from tests.conftest import FreshDatabase
from tests.watchers.test_scan import eyes
from tests.watchers.world import DUE_UNITS, World, world
from watchers import health
from watchers.scan.reorg import FinalityBroken

pytestmark = pytest.mark.anyio


async def grown(w: World) -> None:
    """Let a payment be final, and much after it."""
    await w.pay(w.assigned, DUE_UNITS)
    await w.chain.mine(20)
    await w.scan()


async def rewritten(w: World) -> None:
    """Let everything above the first block be another history, and three blocks shorter."""
    w.chain.blocks = w.chain.blocks[:1]
    await w.chain.mine(w.scanner.position.height - 3)


async def published(w: World) -> NetworkHealth:
    """Return what everybody else is told."""
    scanner = w.scanner
    await health.publish(w.database, scanner.position, scanner.tip, scanner.waiting, {})
    [row] = await health.all_networks(w.database)
    return row


async def test_another_final_block_below_ours_stops_the_network_before_it_is_longer(
    database: FreshDatabase,
) -> None:
    """At once it waits and pays nothing; seen twice it is halted, after a restart as well."""
    async with world(database) as w:
        await grown(w)
        await rewritten(w)
        w.scanner.final_lane.branches.below.seconds = 3600
        await w.scan()
        assert "another final block" in (w.scanner.waiting or "")
        assert (w.scanner.may_pay, w.scanner.position.halted) == (False, None)
        told = await published(w)
        assert (told.head_height, told.scanned_height) == (w.chain.head, w.chain.head + 3)
        assert "another final block" in (told.trouble or "")

        w.scanner.final_lane.branches.below.seconds = 0
        for _ in range(2):
            with pytest.raises(FinalityBroken):
                await w.scan()
            assert "was final" in (w.scanner.position.halted or "")
            await w.restart()
            assert not w.scanner.may_pay
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)


async def test_while_as_many_nodes_show_our_final_block_the_network_waits(
    database: FreshDatabase,
) -> None:
    """The node that contradicts them is named, and nothing is halted for it."""
    async with world(database) as w:
        await grown(w)
        w.scanner.witnesses = {"a": eyes(w.chain), "b": eyes(copy.deepcopy(w.chain))}
        await rewritten(w)
        await w.scan()
        assert "another final block" in (w.scanner.waiting or "")
        assert (w.scanner.may_pay, w.scanner.position.halted) == (False, None)


async def test_a_node_that_is_only_behind_contradicts_nobody(database: FreshDatabase) -> None:
    """It shows our own blocks as far as it is: payouts go on."""
    async with world(database) as w:
        await grown(w)
        w.chain.rewind(6)
        await w.scan()
        assert w.scanner.tip.final < w.scanner.position.final_height
        assert (w.scanner.may_pay, w.scanner.waiting) == (True, None)
