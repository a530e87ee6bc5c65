"""Sweeps on anvil with a keystore of its own: emptied, paid for, booked, and nothing twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from devnet import anvil
from devnet.anvil import AnvilChain
from gateway.db import CROSS_TENANT
from gateway.models import Attempt, Unswept
from gateway.settings import AssetSettings, SweepSettings
from tests.conftest import FreshDatabase
from tests.keystore.house import House
from tests.watchers.sweep_world import (
    SweepWorld,
    network_settings,
    own_keystore,
    sweep_world,
)
from watchers.outgoing import Outgoing
from watchers.pay import holds
from watchers.sweep.rows import costs
from watchers.sweep.sweeper import GIVE_UP

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
ETHER, TOKENS = 10**18, 10**6
FINAL_LAG = 4


@pytest.fixture
def keystore() -> Iterator[tuple[House, str]]:
    """Run a keystore process for the test, with its pool key."""
    with own_keystore() as made:
        yield made


@pytest.fixture
async def chain() -> AsyncIterator[AnvilChain]:
    """Run one anvil for the test: pool addresses are the keystore's, the same in every test."""
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


async def test_coins_and_tokens_are_swept_and_every_figure_agrees(w: SweepWorld) -> None:
    """Addresses are left with 0 wei, or with less than moving it costs; costs are booked once."""
    coins, tokens, both = (await w.pool())[:3]
    await w.receive(
        (coins, ETHER, "native"),
        (tokens, 3_000 * TOKENS, w.chain.token),
        (both, 2 * ETHER, "native"),
        (both, 5_000 * TOKENS, w.chain.token),
    )
    sweeps = await w.swept(4)
    assert {sweep.state for sweep in sweeps} == {"done"}
    hot = await w.address("hot")
    assert await w.chain.balance(hot, w.chain.token) == 8_000 * TOKENS
    assert [await w.chain.balance(each) for each in (coins, both)] == [0, 0]
    assert await w.chain.balance(tokens) < 21_000 * 3 * 10**9
    assert [await w.chain.balance(each, w.chain.token) for each in (tokens, both)] == [0, 0]
    spent = -await w.wallet("expense", w.coin)
    assert spent == sum(sweep.cost_units for sweep in sweeps) > 0
    landed = [*await w.attempts("sweep"), *await w.attempts("top_up")]
    assert await w.booked("network_fee") == len(landed) >= 5, "four sweeps, one of them funded"
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        told = await costs(session, w.name)
    assert {each.currency_id for each in told} == {w.coin, w.token}
    assert sum(each.cost_units for each in told) == spent
    assert await w.booked("capital") == 1, "what reaches the hot wallet is no new capital"
    assert len(await w.deposits()) == 5, "what was sent ahead is no deposit"
    await w.agreed()


async def test_a_new_process_at_every_step_sends_nothing_twice(w: SweepWorld) -> None:
    """Two planners at once, and an end after each commit: one top-up, one transfer."""
    [address] = (await w.pool())[:1]
    await w.receive((address, 3_000 * TOKENS, w.chain.token))
    await asyncio.gather(w.sweeping.choice.round(), w.sweeping.choice.round())
    assert [sweep.state for sweep in await w.sweeps()] == ["planned"]
    for _ in range(20):
        await w.begin()
        await w.sweeping.round()
        await w.begin()
        await w.payouts.round()
        await w.begin()
        await w.bury()
        [sweep] = await w.sweeps()
        if sweep.ended_at is not None:
            break
    assert (sweep.state, sweep.steps) == ("done", 2)
    assert [len(await w.attempts(each)) for each in ("top_up", "sweep")] == [1, 1]
    assert await w.chain.balance(await w.address("hot"), w.chain.token) == 3_000 * TOKENS
    await w.agreed()


