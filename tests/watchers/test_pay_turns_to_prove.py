"""Whose end is proved next, and on which chain: blocks that our scan followed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from gateway.db import CROSS_TENANT
from gateway.models import Attempt
from tests.conftest import FreshDatabase
from tests.watchers.sealed_chain import SealedChain
from tests.watchers.world import NETWORK, World, world
from watchers import store
from watchers.clock import now
from watchers.health import SETTLE, Health
from watchers.network import Block, BlockRef, Incomplete
from watchers.scan.ends import LOOKED_AT, STRANGE, UNSEEN, Ends
from watchers.seals import Seal, Sealed

pytestmark = pytest.mark.anyio
ANCHOR, LIFE, TOP = 200, 10, 260
PRUNED, STUCK, LOOKS = 100, 25, 5


@dataclass
class Pruned(SealedChain):
    """A chain of which the node has only the newest blocks left."""

    async def seal(self, height: int) -> Seal:
        """Return a header, or none."""
        if height < PRUNED:
            raise Incomplete(f"block {height}: pruned")
        return await SealedChain.seal(self, height)

    async def sealed(self, height: int) -> Sealed:
        """Return a block, or none."""
        await self.seal(height)
        return await SealedChain.sealed(self, height)


@pytest.fixture
async def scanned(database: FreshDatabase) -> AsyncIterator[tuple[World, Pruned]]:
    """Give a chain that was scanned, and whose old blocks are gone."""
    served = Pruned()
    served.mine(TOP)
    async with world(database) as w:
        w.scanner.seals = served
        await remember(w, [each.seal.ref for each in served.blocks[1:]])
        yield w, served


async def remember(w: World, refs: list[BlockRef]) -> None:
    """Keep blocks as passed."""
    async with w.database.unit_of_work(CROSS_TENANT) as session:
        await store.add_blocks(session, NETWORK, [Block(each, ()) for each in refs], now().at)


def named(attempt: Attempt, number: int) -> tuple[tuple[str, str | None], Attempt]:
    """Return an attempt of another id."""
    attempt.id = f"att_{number}"
    return (attempt.id, None), attempt


async def looked(ends: Ends, of: dict[tuple[str, str | None], Attempt], final: int) -> None:
    """Look as when the time has come."""
    ends._doubts |= {
        end: UNSEEN for end in of if end not in ends._doubts | dict.fromkeys(ends._sure)
    }
    await ends._look(of, final)


async def test_what_cannot_be_proved_keeps_nobody_else_from_it(
    scanned: tuple[World, Pruned],
) -> None:
    """Five blocks are asked for in vain for each; the last in line has its turn too."""
    w, served = scanned
    ends = Ends(w.scanner)
    waiting = dict(
        named(served.attempt(ANCHOR if number == STUCK else 1 + number, LIFE), number)
        for number in range(STUCK + 1)
    )
    last = (f"att_{STUCK}", None)
    for _ in range(LOOKS):
        await looked(ends, waiting, TOP - 1)
    assert ends._sure == {last}
    assert set(ends._doubts) == waiting.keys() - {last}
    assert all("pruned" in told for told in ends._doubts.values())


async def test_a_crowd_is_looked_at_in_parts(scanned: tuple[World, Pruned]) -> None:
    """What costs milliseconds each must not stop the scan for seconds."""
    w, served = scanned
    ends = Ends(w.scanner)
    waiting = dict(
        named(served.attempt(TOP + 1 - LIFE, -LIFE), number) for number in range(2 * LOOKED_AT)
    )
    for attempt in waiting.values():
        attempt.intent = {}
    await looked(ends, waiting, TOP - 1)
    told = [reason for reason in ends._doubts.values() if reason != UNSEEN]
    assert len(told) == LOOKED_AT
    await looked(ends, waiting, TOP - 1)
    assert UNSEEN not in ends._doubts.values()


async def test_a_reference_that_our_scan_did_not_pass_proves_nothing(
    scanned: tuple[World, Pruned],
) -> None:
    """Whoever makes up a chain in which such a block stands would have had to show it to us."""
    w, served = scanned
    forged = Pruned(served.branch(ANCHOR - 5).blocks)
    forged.mine(ends={"ff" * 32: True})
    forged.mine(TOP)
    w.scanner.seals = forged
    ends = Ends(w.scanner)
    made_up = dict([named(forged.attempt(ANCHOR, LIFE), 1)])
    await looked(ends, made_up, TOP - 1)
    assert list(ends._doubts.values()) == [
        f"None: {made_up['att_1', None].tx_hash} is not settled: {STRANGE}"
    ]
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        row = await store.block_at_or_below(session, NETWORK, ANCHOR)
        assert row is not None
        row.orphaned = True
    await looked(ends, made_up, TOP - 1)
    assert f"{STRANGE}; " in ends._doubts["att_1", None]
    await remember(w, [forged.ref(ANCHOR)])
    await looked(ends, made_up, TOP - 1)
    assert not ends._doubts


async def test_a_reference_at_no_height_of_a_chain_is_none_that_our_scan_passed(
    scanned: tuple[World, Pruned],
) -> None:
    """A node names any id; one above all that is final is none, whoever says so."""
    w, served = scanned
    ends = Ends(w.scanner)
    waiting = dict([named(served.attempt(ANCHOR, LIFE), 1)])
    waiting["att_1", None].intent["ref_block_id"] = "ff" * 32
    await looked(ends, waiting, TOP - 1)
    assert ends._doubts["att_1", None].endswith(STRANGE), "no other node may say otherwise"


def test_what_waits_to_be_settled_takes_no_payment_method_away() -> None:
    """A payout that a merchant made fail is no reason to take no deposits."""
    health = Health()
    health.say(SETTLE, "blocks are read")
    [told] = health.others().values()
    health.say(SETTLE, "more blocks are read")
    assert health.trouble is None
    assert health.others() == {SETTLE: {**told, "reason": "more blocks are read"}}
    health.say(SETTLE, None)
    assert health.others() == {}
