"""A site per module, with a database of its own."""

from collections.abc import AsyncIterator

import pytest

from tests.campaign import is_long
from tests.conftest import TestServer
from tests.crash.databases import cloned
from tests.crash.opening import opened
from tests.crash.runs import chosen
from tests.crash.site import Site


@pytest.fixture(scope="module")
async def site(
    request: pytest.FixtureRequest,
    database_server: TestServer,
    anyio_backend: str,  # noqa: ARG001 - the loop lives as long as the module
) -> AsyncIterator[Site]:
    """Open the site of the module's FAMILY."""
    with cloned(database_server) as database:
        async with opened(request.module.FAMILY, database) as opened_site:
            yield opened_site


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every run of the module's family in a campaign, its part of a seeded tenth otherwise."""
    if "run" in metafunc.fixturenames:
        runs = chosen(everything=is_long(metafunc.config))
        mine = [run for run in runs if run.family == metafunc.module.FAMILY]
        metafunc.parametrize("run", mine, ids=str)
