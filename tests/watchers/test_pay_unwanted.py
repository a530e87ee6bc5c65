"""A payment that no node takes says so, in the nodes' words, and no longer than that."""

import pytest

from tests.conftest import FreshDatabase
from tests.fakes.network import Broadcast
from tests.keystore.house import House
from tests.watchers.test_pay_outbids import ask_cancel
from tests.watchers.test_payouts import Desk, desk, keystore_house
from watchers.pay.unwanted import NOBODY, TIMES
from watchers.pay.withdrawing import CANCELING

pytestmark = pytest.mark.anyio
__all__ = ["keystore_house"]


async def reason(d: Desk, id_: str) -> str | None:
    """Let the nodes be asked once more; return why the withdrawal waits."""
    await d.payouts.round()
    await d.rest()
    return (await d.withdrawal(id_)).blocked_reason


async def test_what_every_node_declines_again_and_again_is_said_until_one_takes_it(
    database: FreshDatabase,
    keystore_house: House,
) -> None:
    """Not at once, not when nobody answers, not where it is known; and gone when it is taken."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(1)
        d.writer.manner = Broadcast.REFUSE
        for _ in range(TIMES - 1):
            assert await reason(d, id_) is None
        d.writer.manner = Broadcast.DROP
        assert await reason(d, id_) is None, "one that is taken begins anew"
        d.writer.manner = Broadcast.REFUSE
        heard = [await reason(d, id_) for _ in range(TIMES)]
        assert heard[-2:] == [None, f"{NOBODY}no room for it"]
        d.again()
        assert await reason(d, id_) == heard[-1], "a new process leaves it there"
        d.writer.manner = Broadcast.TAKE
        assert await reason(d, id_) is None
        for _ in range(TIMES + 1):
            assert await reason(d, id_) is None, "that it is known already is no refusal"
        await d.bury()
        assert (await d.withdrawal(id_)).status == "completed"


async def test_a_block_ends_the_words_and_what_was_outbid_has_none(
    database: FreshDatabase,
    keystore_house: House,
) -> None:
    """It lands although every node said no; the withdrawal tells of its block."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(2)
        d.writer.manner = Broadcast.REFUSE
        for _ in range(TIMES):
            await reason(d, id_)
        waiting = await d.withdrawal(id_)
        assert (waiting.status, waiting.blocked_reason) == (
            "broadcast",
            f"{NOBODY}no room for it",
        )
        d.writer.manner = Broadcast.LIE
        await d.payouts.round()
        await d.world.chain.mine(1)
        await d.world.scan()
        landed = await d.withdrawal(id_)
        assert (landed.status, landed.blocked_reason) == ("confirming", None)


async def test_a_cancel_that_no_node_takes_says_so_and_is_a_cancel_afterwards(
    database: FreshDatabase,
    keystore_house: House,
) -> None:
    """Beside the payment that it takes back, whose refusals nobody needs to hear of."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(3)
        d.writer.manner = Broadcast.DROP
        assert await reason(d, id_) is None
        await ask_cancel(d, id_)
        d.writer.manner = Broadcast.REFUSE
        heard = [await reason(d, id_) for _ in range(TIMES + 1)]
        assert heard[0] == CANCELING
        assert heard[-1] == f"{NOBODY}no room for it"
        d.writer.manner = Broadcast.TAKE
        assert await reason(d, id_) == CANCELING
        await d.bury()
        assert (await d.withdrawal(id_)).status == "failed"
