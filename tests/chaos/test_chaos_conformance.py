"""A proxy that does nothing is no different from the chain, and two nodes are as good as one."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from tests.chaos.networks import eyes
from tests.chaos.proxy import chaos
from tests.networks.reader_suite import ReaderBehaviour
from tests.networks.rig import Rig
from tests.networks.rigs import RIGS

STRAYS = {"anvil": "1", "tron": "00" * 32, "surfpool": "5" * 44}


@pytest.fixture(scope="module", params=sorted(STRAYS))
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """Start a chain, put two proxies in front of it, look through both."""
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(RIGS[request.param]())
        chain = running.chain
        proxies = [await stack.enter_async_context(chaos(chain.url)) for _ in range(2)]
        urls = [proxy.url for proxy in proxies]
        seeing = eyes(chain, urls)
        blind = eyes(chain, urls, listed=[])
        stray = eyes(chain, urls, identity=STRAYS[request.param])
        for each in (seeing, blind, stray):
            stack.push_async_callback(each.reader.aclose)
        yield replace(
            running,
            reader=seeing.reader,
            blind_reader=blind.reader,
            stray_reader=stray.reader,
        )
        assert sum(proxy.calls for proxy in proxies) > 0
        assert sum(proxy.faulted for proxy in proxies) == 0


class TestReaderThroughTheProxy(ReaderBehaviour):
    """The suite that every reader passes."""