@pytest.mark.parametrize("asset", ["token", "coin"])
async def test_our_own_transaction_that_a_restored_database_forgot_is_never_credited(
    w: SweepWorld, asset: str
) -> None:
    """Gas that reaches a pool address, coins that reach the hot wallet: held, then taken over."""
    [address] = (await w.pool())[:1]
    paid = (3_000 * TOKENS, w.chain.token) if asset == "token" else (ETHER, "native")
    await w.receive((address, *paid))
    await w.sweeping.round()
    await w.payouts.round()
    purpose = "top_up" if asset == "token" else "sweep"
    [forgotten] = await w.attempts(purpose)
    assert forgotten.tx_hash is not None
    await w.forget(forgotten, unswept=w.token if asset == "token" else w.coin)
    before = await w.wallet("custody", w.coin)
    await w.bury()
    [held] = [each for each in await w.deposits() if each.tx_hash == forgotten.tx_hash]
    assert held.status == "pending"
    assert await w.wallet("custody", w.coin) == before
    assert "look like our own" in (w.scanner.waiting or "")
    await w.begin()
    await w.payouts.round()
    [held] = [each for each in await w.deposits() if each.tx_hash == forgotten.tx_hash]
    assert (held.status, held.reason) == ("rejected", "own_transaction")
    await w.bury()
    assert [each.state for each in await w.attempts(purpose)] == ["succeeded"]
    if asset == "token":
        await w.swept(1)
        assert len(await w.attempts("top_up")) == 1, "what was sent ahead is used"
    else:
        await w.turn()
        assert await w.sweeps() == []
    assert w.scanner.waiting is None
    await w.agreed()


async def test_an_address_whose_sweep_was_taken_over_gets_no_second_one(w: SweepWorld) -> None:
    """After a restore its transaction is known, and no sweep asks for it; it is on its way yet."""
    [address] = (await w.pool())[:1]
    await w.receive((address, ETHER, "native"))
    await w.sweeping.round()
    await w.payouts.round()
    [forgotten] = await w.attempts("sweep")
    await w.forget(forgotten, unswept=w.coin)
    await w.begin()
    outgoing = Outgoing(w.scanner, w.payouts, w.sweeping, sweeps=True)
    await w.scanner.know_the_node()
    await w.scanner.final_lane.anchor()
    assert not outgoing.history_known()
    await outgoing.pay()
    assert outgoing.history_known()
    [taken] = await w.attempts("sweep")
    assert taken.state == "signed"
    await w.sweeping.choice.round()
    assert await w.sweeps() == []
    assert (await w.waiting())[w.coin, address].reason == (
        "another sweep of this address is under way"
    )
    await w.turn()
    await w.turn()
    assert (await w.sweeps(), await w.waiting()) == ([], {})
    await w.agreed()


async def test_what_is_held_frozen_or_worth_too_little_stays_where_it_is(w: SweepWorld) -> None:
    """Each says why it waits; the others go."""
    frozen, small, good, held = (await w.pool())[:4]
    at = datetime.now(UTC)
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        await holds.put(session, w.name, w.coin, holds.FROZEN, "frozen", at=at, address=frozen)
        await holds.put(session, w.name, w.token, holds.PAUSED, "paused", at=at)
    await w.receive(
        (frozen, ETHER, "native"),
        (small, 10**12, "native"),
        (good, ETHER, "native"),
        (held, TOKENS, w.chain.token),
    )
    [sweep] = await w.swept(1)
    assert (sweep.address, sweep.state) == (good, "done")
    waiting = await w.waiting()
    assert waiting[w.coin, frozen].reason == "the address is frozen"
    assert "not more than" in (waiting[w.coin, small].reason or "")
    assert waiting[w.token, held].reason == "the asset is held"


