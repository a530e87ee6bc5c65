"""A node that calls the gas wallet empty does not empty the hot wallet into it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.keystore.house import House
from tests.watchers.sweep_world import SweepWorld, own_keystore
from tests.watchers.test_sweep_promises import ETHER, w
from watchers.network import ChainReader

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
