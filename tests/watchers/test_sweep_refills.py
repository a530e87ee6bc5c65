"""A node that calls the gas wallet empty does not empty the hot wallet into it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import update
from structlog.testing import capture_logs

from gateway.db import CROSS_TENANT
from gateway.models import AddressDrift, Attempt
from gateway.settings import AssetSettings
from keystore import api
from keystore.client import KeystoreClient, KeystoreRefused
from tests.keystore.house import House
from tests.watchers.sweep_world import SweepWorld, own_keystore
from tests.watchers.test_sweep_promises import ETHER, w
from watchers.chain import asset_of
from watchers.clock import now
from watchers.network import NATIVE, ChainReader, Refused
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


class Reluctant(KeystoreClient):
    """A keystore that refuses what moves one asset."""

    def __init__(self, socket: Path) -> None:
        super().__init__(socket)
        self.refused, self.asked = set[str](), 0

    async def sign(self, intent: Any, **kwargs: Any) -> api.Signed:
        """Refuse, or ask the real one."""
        if intent["asset"] in self.refused:
            self.asked += 1
            raise KeystoreRefused("blocked", "not this one")
        return await super().sign(intent, **kwargs)


async def test_a_refill_that_the_keystore_refuses_rests_before_it_is_asked_for_again(
    w: SweepWorld, keystore: tuple[House, str]
) -> None:
    """Each try is a row of its journal: one a minute, said once, and carried out when it agrees."""
    await w.receive((await w.address("hot"), 2 * ETHER, "native"))
    async with Reluctant(keystore[0].socket) as reluctant:
        w.payouts.hands.keystore, reluctant.refused = reluctant, {NATIVE}
        with capture_logs() as logs:
            for _ in range(4):
                await w.sweeping.upkeep.round()
                await w.payouts.round()
        assert [each.state for each in await w.attempts("refill")] == ["refused"]
        assert reluctant.asked == 1
        reasons = [each["reason"] for each in logs if each["event"] == "waiting"]
        assert reasons == ["keystore: blocked: not this one"]
        reluctant.refused = set()
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            long_ago = now().at - timedelta(minutes=2)
            await session.execute(update(Attempt).values(ended_at=long_ago))
        await w.sweeping.upkeep.round()
        await w.turn(sweep=False)
    assert [each.state for each in await w.attempts("refill")] == ["refused", "succeeded"]


async def test_cold_storage_of_one_asset_does_not_wait_for_another_that_is_refused(
    w: SweepWorld, keystore: tuple[House, str]
) -> None:
    """While the one that is looked at first rests, the other goes."""
    first, second = map(asset_of, w.currencies)
    hot, token, upkeep = await w.address("hot"), w.chain.token, w.sweeping.upkeep
    coin = AssetSettings(code="ETH", decimals=18, hot_ceiling="2")
    tokens = AssetSettings(code="TUSD", decimals=6, contract=token, hot_ceiling="100")
    upkeep.settings = structs.replace(upkeep.settings, assets=[coin, tokens])
    await w.receive(
        (await w.address("gas"), ETHER, "native"),
        (hot, 5 * ETHER, "native"),
        (hot, 10**9, token),
    )
    async with Reluctant(keystore[0].socket) as reluctant:
        w.payouts.hands.keystore, reluctant.refused = reluctant, {first}
        for _ in range(3):
            await w.sweeping.upkeep.round()
            await w.payouts.round()
    begun = [(each.intent["asset"], each.state) for each in await w.attempts("cold")]
    assert begun == [(first, "refused"), (second, "signed")]
