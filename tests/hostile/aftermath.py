"""What a node may say of a payment that was signed: that it was sent, how it ended, where it stands.

Both families tell these stories; what their answers look like each of them knows itself.
"""

from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest

from tests.hostile.liar import Twist
from tests.hostile.lies import Counted
from tests.hostile.machine import Machine, forgotten
from watchers.clock import now
from watchers.families import connect
from watchers.network import ChainReader, WrongChain
from watchers.pay import own_bytes
from watchers.pay.judged import Judgement, NotSettled, settle
from watchers.pay.withdrawing import OTHER_TRANSFER

READ_AGAIN = timedelta(0)


async def taken_and_dropped(m: Machine, method: str, answer: Any) -> None:
    """Let the node take bytes and keep them to itself: they are sent until they land."""
    m.honest()
    destination = await m.w.chain.fresh_address()
    id_ = await m.approved("native", destination)
    m.liar.swallowed[method] = answer
    before = m.liar.asked[method]
    for _ in range(3):
        await m.turn(id_)
    assert m.liar.asked[method] > before + 1, "sent again"
    assert (await m.row(id_)).status == "broadcast"
    assert await m.held(destination, "native") == 0
    m.honest()
    await m.paid_once(id_, "native", destination)
    await m.note(f"{method} is dropped", "waits, and is sent again")


async def contradicted(m: Machine, case: str, kind: str, twist: Twist, words: str) -> None:
    """Show a result that the rest of the block contradicts: it settles nothing, either way."""
    m.honest()
    destination = await m.w.chain.fresh_address()
    id_ = await m.approved(kind, destination)
    lie = Counted(twist)
    m.liar.twist = lie
    said = await m.until_said(id_, words)
    assert lie.told, "never told"
    assert (await m.row(id_)).status == "broadcast"
    assert await m.held(destination, kind) == m.units(kind)
    m.honest()
    await m.paid_once(id_, kind, destination)
    await m.note(case, said)


async def another_recipient(m: Machine, twist: Twist) -> None:
    """Show somebody else paid: it waits for a person, whom an honest node may contradict."""
    m.honest()
    destination = await m.w.chain.fresh_address()
    id_ = await m.approved("native", destination)
    lie = Counted(twist)
    m.liar.twist = lie
    said = await m.until_said(id_, OTHER_TRANSFER)
    assert lie.told, "never told"
    m.honest()
    for _ in range(2):
        await m.turn(id_)
    assert (await m.row(id_)).status == "confirming"
    readers: list[ChainReader] = [m.w.parts.reader]
    with pytest.raises(NotSettled, match="shows the very transfer"):
        await settle(
            m.w.database, readers, _judged(m, id_, paid=False), now(), edited=own_bytes.nothing
        )
    await settle(
        m.w.database, readers, _judged(m, id_, paid=True), now(), edited=own_bytes.nothing
    )
    await m.paid_once(id_, "native", destination)
    await m.note("a block shows another recipient", said)


def _judged(m: Machine, id_: str, *, paid: bool) -> Judgement:
    return Judgement(m.w.name, id_, paid=paid, person="eve", reason="looked at the chain")


async def older_copy(m: Machine, unknown: Twist, elsewhere: Twist, *, believed: bool) -> None:
    """Forget a payment that has landed, as an older copy does; the node denies or misplaces it.

    `believed`: a false place is no trouble, all blocks are read again anyway.
    """
    for case, twist in (("unknown", unknown), ("elsewhere", elsewhere)):
        m.honest()
        destination = await m.w.chain.fresh_address()
        id_ = await m.approved("token", destination)
        await m.turn(id_, scan=False)
        assert (await m.row(id_)).status == "broadcast"
        await forgotten(m, id_)
        await m.w.bury()
        assert (await m.row(id_)).status == "approved"
        lie = Counted(twist)
        m.liar.twist = lie
        m.w.payouts.adoption.overlooked.pause = READ_AGAIN
        if case == "elsewhere" and not believed:
            said = await m.until_said(id_, "said to stand in block")
        else:
            for _ in range(2):
                await m.turn(id_)
            said = f"{(await m.row(id_)).status}, and not paid again"
        assert lie.told, "never told"
        assert await m.held(destination, "token") == m.units("token")
        m.honest()
        await m.paid_once(id_, "token", destination)
        await m.note(f"older copy, and the payment is {case}", said)


async def another_chain(m: Machine, twist: Twist) -> None:
    """Identity is pinned: nothing is read, signed or sent while the node is of another chain."""
    m.honest()
    lie = Counted(twist)
    m.liar.twist = lie
    anew = connect(m.w.name, m.w.settings, m.w.currencies)
    async with aclosing(anew.endpoints):
        with pytest.raises(WrongChain) as wrong:
            await anew.reader.check_identity()
    m.honest()
    assert lie.told, "never told"
    await m.note("another chain", str(wrong.value))
