"""One application for a whole module: its tests look at rows of their own merchants only."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.conftest import FreshDatabase, TestServer, cloned
from tests.gateway.conftest import TestApi, serving


@pytest.fixture(scope="module")
def shared(database_server: TestServer) -> Iterator[FreshDatabase]:
    """Clone the template for one module."""
    with cloned(database_server) as database:
        yield database


@pytest.fixture(scope="module")
async def api(shared: FreshDatabase) -> AsyncIterator[TestApi]:
    """Serve the real application on the module's database."""
    async with serving(shared) as served:
        yield served
