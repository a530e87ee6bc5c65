"""Money that blocks do not show, on a real chain: by traces where offered, by balances else."""

from collections.abc import AsyncIterator

import pytest
from eth_abi.abi import encode
from sqlalchemy import update

from devnet import anvil
from devnet.anvil import AnvilChain
from devnet.contracts import cases, multicall
from gateway.db import CROSS_TENANT
from gateway.models import Cursor
from tests.conftest import FreshDatabase
from tests.watchers.recon_world import Counted, counted
from tests.watchers.world import DUE_UNITS, USDC

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
SUPPLY = 10**15


@pytest.fixture(scope="module")
async def chain() -> AsyncIterator[AnvilChain]:
    """Run one anvil for the module."""
    async with anvil.running() as running:
        yield running


async def paid(w: Counted, code: bytes, data: str = "0x", units: int = DUE_UNITS) -> int:
    """Let a contract pay; return the block in which it did."""
    contract = await w.chain.create(code)
    tx_hash = await w.chain.transact(to=contract, value=hex(units), data=data)
    return await w.height_of(await w.chain.included(tx_hash))


async def expect_credit(w: Counted, height: int, *, traces: bool) -> None:
    """Exactly one deposit of the right kind, at the block of the payment, credited once."""
    await w.settle()
    await w.settle()
    [deposit] = await w.deposits()
    assert deposit.kind == ("internal" if traces else "balance")
    assert (deposit.block_height, deposit.units) == (height, DUE_UNITS)
    assert deposit.status == "confirmed"
    assert await w.wallet("mer_1") == (DUE_UNITS, 0)
    assert (await w.invoice()).status == "settled"
    assert await w.holds() == []
    figures = await w.figures()
    assert figures.chain_units == figures.ledger_units == figures.expected_units == DUE_UNITS


async def test_silent_money_waits_until_the_history_of_the_keystore_was_read(
    database: FreshDatabase, chain: AnvilChain
) -> None:
    """After a restore it may be what a forgotten transaction of ours brought: no drift either."""
    async with counted(database, chain) as w:
        w.reconciler.credits.history_known = lambda: False
        height = await paid(w, cases.fixed_forwarder(w.assigned))
        await w.bury()
        while await w.reconciler.round():
            continue
        assert await w.deposits() == []
        assert (await w.drifts(), await w.holds()) == ([], [])
        w.reconciler.credits.history_known = lambda: True
        await expect_credit(w, height, traces=False)


async def test_case_08_dust_is_recorded_and_counts_once_it_adds_up(
    database: FreshDatabase, chain: AnvilChain
) -> None:
    """Below the minimum nobody's, however it arrives; together with more the invoice's."""
    async with counted(database, chain, minimum=100) as w:
        await chain.pay(w.assigned, 40)
        await paid(w, cases.fixed_forwarder(w.assigned), units=30)
        await w.settle()
        found = {each.kind: (each.purpose, each.reason) for each in await w.deposits()}
        assert found == dict.fromkeys(("native", "balance"), ("unattributed", "below_minimum"))
        assert await w.wallet("mer_1") == (0, 0)
        await chain.pay(w.assigned, 30)
        await w.settle()
        assert {each.purpose for each in await w.deposits()} == {"invoice"}
        assert await w.wallet("mer_1") == (100, 0)
        assert await w.holds() == []


@pytest.mark.parametrize("traces", [True, False], ids=["traces", "reconciler"])
async def test_case_13_internal_value_with_the_address_in_calldata(
    database: FreshDatabase, chain: AnvilChain, *, traces: bool
) -> None:
    """A forwarder that is told the recipient."""
    async with counted(database, chain, traces=traces) as w:
        word = f"0x{encode(['address'], [w.assigned]).hex()}"
        height = await paid(w, cases.forwarder(), word)
        await expect_credit(w, height, traces=traces)


@pytest.mark.parametrize("traces", [True, False], ids=["traces", "reconciler"])
@pytest.mark.parametrize("place", ["code", "storage"])
async def test_case_14_internal_value_with_the_address_in_the_contract_alone(
    database: FreshDatabase, chain: AnvilChain, place: str, *, traces: bool
) -> None:
    """Searching calldata for our addresses, as SHKeeper does, misses both."""
    async with counted(database, chain, traces=traces) as w:
        contract = cases.fixed_forwarder if place == "code" else cases.stored_forwarder
        height = await paid(w, contract(w.assigned))
        await expect_credit(w, height, traces=traces)


@pytest.mark.parametrize("traces", [True, False], ids=["traces", "reconciler"])
async def test_case_15_self_destruction_in_favour_of_a_pool_address(
    database: FreshDatabase, chain: AnvilChain, *, traces: bool
) -> None:
    """The contract's last act is a payment."""
    async with counted(database, chain, traces=traces) as w:
        height = await paid(w, cases.self_destructor(w.assigned))
        await expect_credit(w, height, traces=traces)


async def test_case_19_payment_for_the_block_itself_is_nobodys(
    database: FreshDatabase, chain: AnvilChain
) -> None:
    """Fees of a block whose author is a pool address wait for an operator."""
    async with counted(database, chain) as w:
        await chain.rpc.call("anvil_setCoinbase", w.assigned)
        await chain.pay(await chain.fresh_address(), 1)
        await chain.rpc.call("anvil_setCoinbase", "0x" + "00" * 20)
        await w.settle()
        deposits = await w.balance_deposits()
        assert deposits
        assert {deposit.purpose for deposit in deposits} == {"unattributed"}
        assert await w.wallet("mer_1") == (0, 0)
        held = await chain.balance(w.assigned)
        assert await w.wallet("suspense") == (held, 0)
        assert (await w.figures()).chain_units == held


