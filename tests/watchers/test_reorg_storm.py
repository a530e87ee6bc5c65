"""Payments flow while the chain changes its mind again and again: ledger and chain end equal.

`STORM_SEED=N pytest tests/watchers/test_reorg_storm.py` repeats a run; the seed is told at the end.
"""

import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from random import Random

import pytest

from devnet.anvil import AnvilChain
from devnet.tron.local import TronChain
from gateway.db import CROSS_TENANT
from tests.campaign import Figures
from tests.conftest import FreshDatabase
from tests.watchers.real_world import (
    TRON_SOLID_LAG,
    RealWorld,
    ethereum_world,
    scanner_of,
    tron_world,
)
from watchers import store

pytestmark = [pytest.mark.anyio, pytest.mark.chain, pytest.mark.timeout(1800)]

FIRST_SEED = int(os.environ.get("STORM_SEED", "20261121"))
REORGS, PAYMENTS = 200, 500
REORGS_SHORT, PAYMENTS_SHORT = 10, 25
UNITS_MAX = 10**6
RESTART_CHANCE = 0.05
ANVIL_DEPTH_MAX = 3
"""Blocks that are not final there."""


@dataclass
class Storm:
    """One run: what is still to come, and what happened."""

    w: RealWorld
    random: Random
    reorgs: int
    payments: int
    sent: int = 0
    done: int = 0
    deepest: int = 0
    recent: list[str] = field(default_factory=list)

    async def rage(self, turn: "Turn") -> None:
        """Let payments and reorganisations follow one another; look at the chain in between."""
        while self.done < self.reorgs or self.sent < self.payments:
            await self._pay()
            await self.w.chain.mine(self.random.randint(1, 2))
            await self._look()
            if self.done < self.reorgs:
                self.deepest = max(self.deepest, await turn(self))
                self.done += 1
                await self.w.chain.mine()
            await self._look()
        await self.w.chain.mine(12)
        await self.w.scan()

    async def _pay(self) -> None:
        left = self.payments - self.sent
        wanted = min(left, self.random.choice((2, 2, 3, 3, 4)))
        self.recent.clear()
        for _ in range(wanted):
            to = self.random.choice(self.w.pool)
            asset = self.random.choice(("native", self.w.chain.token))
            units = self.random.randint(1, UNITS_MAX)
            assert isinstance(self.w.chain, AnvilChain | TronChain)
            self.recent.append(await self.w.chain.send(to, units, asset))
            self.sent += 1

    async def _look(self) -> None:
        """Scan a little, or a lot, or die and begin again."""
        if self.random.random() < RESTART_CHANCE:
            async with self.w.database.unit_of_work(CROSS_TENANT) as session:
                await store.release_lease(session, self.w.scanner.position)
            await self.w.scanner.aclose()
            self.w.scanner = await scanner_of(self.w.database, self.w.reader)
        for _ in range(self.random.randint(0, 3)):
            await self.w.scanner.step()


Turn = Callable[[Storm], Awaitable[int]]


async def turn_anvil(storm: Storm) -> int:
    """Replace blocks; a part of the newest payments stays, in another block, the rest is spent anew."""
    chain = storm.w.chain
    assert isinstance(chain, AnvilChain)
    depth = storm.random.randint(1, ANVIL_DEPTH_MAX)
    before = int(await chain.rpc.call("eth_getTransactionCount", chain.payer, "latest"), 16)
    # The payer's nonces must stay without a gap: what is kept are the first of them.
    kept = await _undone(chain, depth)
    kept = kept[: storm.random.randint(0, len(kept))]
    offsets = sorted(storm.random.randrange(depth) for _ in kept)
    await chain.reorg(depth, list(zip(kept, offsets, strict=True)))
    after = int(await chain.rpc.call("eth_getTransactionCount", chain.payer, "latest"), 16)
    assert after <= before
    return depth


async def _undone(chain: AnvilChain, depth: int) -> list[str]:
    """Return the transactions of the newest blocks in the order of their nonces."""
    head = int(await chain.rpc.call("eth_blockNumber"), 16)
    found = []
    for height in range(head - depth + 1, head + 1):
        block = await chain.rpc.call("eth_getBlockByNumber", hex(height), False)  # noqa: FBT003
        found += block["transactions"]
    return found


async def turn_tron(storm: Storm) -> int:
    """Replace blocks; their payments are dropped or return later."""
    chain = storm.w.chain
    assert isinstance(chain, TronChain)
    depth = storm.random.randint(1, TRON_SOLID_LAG - 1)
    drop = storm.random.random() < 0.4
    await chain.reorg(depth, drop=drop, delay=storm.random.randint(0, 2))
    return depth


WORLDS: dict[
    str, tuple[Callable[[FreshDatabase], AbstractAsyncContextManager[RealWorld]], Turn]
] = {
    "anvil": (ethereum_world, turn_anvil),
    "tron": (tron_world, turn_tron),
}


@pytest.mark.campaign
@pytest.mark.parametrize("name", list(WORLDS))
async def test_reorg_storm_ends_with_the_ledger_of_the_final_chain(
    database: FreshDatabase, name: str, long: bool, figures: Figures
) -> None:
    """Every address holds what was credited to it, and the books balance."""
    world, turn = WORLDS[name]
    async with world(database) as w:
        storm = Storm(
            w,
            Random(FIRST_SEED),
            REORGS if long else REORGS_SHORT,
            PAYMENTS if long else PAYMENTS_SHORT,
        )
        await storm.rage(turn)

        credited = await w.credited()
        deposits = await w.deposits()
        reorged = sum(each.status == "reorged" for each in deposits)
        figures(
            f"{name}: seed {FIRST_SEED}, {storm.done} reorganisations up to {storm.deepest} deep, "
            f"{storm.sent} payments, {len(deposits)} deposits, {reorged} of them dropped, "
            f"{len(await w.sightings())} sightings"
        )
        assert credited == await w.on_chain()
        assert not [each for each in deposits if each.status == "pending"]
        _require_balanced(await w.wallets(), credited)


def _require_balanced(
    wallets: dict[tuple[str, str], int], credited: dict[tuple[str, str], int]
) -> None:
    """Compare merchant and suspense with what was credited, and custody with both."""
    for currency in {currency for _, currency in credited}:
        owed = sum(units for (_, name), units in credited.items() if name == currency)
        held = sum(
            units
            for (account, name), units in wallets.items()
            if name == currency and account != "custody"
        )
        assert held == owed == -wallets["custody", currency]
