"""Stories of a hostile world that both families tell alike."""

from collections.abc import Sequence
from typing import Any

from tests.hostile.lies import Counted, Lie
from tests.hostile.machine import Machine


async def told(m: Machine, lies: Sequence[Lie], *, long: bool) -> None:
    """Lie while a payout is made: nothing goes astray, the reason is read, it is paid at most once.

    What waits is left to the next lie, and is paid by `paid_in_the_end`; at once in a campaign.
    """
    m.honest()
    [kind], [end] = {lie.kind for lie in lies}, {lie.end for lie in lies}
    name = ", ".join(lie.name for lie in lies)
    if end == "waits":
        id_, destination = await m.left_waiting(kind)
        said = await _hindered(m, lies[0], id_, destination)
        if long:
            await paid_in_the_end(m)
    else:
        destination = await m.w.chain.fresh_address()
        id_ = await m.approved(kind, destination)
        counted = _begun(m, lies, destination)
        if end == "paid":
            await m.paid_once(id_, kind, destination)
            said = "paid once, all the same"
        else:
            said = (await m.until_status(id_, "failed")).failure_reason or ""
            assert lies[0].said in said
            await m.nothing_paid(id_, kind, destination)
        _require_told(counted, lies)
    await m.note(name, said)


async def paid_in_the_end(m: Machine) -> None:
    """Be honest: what waited through all lies is paid, once."""
    m.honest()
    for kind in sorted(m.waiting):
        id_, destination = m.waiting.pop(kind)
        await m.paid_once(id_, kind, destination)
        await m.note(f"{kind}: honest in the end", "paid once")


async def _hindered(m: Machine, lie: Lie, id_: str, destination: str) -> str:
    """Lie until the reason can be read; nothing was signed."""
    counted = _begun(m, [lie], destination)
    said = await m.until_said(id_, lie.said, scan=False)
    _require_told(counted, [lie])
    assert await m.attempts(id_) == []
    assert await m.held(destination, lie.kind) == 0
    return said


def _begun(m: Machine, lies: Sequence[Lie], destination: str) -> list[Counted]:
    counted = [Counted(lie.tell(m, destination)) for lie in lies]

    def twist(method: str, params: Any, result: Any) -> Any:
        for each in counted:
            result = each(method, params, result)
        return result

    m.liar.twist = twist
    return counted


def _require_told(counted: Sequence[Counted], lies: Sequence[Lie]) -> None:
    for each, lie in zip(counted, lies, strict=True):
        assert each.told, f"never told: {lie.name}"