async def test_case_10_rebase_is_a_drift_and_credits_nobody(
    database: FreshDatabase, chain: AnvilChain
) -> None:
    """Token balances that move without a log hold payouts until they are right again."""
    token = await chain.create(cases.rebasing_token(chain.payer, SUPPLY, quiet=True))
    async with counted(database, chain, token=token) as w:
        await chain.pay(w.assigned, 3000 * 10**6, token)
        await w.settle()
        assert await w.holds() == []
        await chain.call(token, "rebase(uint256)", cases.WHOLE * 2)
        await w.settle()
        assert await w.holds() == [(USDC, "drift", "")]
        assert await w.drifts() == [(USDC, w.assigned, 3000 * 10**6)]
        assert await w.wallet("mer_1", USDC) == (3000 * 10**6, 0)
        await chain.call(token, "rebase(uint256)", cases.WHOLE)
        await w.settle()
        assert (await w.holds(), await w.drifts()) == ([], [])


async def test_peer_shkeeper_two_contract_payments_and_a_transfer_in_one_block_all_count(
    database: FreshDatabase, chain: AnvilChain
) -> None:
    """SHKeeper drops a second payment of a block, and a contract's beside a plain one."""
    async with counted(database, chain) as w:
        contracts = [await chain.create(cases.fixed_forwarder(w.assigned)) for _ in range(2)]
        await chain.set_mining(False)
        hashes = [await chain.transact(to=to, value="0x5") for to in contracts]
        hashes.append(await chain.transact(to=w.assigned, value="0x7"))
        await chain.mine()
        await chain.set_mining(True)
        assert len({await w.height_of(tx_hash) for tx_hash in hashes}) == 1
        await w.settle()
        units = {deposit.kind: deposit.units for deposit in await w.deposits()}
        assert units == {"native": 7, "balance": 10}


async def test_silent_payments_of_several_blocks_are_credited_each_in_its_own(
    database: FreshDatabase, chain: AnvilChain
) -> None:
    """Bisection finds the first; what is left is traced again."""
    async with counted(database, chain) as w:
        heights = []
        for units in (11, 13, 17):
            heights.append(await paid(w, cases.fixed_forwarder(w.assigned), units=units))
            await chain.mine(3)
        await w.settle()
        found = {each.block_height: each.units for each in await w.balance_deposits()}
        assert found == dict(zip(heights, (11, 13, 17), strict=True))
        assert (await w.figures()).chain_units == 41


async def test_multicall_and_single_calls_see_the_same(
    database: FreshDatabase, chain: AnvilChain
) -> None:
    """With the contract at its usual address from this block on, and before it."""
    async with counted(database, chain) as w:
        await paid(w, cases.fixed_forwarder(w.assigned), units=5)
        await chain.etch(multicall.ADDRESS, multicall.runtime())
        await paid(w, cases.fixed_forwarder(w.assigned), units=6)
        await chain.pay(w.assigned, 7, chain.token)
        await w.settle()
        assert sorted(each.units for each in await w.balance_deposits()) == [5, 6]
        assert (await w.figures(USDC)).chain_units == 7
        await chain.etch(multicall.ADDRESS, b"")


async def test_transfer_found_later_is_not_credited_beside_the_balance(
    database: FreshDatabase, chain: AnvilChain
) -> None:
    """A rescan with traces shows the payment that the reconciler has credited before."""
    async with counted(database, chain) as w:
        height = await paid(w, cases.fixed_forwarder(w.assigned))
        await w.settle()
        await w.rescan_with_traces(height)
        await w.settle()
        found = {each.kind: (each.status, each.reason) for each in await w.deposits()}
        assert found["balance"] == ("confirmed", None)
        assert found["internal"] == ("rejected", "counted_as_balance")
        refused = next(each for each in await w.deposits() if each.kind == "internal")
        assert await w.events(refused.id) == []
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        assert await w.holds() == []


async def test_balance_is_not_credited_beside_a_transfer_found_before(
    database: FreshDatabase, chain: AnvilChain
) -> None:
    """The other way round: the rescan came first."""
    async with counted(database, chain) as w:
        height = await paid(w, cases.fixed_forwarder(w.assigned))
        await w.bury()
        await w.rescan_with_traces(height)
        await w.settle()
        [deposit] = await w.deposits()
        assert (deposit.kind, deposit.status) == ("internal", "confirmed")
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)


async def test_nothing_is_credited_from_balances_while_the_network_is_halted(
    database: FreshDatabase, chain: AnvilChain
) -> None:
    """The nodes contradict what was final, so their balances are another chain's."""
    async with counted(database, chain) as w:
        await paid(w, cases.fixed_forwarder(w.assigned))
        await w.bury()
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(update(Cursor).values(halted="it was final"))
        await w.turn()
        assert await w.deposits() == []
        await w.settle()  # the next block builds on ours
        assert [deposit.kind for deposit in await w.deposits()] == ["balance"]
