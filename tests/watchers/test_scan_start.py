"""Where the first scan of a network begins."""

from dataclasses import replace

import pytest
from sqlalchemy import delete

from gateway.db import CROSS_TENANT
from gateway.models import Block, Cursor
from gateway.settings import NetworkSettings
from keystore.client import KeystoreClient
from tests.conftest import FreshDatabase
from tests.fakes.chain import FakeChain
from tests.fakes.slots import SlotReader, slot_of
from tests.watchers.test_scan import eyes
from tests.watchers.world import DUE_UNITS, NETWORK, World, world
from watchers.families import connect
from watchers.parts import Parts
from watchers.scan.start import begin_behind
from watchers.service import Watcher

pytestmark = pytest.mark.anyio


async def test_the_first_block_that_was_asked_for_is_read() -> None:
    """The scan begins behind the one below it; block 0 pays nobody and has none below it."""
    chain = FakeChain(seed=1)
    await chain.mine(9)
    begun = [(await begin_behind(eyes(chain), height)).height for height in (0, 1, 2, 9)]
    assert begun == [0, 0, 1, 8]


async def test_an_empty_slot_below_the_first_one_leaves_none_out() -> None:
    """What is found at or above an empty slot may be the very block that has to be read."""
    chain = FakeChain(seed=1)
    await chain.mine(200)
    reader = SlotReader(chain, frozenset())
    for block in (1, 2, 3, 50, 199):
        ref = await begin_behind(reader, slot_of(block))
        assert ref.height < slot_of(block)
        assert (await reader.read(ref.height + 1)).ref.height <= slot_of(block)


async def test_without_a_first_height_the_scan_begins_behind_the_final_block() -> None:
    """What was final before we came is not ours to credit."""
    chain = FakeChain(seed=1)
    await chain.mine(9)
    assert (await begin_behind(eyes(chain), None)).height == chain.final


def watcher(w: World, database: FreshDatabase, start_height: int) -> Watcher:
    """Return a watcher of the world's chain that was never started."""
    network = NetworkSettings(
        family="ethereum",
        display_name="Ethereum",
        identity=w.chain.identity,
        rpc_urls=["http://127.0.0.1:1"],
        assets=[],
        start_height=start_height,
    )
    settings, scanner = database.settings, w.scanner
    chain = replace(connect(NETWORK, network, scanner.currencies), reader=scanner.reader)
    keystore = KeystoreClient(settings.keystore.socket)
    return Watcher(
        Parts(
            NETWORK,
            settings,
            network,
            chain,
            scanner.currencies,
            w.database,
            keystore,
            scanner.book,
        )
    )


async def test_a_payment_in_the_first_block_that_was_asked_for_is_credited(
    database: FreshDatabase,
) -> None:
    """On an empty database, by the watcher's own first step."""
    async with world(database) as w:
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(delete(Cursor))
            await session.execute(delete(Block))
        await w.chain.mine(2)
        await w.chain.pay(w.assigned, DUE_UNITS)
        await w.chain.mine(5)
        await watcher(w, database, 3)._ensure_cursor()
        await w.restart()
        await w.scan()
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