async def test_wallets_are_kept_between_their_marks_and_nothing_of_it_is_capital(
    database: FreshDatabase, chain: AnvilChain, keystore: tuple[House, str]
) -> None:
    """Gas is refilled, what is above the ceiling goes to cold storage, and it may come back."""
    marks = SweepSettings(gas_low="0.5", gas_high="1")
    cold = await chain.fresh_address()
    assets = [
        AssetSettings(code="ETH", decimals=18, hot_ceiling="2", hot_target="1"),
        AssetSettings(code="TUSD", decimals=6, contract=chain.token),
    ]
    async with sweep_world(
        database, chain, *keystore, final_lag=FINAL_LAG, sweeping=marks,
        cold_address=cold, assets=assets,
    ) as w:  # fmt: skip
        hot, gas = await w.address("hot"), await w.address("gas")
        await w.receive((hot, 5 * ETHER, "native"))

        async def done() -> bool:
            ended = [*await w.attempts("refill"), *await w.attempts("cold")]
            return {each.state for each in ended} == {"succeeded"} and len(ended) == 2

        await w.until(done)
        await w.turn()
        assert await chain.balance(gas) == ETHER
        assert ETHER * 9 // 10 < await chain.balance(hot) <= ETHER
        stored = await chain.balance(cold)
        assert 2 * ETHER < stored < 4 * ETHER
        await w.agreed()
        await chain.rpc.call("anvil_impersonateAccount", cold)
        back = await chain.transact(**{"from": cold}, to=hot, value=hex(ETHER // 2))
        await chain.included(back)
        await w.bury()
        assert await w.booked("capital") == 1
        spent = stored - await chain.balance(cold) - ETHER // 2
        assert spent > 0, "cold storage paid the network"
        await w.agreed()


async def test_what_became_dear_after_it_was_chosen_waits_until_it_is_cheap_again(
    w: SweepWorld,
) -> None:
    """Below the fee ceiling, but more than the address is worth: nothing is signed meanwhile."""
    [address] = (await w.pool())[:1]
    await w.receive((address, ETHER // 50, "native"))
    assert await w.sweeping.choice.round() == 1
    await _base_fee(w, 200 * 10**9)
    await w.sweeping.sweeper.round()
    [sweep] = await w.sweeps()
    assert (sweep.state, sweep.steps) == ("planned", 0)
    assert "a sweep may cost" in (sweep.blocked_reason or "")
    assert await w.attempts("sweep") == []
    await _base_fee(w, 10**9)
    [sweep] = await w.swept(1)
    assert sweep.state == "done"
    assert sweep.cost_units * 20 <= ETHER // 50


async def test_a_funded_sweep_that_became_too_dear_gives_its_place_back_and_its_gas_is_used(
    w: SweepWorld,
) -> None:
    """It ends once nothing of it was under way for long; the next one is not sent gas again."""
    [address] = (await w.pool())[:1]
    await w.receive((address, 9 * TOKENS, w.chain.token))
    await w.turn()
    [sweep] = await w.sweeps()
    assert (sweep.state, sweep.steps, sweep.order_id) == ("funding", 1, None)
    gas = await w.chain.balance(address)
    for patience in (GIVE_UP, timedelta(0)):
        w.sweeping.sweeper.give_up = patience
        for _ in range(3):
            await _base_fee(w, 10**13)
            await w.sweeping.sweeper.round()
        [sweep] = await w.sweeps()
        assert "a sweep may cost" in (sweep.blocked_reason or sweep.failure_reason or "")
        assert (sweep.state == "failed") is not bool(patience)
    w.sweeping.sweeper.give_up = GIVE_UP
    assert sweep.cost_units == -await w.wallet("expense", w.coin) > 0
    waiting = await w.waiting()
    assert set(waiting) == {(w.token, address), (w.coin, address)}
    assert waiting[w.token, address].units == 9 * TOKENS
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        [cost] = await costs(session, w.name)
        assert (cost.sweeps, cost.cost_units) == (0, sweep.cost_units)
        await session.execute(update(Unswept).values(not_before=None))
    await _base_fee(w, 10**7)
    await w.swept(2)
    assert len(await w.attempts("top_up")) == 1
    assert await w.chain.balance(address, w.chain.token) == 0
    assert await w.chain.balance(address) < gas
    await w.agreed()


async def test_a_funded_sweep_waits_while_it_is_held_and_keeps_nobody_else_back(
    w: SweepWorld,
) -> None:
    """However long: its reason is shown, no time that it was held is counted against it."""
    address, other = (await w.pool())[:2]
    one = SweepSettings(gas_low="0", gas_high="0", at_once=1)
    w.sweeping.choice.settings = network_settings(w.chain, sweeping=one)
    await w.receive((address, 9 * TOKENS, w.chain.token))
    await w.turn()
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        held, at = holds.DRIFT, datetime.now(UTC)
        await holds.put(session, w.name, w.token, held, "7 too few", at=at, address=address)
        await session.execute(
            update(Attempt).values(ended_at=at - 2 * GIVE_UP, created_at=at - 3 * GIVE_UP)
        )
    await w.receive((other, ETHER, "native"))
    await w.turn()
    sweep, beside = await w.sweeps()
    assert (sweep.state, sweep.steps, sweep.failure_reason) == ("funding", 1, None)
    assert sweep.blocked_reason == f"{w.token} is held (drift): 7 too few"
    assert (beside.address, beside.state) == (other, "moving")
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        assert await holds.lift(session, w.token, held, address=address)
    for _ in range(2):
        await _base_fee(w, 10**13)
        await w.sweeping.sweeper.round()
    sweep = (await w.sweeps())[0]
    assert (sweep.state, sweep.failure_reason) == ("planned", None)
    assert "a sweep may cost" in (sweep.blocked_reason or "")
    await _base_fee(w, 10**7)
    assert [each.state for each in await w.swept(2)] == ["done", "done"]
    assert len(await w.attempts("top_up")) == 1
    await w.agreed()


async def _base_fee(w: SweepWorld, wei: int) -> None:
    """Let the next block ask for it, and make that block."""
    await w.chain.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(wei))  # type: ignore[attr-defined]
    await w.chain.mine(1)
