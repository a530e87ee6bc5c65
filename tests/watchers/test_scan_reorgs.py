"""Reorganisations above finality on anvil: what is seen may change, what is money may not."""

import pytest

from devnet.anvil import AnvilChain
from devnet.contracts.assembly import assemble
from tests.conftest import FreshDatabase
from tests.watchers.real_world import RealWorld, ethereum_world
from tests.watchers.world import DUE_UNITS, ETH
from watchers.scan.reorg import FinalityBroken

pytestmark = [pytest.mark.anyio, pytest.mark.chain]

NUMBERED = assemble(
    """
    NUMBER 0 MSTORE
    NUMBER 1 AND 32 MUL CALLDATALOAD CALLER $Transfer(address,address,uint256) 32 0 LOG3
    STOP
    """
)
"""Logs a transfer of as many units as its block's number, to the first or second word given."""


def words(*addresses: str) -> str:
    """Return call data of addresses alone."""
    return "0x" + "".join(address.removeprefix("0x").rjust(64, "0") for address in addresses)


def anvil_of(w: RealWorld) -> AnvilChain:
    """Return the chain with its levers."""
    assert isinstance(w.chain, AnvilChain)
    return w.chain


async def bury(w: RealWorld) -> None:
    """Make everything final."""
    await w.chain.mine(6)
    await w.scan()


async def test_case_24_transaction_that_moves_to_another_block_is_the_same_deposit(
    database: FreshDatabase,
) -> None:
    """Same deposit, another sighting, one credit; its log has another place in the block."""
    async with ethereum_world(database) as w:
        chain = anvil_of(w)
        other = await chain.send(await chain.fresh_address(), 5, chain.token)
        tx_hash = await chain.send(w.pool[0], 3000 * 10**6, chain.token)
        await chain.mine(2)
        await w.scan()
        [before] = await w.deposits()

        await chain.reorg(2, [(other, 0), (tx_hash, 1)])
        await chain.mine()
        await w.scan()
        await bury(w)

        [deposit] = await w.deposits()
        assert (deposit.id, deposit.tx_hash, deposit.ordinal) == (before.id, tx_hash, 0)
        assert {each.block_hash: each.orphaned for each in await w.sightings()} == {
            before.block_hash: True,
            deposit.block_hash: False,
        }
        assert deposit.block_height == before.block_height + 1
        assert (await w.wallets())["mer_1", "USDC-ETHEREUM"] == 3000 * 10**6
        assert (await w.invoice()).status == "settled"


async def test_case_25_transaction_that_vanishes_steps_the_invoice_back(
    database: FreshDatabase,
) -> None:
    """Dropped: the deposit is `reorged`, the merchant hears of it, no money ever moved."""
    async with ethereum_world(database) as w:
        chain = anvil_of(w)
        await chain.send(w.pool[0], DUE_UNITS)
        await chain.mine()
        await w.scan()
        assert (await w.invoice()).status == "processing"

        await chain.reorg(1)
        await chain.mine(2)
        await w.scan()

        [deposit] = await w.deposits()
        assert deposit.status == "reorged"
        assert (await w.events(deposit.id))[-1] == "deposit.reorged"
        assert (await w.invoice()).status == "pending"
        await bury(w)
        assert await w.wallets() == {}


async def test_case_26_replaced_transaction_is_dropped_and_the_other_judged_by_itself(
    database: FreshDatabase,
) -> None:
    """A double spend pays somebody else: the payer's invoice gets nothing, the other all."""
    async with ethereum_world(database) as w:
        chain = anvil_of(w)
        first = await chain.send(w.pool[0], DUE_UNITS)
        await chain.mine()
        await w.scan()
        await chain.reorg(1)
        second = await chain.send(w.pool[1], DUE_UNITS - 1)
        await chain.mine()
        await w.scan()
        await bury(w)

        states = {each.tx_hash: (each.status, each.units) for each in await w.deposits()}
        assert states == {
            first: ("reorged", DUE_UNITS),
            second: ("confirmed", DUE_UNITS - 1),
        }
        assert ("mer_1", ETH) not in await w.wallets()
        assert await w.credited() == await w.on_chain()


async def test_case_27_the_same_transaction_with_another_amount_counts_as_it_stands(
    database: FreshDatabase,
) -> None:
    """A call that ends differently in its new block: the new amount, once."""
    async with ethereum_world(database) as w:
        chain = anvil_of(w)
        await chain.etch(chain.token, NUMBERED)
        await chain.mine()
        tx_hash = await chain.transact(
            to=chain.token, data=words(w.pool[0], w.pool[0]), gas=hex(100_000)
        )
        await chain.mine(2)
        await w.scan()
        [before] = await w.deposits()
        assert before.units == before.block_height

        await chain.reorg(2, [(tx_hash, 1)])
        await chain.mine()
        await w.scan()
        await bury(w)

        [deposit] = await w.deposits()
        assert (deposit.id, deposit.status) == (before.id, "confirmed")
        assert deposit.units == before.units + 1
        assert (await w.wallets())["mer_1", "USDC-ETHEREUM"] == before.units + 1


async def test_case_27_the_same_transaction_that_pays_another_address_credits_that_one(
    database: FreshDatabase,
) -> None:
    """A call whose recipient hangs on its block: who was paid first gets nothing."""
    async with ethereum_world(database) as w:
        chain = anvil_of(w)
        await chain.etch(chain.token, NUMBERED)
        await chain.mine()
        tx_hash = await chain.transact(
            to=chain.token, data=words(w.pool[0], w.pool[1]), gas=hex(100_000)
        )
        await chain.mine(2)
        await w.scan()
        [before] = await w.deposits()

        await chain.reorg(2, [(tx_hash, 1)])
        await chain.mine()
        await w.scan()
        await bury(w)

        [deposit] = await w.deposits()
        assert {before.address, deposit.address} == set(w.pool[:2])
        owner = "mer_1" if deposit.address == w.pool[0] else "suspense"
        paid = {account for account, _ in await w.wallets()}
        assert paid == {owner, "custody"}


async def test_case_28_reorganisation_below_finality_stops_the_network(
    database: FreshDatabase,
) -> None:
    """It says so, moves nothing, stays stopped after a restart, and payouts wait."""
    async with ethereum_world(database) as w:
        chain = anvil_of(w)
        await chain.send(w.pool[0], DUE_UNITS)
        await chain.mine(2)
        await bury(w)
        money = await w.wallets()
        assert w.scanner.may_pay

        await chain.reorg(8)
        await chain.mine()
        for _ in range(3):
            with pytest.raises(FinalityBroken):
                await w.scan()

        assert not w.scanner.may_pay
        assert "was final" in (w.scanner.position.halted or "")
        assert await w.wallets() == money
