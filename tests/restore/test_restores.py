"""PostgreSQL is put back to an older copy while payouts are under way: nobody is paid twice.

Withdrawals are asked for, a cold backup is taken at a seeded moment, payouts go on, and at
another moment the copy replaces the database. What was signed meanwhile is known to the keystore
and to the chain alone. `RESTORE_SEED=N` repeats a run; figures are printed (`pytest -s`).
"""

import asyncio
import os
from collections import Counter
from dataclasses import dataclass, field
from random import Random

import pytest

from devnet.system.waiting import until
from tests.campaign import Figures, is_long
from tests.conftest import folder_in_memory
from tests.crash.endings import require_books, units_of
from tests.crash.opening import KINDS, opened
from tests.crash.site import SECONDS_MAX, Process, Site
from tests.restore.copies import Copies, serving

pytestmark = [pytest.mark.anyio, pytest.mark.chain]

SEED = int(os.environ.get("RESTORE_SEED", "20261121"))
RESTORES, RESTORES_CAMPAIGN = 1, 34
"""Per chain: three in all, and a hundred and two in a campaign."""
PAYOUTS_MAX = 4
PAUSE_SECONDS_MAX = 0.3
ROAD = ("pending", "approved", "signing", "broadcast", "confirming", "completed")


@dataclass
class Payout:
    """One withdrawal and who is to be paid by it, once."""

    kind: str
    destination: str
    id: str


@dataclass
class Story:
    """What happened over all restores of one chain."""

    restores: int = 0
    payouts: int = 0
    forgotten: Counter[str] = field(default_factory=Counter)
    """By how they stood at the restore: payouts that the copy knew less about."""
    taken_over: int = 0
    lived_on: int = 0
    """Restores under a watcher that was not told."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Restore a few times per chain, many times in a campaign."""
    if "restores" in metafunc.fixturenames:
        count = RESTORES_CAMPAIGN if is_long(metafunc.config) else RESTORES
        metafunc.parametrize("restores", [count])


@pytest.mark.campaign
@pytest.mark.parametrize("family", ["ethereum", "tron", "solana"])
async def test_restored_database_pays_nobody_twice(
    family: str, restores: int, figures: Figures
) -> None:
    """Every destination holds its amount once, and the books end as the chain's."""
    dice, story = Random(f"{SEED}/{family}"), Story()
    with folder_in_memory() as folder, serving(folder) as copies:
        async with opened(family, copies.database) as site:
            for _ in range(restores):
                await _one(site, copies, dice, story)
    figures(f"{family}: seed {SEED}, {story}")
    assert story.restores == restores


async def _one(site: Site, copies: Copies, dice: Random, story: Story) -> None:
    """Ask, back up, go on, restore, and see it end."""
    payouts = [await _asked(site, dice) for _ in range(dice.randint(1, PAYOUTS_MAX))]
    approved = dice.randint(0, len(payouts))
    for payout in payouts[:approved]:
        await site.approve(payout.id)
    watcher = await site.start()
    if approved:
        await _come(site, payouts, dice, dice.randint(1, 4))
    await asyncio.to_thread(copies.back_up)
    copied = await _standing(site, payouts)
    await _approved(site, payouts)
    furthest = max(ROAD.index(status) for status in copied.values())
    await _come(site, payouts, dice, dice.randint(max(2, furthest), 5))
    before = await _standing(site, payouts)
    await _restored(copies, watcher, site, story, told=dice.random() < 0.5)
    story.restores += 1
    story.payouts += len(payouts)
    for id_, status in before.items():
        if copied[id_] != status:
            story.forgotten[status] += 1
    await _ended(site, payouts)
    story.taken_over += sum(process.words.count("taken over") for process in site.running)
    for payout in payouts:
        held = await site.chain.balance(payout.destination, site.asset(payout.kind))
        assert held == units_of(site, payout.kind), f"{payout}: {before[payout.id]}"
    await require_books(site)


async def _asked(site: Site, dice: Random) -> Payout:
    kind, destination = dice.choice(KINDS), await site.chain.fresh_address()
    asked = await site.request(kind, units_of(site, kind), destination)
    return Payout(kind, destination, asked)


async def _approved(site: Site, payouts: list[Payout]) -> None:
    for payout in payouts:
        if (await site.withdrawal(payout.id)).status == "pending":
            await site.approve(payout.id)


async def _standing(site: Site, payouts: list[Payout]) -> dict[str, str]:
    return {payout.id: (await site.withdrawal(payout.id)).status for payout in payouts}


async def _come(site: Site, payouts: list[Payout], dice: Random, step: int) -> None:
    """Wait until the first of them has come so far on its road, and a moment more."""

    async def there() -> bool | None:
        site.require_alive()
        standing = (await _standing(site, payouts)).values()
        furthest = max(ROAD.index(status) for status in standing)
        if furthest >= step:
            return True
        if ROAD[furthest] in {"broadcast", "confirming"}:
            await site.chain.mine(1 if step == ROAD.index("confirming") else site.family.depth)
        return None

    await until(there, f"{ROAD[step]}: {payouts}", seconds_max=SECONDS_MAX)
    await asyncio.sleep(dice.uniform(0, PAUSE_SECONDS_MAX))


async def _restored(
    copies: Copies, watcher: Process, site: Site, story: Story, *, told: bool
) -> None:
    """Restore, under a stopped watcher or a living one, and have one running afterwards."""
    if told:
        site.stop()
    await asyncio.to_thread(copies.restore)
    if not told and watcher.child.poll() is None:
        story.lived_on += 1
    if told:
        await site.start()


async def _ended(site: Site, payouts: list[Payout]) -> None:
    """Approve again what the copy says is pending, and wait; a fallen watcher is started again."""

    async def done() -> bool | None:
        for process in [each for each in site.running if each.child.poll() is not None]:
            assert "LeaseLost" not in process.words, process.last_words
            site.running.remove(process)
            await site.start()
        await _approved(site, payouts)
        standing = set((await _standing(site, payouts)).values())
        assert not standing & {"failed", "rejected", "canceled"}, standing
        await site.chain.mine(site.family.depth)
        return standing == {"completed"} or None

    await until(done, f"the end of {payouts}", seconds_max=SECONDS_MAX * 2)
