"""A machine behind a liar for each module that names its FAMILY, with a database of its own."""

from collections.abc import AsyncIterator

import pytest

from tests.campaign import is_long
from tests.conftest import TestServer
from tests.crash.databases import cloned
from tests.hostile.lies import chosen
from tests.hostile.machine import Machine
from tests.hostile.opening import running


@pytest.fixture(scope="module")
async def machine(
    request: pytest.FixtureRequest,
    database_server: TestServer,
    anyio_backend: str,  # noqa: ARG001 - the loop lives as long as the module
) -> AsyncIterator[Machine]:
    """Run the machine of the module's FAMILY."""
    with cloned(database_server) as database:
        async with running(request.module.FAMILY, database) as found:
            yield found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tell the module's LIES, each alone in a campaign; there coins and tokens, else coins."""
    long = is_long(metafunc.config)
    if "kind" in metafunc.fixturenames:
        metafunc.parametrize("kind", ["native", "token"] if long else ["native"])
    if "lies" in metafunc.fixturenames:
        told = chosen(metafunc.module.LIES, long=long)
        metafunc.parametrize("lies", told, ids=["+".join(map(str, each)) for each in told])
