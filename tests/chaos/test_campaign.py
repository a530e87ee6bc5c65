"""Payments flow while every third call to a node fails or lies: the books equal the chain.

Two nodes in front of one chain, both bad, one of them a liar; deposits have to be shown by both.
Afterwards the nodes are good, the range is read once more, as an operator would have it done,
and every payment is credited once, to the unit, and nothing else.
The same seed bends the same calls; seed and figures are told at the end.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from devnet import anvil, surfpool, tron
from devnet.chain import NATIVE, LocalChain
from devnet.system.waiting import until
from tests.campaign import Figures, is_long
from tests.chaos.edits import CAN_LIE, Loot
from tests.chaos.faults import Fault, first_of, none_at_all, only, seeded
from tests.chaos.proxy import Chaos, chaos
from tests.chaos.world import Watched, watched
from tests.conftest import FreshDatabase
from watchers.networks.tron.address import to_hex
from watchers.providers.capabilities import TRACES, leaving_out
from watchers.scan.reorg import SECONDS_BETWEEN_SIGHTINGS
from watchers.scan.rescan import Rescan

pytestmark = pytest.mark.anyio

FAULTED_CALLS, FAULTED_CALLS_CAMPAIGN = 200, 10_000
FIRST_SEED = 3_000
RATE = 0.35
ADDRESSES = 12
HASTE = 20
AHEAD_BLOCKS_MAX = 12
SETTLING_SECONDS = 300.0


@dataclass(frozen=True)
class Family:
    """How to start a chain, what a payment is at least, and how many blocks bury one.

    What the nodes could offer and is `left_out` here is not used.
    """

    start: Callable[[], AbstractAsyncContextManager[Any]]
    units: int
    depth: int
    left_out: str = ""


FAMILIES = {
    "anvil": Family(anvil.running, 10**6, 6),
    "tron": Family(tron.running, 10**6, 5),
    "surfpool": Family(lambda: surfpool.running(slot_ms=400), 10**6, 40),
    "without traces": Family(anvil.running, 10**6, 6, TRACES),
}


@dataclass
class Payments:
    """What was really paid, by address and asset."""

    chain: LocalChain
    addresses: list[str]
    dice: Random
    made: dict[str, tuple[str, str, int]]
    least: int

    async def one(self) -> None:
        """Pay somebody something, and remember it."""
        to = self.dice.choice(self.addresses)
        asset = self.dice.choice([NATIVE, self.chain.token])
        units = self.least + self.dice.randrange(1, 10**6)
        self.made[await self.chain.pay(to, units, asset)] = (to, asset, units)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One run per family; a campaign makes it long."""
    if "faulted" in metafunc.fixturenames:
        calls = FAULTED_CALLS_CAMPAIGN if is_long(metafunc.config) else FAULTED_CALLS
        metafunc.parametrize("faulted", [calls])


@pytest.mark.campaign
@pytest.mark.parametrize("family", sorted(FAMILIES))
async def test_faulted_calls_neither_invent_nor_lose_a_credit(
    database: FreshDatabase, family: str, faulted: int, figures: Figures
) -> None:
    """No wrong credit, no lost credit, and the run ends settled."""
    setup, seed = FAMILIES[family], FIRST_SEED + sorted(FAMILIES).index(family)
    options: dict[str, Any] = {"rate": RATE, "retry_after_s": 1, "delay_s": 0.02}
    async with (
        setup.start() as chain,
        chaos(chain.url, seed=seed, **options) as liar,
        chaos(chain.url, seed=seed + 100, **options) as other,
        watched(
            chain,
            database,
            [liar.url, other.url],
            addresses=ADDRESSES,
            hysteresis_s=SECONDS_BETWEEN_SIGHTINGS / HASTE,
            quorum_above="0",
            haste=HASTE,
        ) as world,
    ):
        liar.loot = loot(chain, world)
        lies = only(seeded(seed + 200, RATE, [Fault.LIE]), *CAN_LIE)
        liar.plan = first_of(lies, liar.plan)
        first = world.scanner.position.height + 1
        payments = Payments(chain, list(world.addresses), Random(seed), {}, setup.units)
        with leaving_out(setup.left_out):
            await storm(world, payments, [liar, other], faulted)
            liar.plan = other.plan = none_at_all
            await settled(world, setup, first)
        figures(_told(family, seed, world, payments, [liar, other]))
        await compare(world, payments)


def loot(chain: LocalChain, world: Watched) -> Loot:
    """Let lies enrich our own invoices."""
    if chain.family == "tron":
        return Loot([to_hex(address) for address in world.addresses])
    return Loot(list(world.addresses), chain.token)


async def storm(world: Watched, payments: Payments, nodes: list[Chaos], faulted: int) -> None:
    """Scan and pay side by side until so many calls were bent."""
    scanner = world.scanner

    def enough() -> bool:
        return sum(node.faulted for node in nodes) >= faulted

    async def abreast() -> bool | None:
        behind = scanner.tip.head - scanner.position.height
        return behind <= AHEAD_BLOCKS_MAX or enough() or None

    async def pay() -> None:
        while not enough():
            await payments.one()
            await world.chain.mine(payments.dice.randrange(3))
            # Otherwise most blocks would be left for the good nodes at the end.
            await until(abreast, "the scan to follow", seconds_max=SETTLING_SECONDS)

    paying = asyncio.create_task(pay())
    try:
        while not paying.done():
            await world.step()
        await paying
    finally:
        paying.cancel()


async def settled(world: Watched, setup: Family, first: int) -> None:
    """Bury the last payment, read everything again from good nodes, credit it."""
    head = await world.head()
    await world.chain.mine(setup.depth)
    await world.final(head, seconds_max=SETTLING_SECONDS)
    rescan = Rescan(world.scanner, lambda _line: None, asyncio.sleep)
    await rescan.run(first, world.scanner.position.height)
    await world.chain.mine(setup.depth)
    later = await world.head()
    await world.chain.mine(setup.depth)
    await world.final(later, seconds_max=SETTLING_SECONDS)


async def compare(world: Watched, payments: Payments) -> None:
    """Demand that what is credited is what was paid: each payment, its receiver, its amount."""
    native, token = (each.id for each in world.scanner.currencies)
    if world.scanner.currencies[0].contract is not None:
        native, token = token, native
    paid = {
        (tx_hash, to, native if asset == NATIVE else token, units)
        for tx_hash, (to, asset, units) in payments.made.items()
    }
    deposits = await world.deposits()
    credited = {
        (each.tx_hash, each.address, each.currency_id, int(each.units))
        for each in deposits
        if each.status == "confirmed"
    }
    assert credited - paid == set()
    assert paid - credited == set()
    assert len(credited) == sum(each.status == "confirmed" for each in deposits)
    totals: Counter[str] = Counter()
    for _, _, currency_id, units in paid:
        totals[currency_id] += units
    assert await world.credited() == dict(totals)
    assert await world.sum_is_zero()


def _told(
    family: str, seed: int, world: Watched, payments: Payments, nodes: list[Chaos]
) -> str:
    """Say what was done, so that the figures can be quoted and the run repeated."""
    counts = sum((node.counts for node in nodes), Counter())
    kinds = ", ".join(f"{fault} {count}" for fault, count in sorted(counts.items()))
    return (
        f"{family}: seed {seed}, {sum(node.calls for node in nodes)} calls, "
        f"{counts.total()} faulted ({kinds}); {len(payments.made)} payments, "
        f"{world.stumbles} troubled steps, height {world.scanner.position.height}"
    )
