"""Taking pending deposits off the books: their block was orphaned, or it never held them."""

from collections.abc import Sequence

from gateway.deposits import attribution, repository, writing
from gateway.deposits.announcements import announce
from gateway.deposits.arrival import Desk
from gateway.deposits.service import judge
from gateway.invoices.standing import Confirmations
from gateway.models import Deposit

NOT_SHOWN = "not_shown"
"""Reason of a deposit that one node told of and others do not show; no sighting brings it back."""


async def orphan(desk: Desk, network: str, above_height: int, heads: Confirmations) -> int:
    """Take pending deposits above a common ancestor off the books; return how many.

    They keep their rows: a new sighting in another block brings one back to `pending`.
    """
    deposits = await repository.pending_above(desk.session, network, above_height)
    await take_off(desk, network, deposits, heads, why="the block of a payment was orphaned")
    return len(deposits)


async def take_off(
    desk: Desk,
    network: str,
    deposits: Sequence[Deposit],
    heads: Confirmations,
    *,
    why: str,
    refused: str | None = None,
) -> None:
    """Take these pending deposits off the books; those `refused` for a reason for good."""
    session = desk.session
    await writing.orphan_sightings(session, [deposit.id for deposit in deposits])
    for deposit in deposits:
        deposit.status = "reorged" if refused is None else "rejected"
        deposit.reason = refused or deposit.reason
    await session.flush()
    await announce(session, deposits, "deposit.reorged", desk.moment)
    weighed = await attribution.weigh(session, network, deposits, desk.moment)
    touched = weighed.invoices | {d.invoice_id for d in deposits if d.invoice_id is not None}
    await judge(desk, touched, why, heads)
