"""One suite per socket, run on every network we have."""

from collections.abc import AsyncIterator

import pytest

from tests.networks.reader_suite import ReaderBehaviour
from tests.networks.rig import Rig
from tests.networks.rigs import RIGS
from tests.networks.writer_suite import WriterBehaviour


@pytest.fixture(scope="module", params=sorted(RIGS))
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """Start one network for all tests of this module."""
    async with RIGS[request.param]() as running:
        yield running


class TestReader(ReaderBehaviour):
    """Every reader passes."""


class TestWriter(WriterBehaviour):
    """Every writer passes."""
