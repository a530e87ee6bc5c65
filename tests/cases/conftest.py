"""One anvil for every engine-level case of a worker process."""

from collections.abc import AsyncIterator

import pytest

from devnet import anvil
from devnet.anvil import AnvilChain


@pytest.fixture(scope="package")
async def chain() -> AsyncIterator[AnvilChain]:
    """Run anvil with one-second blocks, final four blocks behind."""
    async with anvil.running() as running:
        yield running
