"""A node that calls the gas wallet empty does not empty the hot wallet into it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from gateway.db import CROSS_TENANT
from gateway.models import AddressDrift
from tests.keystore.house import House
from tests.watchers.sweep_world import SweepWorld, own_keystore
from tests.watchers.test_sweep_promises import ETHER, w
from watchers.network import ChainReader, Refused
from watchers.outgoing import Outgoing
from watchers.reconcile import outcome

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
__all__ = ["w"]


@pytest.fixture
def keystore() -> Iterator[tuple[House, str]]:
    """Run a keystore process for the test, with its pool key."""
    with own_keystore() as made:
        yield made


@dataclass
class CallsEmpty:
    """A node that tells the truth of everything but one balance."""

    honest: ChainReader
    address: str

    async def balance(self, address: str, asset: str) -> int:
        """Say 0 of it."""
        return 0 if address == self.address else await self.honest.balance(address, asset)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.honest, name)


async def test_what_a_node_says_of_the_gas_wallet_is_held_against_our_own_rows(
    w: SweepWorld,
) -> None:
    """It lacks half a coin once; from then on our rows find enough there, and it is an alarm."""
    hot, gas = await w.address("hot"), await w.address("gas")
    await w.receive((hot, 2 * ETHER, "native"))
    upkeep = w.sweeping.upkeep
    lying: Any = CallsEmpty(upkeep.chain.reader, gas)
    upkeep.chain = replace(upkeep.chain, reader=lying)
    for _ in range(3):
        await upkeep.round()
        for _ in range(6):
            await w.turn()
    [refill] = await w.attempts("refill")
    assert (refill.state, int(refill.intent["units"])) == ("succeeded", ETHER // 2)
    assert await w.chain.balance(gas) == ETHER * 6 // 10
    assert "our own rows say" in upkeep._told["refill"]
    await w.agreed()


async def test_a_gas_wallet_that_lost_money_is_an_alarm_until_an_operator_bears_it(
    w: SweepWorld,
) -> None:
    """Its health says so, with the command; a drift that is not borne fills nothing."""
    hot, gas = await w.address("hot"), await w.address("gas")
    await w.receive((hot, 2 * ETHER, "native"), (gas, ETHER, "native"))
    upkeep = w.sweeping.upkeep
    lying: Any = CallsEmpty(upkeep.chain.reader, gas)
    upkeep.chain = replace(upkeep.chain, reader=lying)
    outgoing = Outgoing(w.scanner, w.payouts, w.sweeping, sweeps=True)
    missing = await w.chain.balance(gas)
    with pytest.raises(Refused, match=f"watchers reconcile {w.name} --resume {w.coin}"):
        await outgoing.sweep()
    native = next(each for each in w.currencies if each.id == w.coin)
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        await outcome.note(session, native, gas, -missing, "holds less than our rows say")
    with pytest.raises(Refused, match="our own rows say"):
        await outgoing.sweep()
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        assert await outcome.acknowledge(session, w.coin) == {gas: str(-missing)}
    await outgoing.sweep()
    assert [each.state for each in await w.attempts("refill")] == ["prepared"]
    [drift] = await w.rows(AddressDrift)
    assert drift.acknowledged_units == -missing
