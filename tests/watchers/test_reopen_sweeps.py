"""`watchers reopen` on anvil: what a sweep had moved and did not move after all is swept once more."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import update

from devnet import anvil
from devnet.anvil import AnvilChain
from gateway.db import CROSS_TENANT
from gateway.models import Attempt, Sweep, Unswept
from tests.conftest import FreshDatabase
from tests.keystore.house import House
from tests.watchers.reopening import ORDER
from tests.watchers.sweep_world import SweepWorld, own_keystore, sweep_world
from watchers.clock import now
from watchers.commands import sweeps as command
from watchers.families import locator
from watchers.pay import cancels
from watchers.scan import reopen
from watchers.scan.reorg import FinalityBroken
from watchers.sweep import turned

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
ETHER, TOKENS = 10**18, 10**9
FINAL_LAG = 4
REFUSES = bytes.fromhex("5f5ffd")
"""Code of an account that takes no coins."""


@pytest.fixture
def keystore() -> Iterator[tuple[House, str]]:
    """Run a keystore process for the test, with its pool key."""
    with own_keystore() as made:
        yield made


@pytest.fixture
async def chain() -> AsyncIterator[AnvilChain]:
    """Run one anvil that mines when it is told to."""
    async with anvil.running() as started:
        await started.set_mining(on=False)
        await started.rpc.call("evm_setAutomine", True)  # noqa: FBT003 - JSON
        yield started


@pytest.fixture
async def w(
    database: FreshDatabase, chain: AnvilChain, keystore: tuple[House, str]
) -> AsyncIterator[SweepWorld]:
    """Give a network a funded gas wallet."""
    async with sweep_world(database, chain, *keystore, final_lag=FINAL_LAG) as world:
        await world.receive((await world.address("gas"), ETHER, "native"))
        yield world


async def forgotten(w: SweepWorld, chain: AnvilChain, below: int) -> None:
    """Rewrite the chain above a height, and go on there."""
    await chain.reorg((await w.parts.reader.tip()).head - below)
    await chain.mine()
    with pytest.raises(FinalityBroken):
        for _ in range(4):
            await w.scan()
    w.scanner.locate, w.scanner.witnesses = locator(w.name).locate, w.parts.witnesses
    plan = await reopen.planned(w.scanner)
    await reopen.carry_out(w.owner, plan, ORDER, now())
    await w.begin()
    await w.scan()


async def rested(w: SweepWorld) -> None:
    """Let the pauses before another broadcast, and before another sweep, pass."""
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(update(Attempt).values(last_broadcast_at=None))
        await session.execute(update(Unswept).values(not_before=None))


async def test_coins_that_a_rewritten_chain_left_at_their_address_are_swept_again(
    w: SweepWorld, chain: AnvilChain
) -> None:
    """The transfer fails there: after a rest a new one brings them home, and every figure agrees."""
    [address] = (await w.pool())[:1]
    await w.receive((address, ETHER, "native"))
    below = (await w.parts.reader.tip()).head
    [first] = await w.swept(1)
    hot = await w.address("hot")
    assert (first.state, await w.chain.balance(address)) == ("done", 0)

    await forgotten(w, chain, below)
    assert await w.chain.balance(address) == ETHER
    await chain.etch(hot, REFUSES)
    await rested(w)
    await w.turn()
    [found] = await w.sweeps()
    assert (found.state, found.failure_reason) == ("failed", turned.NOT_MOVED)
    [left] = (await w.waiting()).values()
    assert (left.address, left.units, left.reason) == (address, first.units, turned.NOT_MOVED)

    await chain.etch(hot, b"")
    await w.turn()
    assert len(await w.sweeps()) == 1, "it rests first"
    await rested(w)
    sweeps: list[Sweep] = await w.swept(2)
    assert [each.state for each in sweeps] == ["failed", "done"]
    assert await w.chain.balance(address) == 0
    assert await w.waiting() == {}
    await w.agreed()


async def left_to_land(w: SweepWorld) -> list[tuple[str, str]]:
    """Return what `watchers sweeps` lists of a rewritten chain: orders and their addresses."""
    async with w.database.unit_of_work(CROSS_TENANT) as session:
        lines = command.rewritten(await turned.waiting(session, w.name))[2:]
    return [(words[0], words[1]) for words in map(str.split, lines)]


async def test_an_address_whose_swept_coins_never_come_back_is_free_when_its_sweep_is_taken_back(
    w: SweepWorld, chain: AnvilChain
) -> None:
    """Its nonce is of what nobody can send any more: a cancel is sent its gas, and then tokens move."""
    [address] = (await w.pool())[:1]
    below = (await w.parts.reader.tip()).head
    await w.receive((address, ETHER, "native"))
    [first] = await w.swept(1)
    await forgotten(w, chain, below)
    await w.receive((address, TOKENS, chain.token))
    for _ in range(2):
        await rested(w)
        await w.turn()
    assert [each.id for each in await w.sweeps()] == [first.id], "its nonce is not free"
    [order] = {each.order_id for each in await w.attempts("sweep")}
    assert await left_to_land(w) == [(order, address)]

    async with w.database.unit_of_work(CROSS_TENANT) as session:
        await cancels.ask(session, w.name, order, "ada", now(), patience=timedelta(0))

    async def over() -> bool:
        await rested(w)
        return await left_to_land(w) == []

    await w.until(over)
    [gas, *_], taken_back = await w.attempts("top_up"), await w.attempts("cancel")
    assert (gas.state, gas.intent["to"]) == ("succeeded", address)
    assert [each.state for each in taken_back].count("succeeded") == 1

    async def moved() -> bool:
        await rested(w)
        return await w.chain.balance(address, chain.token) == 0

    await w.until(moved)
    ended, *others = await w.swept(2)
    assert (ended.id, ended.state) == (first.id, "failed")
    assert {each.state for each in others} == {"done"}
    await w.agreed()


async def test_gas_that_has_to_land_once_more_is_not_sent_a_second_time(
    w: SweepWorld, chain: AnvilChain
) -> None:
    """The sweep that it was sent ahead for waits until it is there, and moves with that alone."""
    [address] = (await w.pool())[:1]
    await w.receive((address, TOKENS, chain.token))
    below = (await w.parts.reader.tip()).head

    async def funded() -> bool:
        return [each.state for each in await w.attempts("top_up")] == ["succeeded"]

    await w.until(funded)
    await forgotten(w, chain, below)
    assert await w.chain.balance(address) == 0
    for _ in range(3):
        await w.sweeping.round()
    [sweep] = await w.sweeps()
    assert (sweep.state, len(await w.attempts("top_up"))) == ("funding", 1)
    assert "on its way" in str(sweep.blocked_reason)
    [done] = await w.swept(1)
    assert (done.state, len(await w.attempts("top_up"))) == ("done", 1)
    assert await w.chain.balance(address, chain.token) == 0
    await w.agreed()
