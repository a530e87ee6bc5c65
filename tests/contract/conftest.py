"""The stage of the contract's tests: a shop with two merchants who have one of everything."""

from collections.abc import AsyncIterator

import pytest

from tests.conftest import TestServer, cloned
from tests.contract.objects import staged
from tests.contract.sides import Stage


@pytest.fixture(scope="module")
async def stage(database_server: TestServer) -> AsyncIterator[Stage]:
    """Set the stage once for a module: what it asks for changes nothing, or only its own."""
    with cloned(database_server) as database:
        async with staged(database) as made:
            yield made
