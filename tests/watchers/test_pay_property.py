"""Whatever the chain takes, whenever we die: one payment or none, and books that agree.

The chain may include any one of an order's transactions that ever left the house, at any time
and in any interleaving with fee bumps, cancels, deaths of the process and reorganisations.
"""

import itertools
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import strategies as st

from gateway.models import Attempt
from keystore import api
from keystore.client import KeystoreClient
from tests.conftest import FreshDatabase
from tests.fakes.network import Broadcast
from tests.keystore.house import House
from tests.watchers.test_pay_outbids import ask_cancel
from tests.watchers.test_payouts import BALANCE, DESTINATION, Desk, desk, keystore_house
from watchers.network import NodeUnavailable
from watchers.pay.cancels import NotCanceled

UNITS = 10**15
EXAMPLES, EXAMPLES_CAMPAIGN = 6, 150
ROUNDS_MAX = 12
__all__ = ["keystore_house"]
numbers = itertools.count(1)


class Died(Exception):
    """The process ended here."""


class DyingKeystore(KeystoreClient):
    """Signs and remembers; the answer never arrives."""

    async def sign(self, *args: Any, **kwargs: Any) -> api.Signed:
        """Ask, and die with the answer."""
        await super().sign(*args, **kwargs)
        raise Died


class Play:
    """One order's life, as the drawn actions have it."""

    def __init__(self, d: Desk, socket: Any) -> None:
        self.d, self.socket, self.id = d, socket, ""

    async def begin(self) -> None:
        """Ask for one payment."""
        self.d.world.chain.pool.clear()
        self.d.writer.manner = Broadcast.DROP
        self.before = await self.d.world.chain.balance(DESTINATION)
        self.id = await self.d.request(next(numbers), units=UNITS)

    async def order(self) -> list[Attempt]:
        """Return this order's transactions by place."""
        return [each for each in await self.d.attempts() if each.order_id == self.id]

    async def round(self) -> None:
        """Let a payer's round pass; what is due is sent."""
        await self.d.rest()
        await self.d.payouts.round()

    async def die(self) -> None:
        """Lose the keystore's answer and the process with it."""
        good = self.d.payouts.keystore
        async with DyingKeystore(self.socket) as dying:
            self.d.payouts.hands.keystore = dying
            try:
                await self.d.payouts.round()
            except Died:
                pass
            finally:
                self.d.payouts.hands.keystore = good
        self.d.again()

    async def wait(self) -> None:
        """Let blocks pass that take nothing."""
        self.d.world.chain.mine_only([])
        await self.d.world.scan()

    async def land(self, which: int) -> None:
        """Let the chain take one of what ever left the house."""
        sent = self.d.world.chain.broadcasts
        able = [each.tx_hash for each in await self.order() if each.tx_hash in sent]
        if able:
            self.d.world.chain.mine_only([able[which % len(able)] or ""])
            await self.d.world.scan()

    async def fork(self, depth: int) -> None:
        """Take the newest blocks back, and all that stood in them."""
        chain = self.d.world.chain
        chain.fork(min(depth, chain.final_lag), keep=[])
        chain.mine_only([])
        await self.d.world.scan()

    async def cancel(self) -> None:
        """Wish it back, where that can be wished."""
        try:
            await ask_cancel(self.d, self.id)
        except NotCanceled:
            return

    async def silence(self) -> None:
        """Let a round meet a node that is down."""
        self.d.world.chain.down = True
        try:
            await self.d.payouts.round()
        except NodeUnavailable:
            pass
        finally:
            self.d.world.chain.down = False

    async def finish(self, which: int) -> None:
        """Let time pass until the order has ended."""
        for _ in range(ROUNDS_MAX):
            status = (await self.d.withdrawal(self.id)).status
            if status in {"completed", "failed"}:
                break
            await self.round()
            await self.land(which)
            await self.d.bury()
        await self.round()

    async def judge(self) -> None:
        """One payment or none, and every book says which."""
        w = self.d.world
        order = await self.order()
        hashes = {each.tx_hash for each in order if each.tx_hash}
        landed = [
            tx.tx_hash
            for block in w.chain.blocks
            for tx, _ in block.transactions
            if tx.tx_hash in hashes
        ]
        withdrawal = await self.d.withdrawal(self.id)
        paid = await w.chain.balance(DESTINATION) - self.before
        assert (withdrawal.status, paid) in {("completed", UNITS), ("failed", 0)}
        assert len(landed) <= 1
        assert paid == 0 or landed
        ended = {each.state for each in order}
        assert ended <= {"succeeded", "replaced", "refused"}, ended
        assert (await w.wallet("mer_1"))[1] == 0
        assert await w.sum_is_zero()
        held = await w.chain.balance(w.hot)
        assert -(await w.wallet("custody"))[0] == held + BALANCE


ACTIONS: dict[str, Callable[[Play, int], Any]] = {
    "round": lambda play, _: play.round(),
    "die": lambda play, _: play.die(),
    "wait": lambda play, _: play.wait(),
    "land": lambda play, which: play.land(which),
    "fork": lambda play, which: play.fork(1 + which % 2),
    "cancel": lambda play, _: play.cancel(),
    "silence": lambda play, _: play.silence(),
}
drawn = st.lists(st.tuples(st.sampled_from(sorted(ACTIONS)), st.integers(0, 3)), max_size=8)


async def played(play: Play, actions: list[tuple[str, int]], last: int) -> None:
    """Live one order through the actions, to its end."""
    await play.begin()
    await play.round()
    for name, which in actions:
        await ACTIONS[name](play, which)
    await play.finish(last)
    await play.judge()


@pytest.mark.campaign
def test_an_order_is_paid_once_or_not_at_all(
    database: FreshDatabase, keystore_house: House, long: bool
) -> None:
    """Bumps, cancels, deaths, forks, silent nodes, and a chain that takes what it likes."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(desk(database, keystore_house, bump_blocks=1)) as d,
    ):

        @hypothesis.settings(
            max_examples=EXAMPLES_CAMPAIGN if long else EXAMPLES,
            deadline=None,
            derandomize=not long,
            database=None,
            phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.example(
            [("wait", 0), ("round", 0), ("cancel", 0), ("die", 0), ("land", 0), ("fork", 0)], 1
        )
        @hypothesis.example(
            [("cancel", 0), ("round", 0), ("land", 1), ("fork", 1), ("land", 0)], 2
        )
        @hypothesis.given(drawn, st.integers(0, 3))
        def lives(actions: list[tuple[str, int]], last: int) -> None:
            portal.call(played, Play(d, keystore_house.socket), actions, last)

        lives()
