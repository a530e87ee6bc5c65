"""The Tron emulator that several modules of this room use."""

from collections.abc import AsyncIterator

import pytest

from devnet.tron import TronChain, running

TRON_SOLID_LAG = 3


@pytest.fixture(scope="module")
async def tron() -> AsyncIterator[TronChain]:
    """Run one emulator per module; blocks come only when a test asks for them."""
    async with running(0, solid_lag=TRON_SOLID_LAG) as started:
        yield started
