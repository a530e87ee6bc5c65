"""Our clock beside the chain's: what is signed under a wrong one could land until its date."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.networks.tron.documents import POOL, TIME_MS, block
from tests.networks.tron.scripted_node import scripted
from tests.networks.tron.test_tron_writer import KNOWN, RICH, accounts, order
from watchers.network import Incomplete, Slot
from watchers.networks.tron.lending import Lending
from watchers.networks.tron.node import TronNode
from watchers.networks.tron.writer import TronWriter
from watchers.rpc import Endpoints

pytestmark = pytest.mark.anyio
MINUTE_MS = 60_000
YEARS_MS = 12 * 365 * 24 * 60 * MINUTE_MS


async def made_at(clock_ms: int) -> list[int]:
    """Return the time of a payout and of a loan that are prepared under a clock."""
    clock: Callable[[], int] = lambda: clock_ms  # noqa: E731 - it stands still
    async with scripted(getaccount=accounts(RICH, KNOWN)) as node:
        node.answers["/walletsolidity/getblock"] = block()
        writer = TronWriter(Endpoints([node.url]), "tron", clock)
        lending = Lending(TronNode(writer.endpoints), "tron", clock)
        try:
            loan: dict[str, Any] = await lending.resource("lend", POOL, 1, 1, "hou_1")
            payout = await writer.prepare(order(), Slot())
        finally:
            await writer.aclose()
    return [payout["timestamp_ms"], loan["timestamp_ms"]]


@pytest.mark.parametrize("minutes", [-9, 0, 9])
async def test_a_clock_near_the_chains_makes_payments(minutes: int) -> None:
    """A solid block is a minute old, and no two clocks are the same."""
    ours = TIME_MS + minutes * MINUTE_MS
    assert await made_at(ours) == [ours, ours]


@pytest.mark.parametrize("apart_ms", [YEARS_MS, 11 * MINUTE_MS, -11 * MINUTE_MS])
async def test_nothing_is_made_under_a_clock_far_from_the_chains(apart_ms: int) -> None:
    """A payment of the year after next would lock its hold until then."""
    with pytest.raises(Incomplete, match="our clock says"):
        await made_at(TIME_MS + apart_ms)


async def test_a_payout_has_a_look_at_the_clock_of_its_own() -> None:
    """Not only what is lent."""
    async with scripted(getaccount=accounts(RICH, KNOWN)) as node:
        node.answers["/walletsolidity/getblock"] = block()
        writer = TronWriter(Endpoints([node.url]), "tron", lambda: TIME_MS + YEARS_MS)
        with pytest.raises(Incomplete, match="our clock says"):
            await writer.prepare(order(), Slot())
        await writer.aclose()
