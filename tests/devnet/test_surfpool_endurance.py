"""Surfpool keeps its events in a queue of about a thousand: somebody must empty it."""

import pytest

from devnet import surfpool
from devnet.chain import until

pytestmark = [pytest.mark.anyio, pytest.mark.chain]

SLOT_MS = 10
QUEUE = 1024


async def test_chain_lives_longer_than_its_event_queue() -> None:
    """With the queue full, the node would answer nothing any more."""
    async with surfpool.running(SLOT_MS) as chain:
        start = await chain.rpc.call("getSlot", {"commitment": "processed"})

        async def far_enough() -> bool | None:
            slot: int = await chain.rpc.call("getSlot", {"commitment": "processed"})
            return slot > start + QUEUE + 100 or None

        await until(far_enough, "more slots than the queue holds", seconds_max=60)
        assert await chain.balance(chain.payer) > 0
