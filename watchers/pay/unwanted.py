"""What no node takes: its words, where people look. They decide nothing.

A node that has a transaction already refuses it too, and the first refusals may be the node's own
lateness; what every node that answers declines again and again needs a person.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy import or_, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.moment import Moment
from gateway.models import Attempt, Withdrawal
from watchers.pay.keepers import CANCEL
from watchers.pay.withdrawing import CANCELING, REASON_MAX

log = structlog.get_logger()
TIMES = 4
"""So many refusals in a row are said: about a minute."""
ACCEPTED = "accepted"
NOBODY = "no node takes the transaction: "
HAS_IT = re.compile(r"\balready\b|\bknown transaction\b|DUP_TRANSACTION", re.IGNORECASE)


@dataclass(slots=True)
class Unwanted:
    """Counts refusals in a row, by attempt; a new process begins at 0."""

    _times: dict[str, int] = field(default_factory=dict)

    def keep(self, attempts: Collection[str]) -> None:
        """Forget all but these."""
        self._times = {each: self._times[each] for each in self._times.keys() & attempts}

    async def hear(
        self, session: AsyncSession, attempt: Attempt, refusal: str | None, moment: Moment
    ) -> None:
        """Hear that some node took it (`refusal` is None), or what they said who did not."""
        if refusal is None or HAS_IT.search(refusal):
            self._times.pop(attempt.id, None)
            if attempt.last_answer not in {None, ACCEPTED}:
                await _say(session, attempt, None, moment)
            return
        times = self._times[attempt.id] = self._times.get(attempt.id, 0) + 1
        if times < TIMES:
            return
        if times == TIMES:
            log.error("no node takes it", order=attempt.order_id, reason=refusal)
        await _say(session, attempt, refusal, moment)


def newest(sent: Sequence[Attempt]) -> frozenset[str]:
    """Return the newest transaction of each order: what it outbids is declined for that."""
    by_order = {each.order_id: each.id for each in sorted(sent, key=lambda each: each.place)}
    return frozenset(by_order.values())


async def _say(
    session: AsyncSession, attempt: Attempt, refusal: str | None, moment: Moment
) -> None:
    """Write it on the withdrawal, over nothing but what is said there usually."""
    usual = CANCELING if attempt.purpose == CANCEL else None
    ours = Withdrawal.blocked_reason.startswith(NOBODY, autoescape=True)
    free = Withdrawal.blocked_reason.is_not_distinct_from(usual)
    reason = usual if refusal is None else f"{NOBODY}{refusal}"[:REASON_MAX]
    await session.execute(
        update(Withdrawal)
        .where(
            Withdrawal.id == attempt.withdrawal_id,
            Withdrawal.status == "broadcast",
            Withdrawal.blocked_reason.is_distinct_from(reason),
            ours if refusal is None else or_(ours, free),
        )
        .values(blocked_reason=reason, updated_at=moment.at)
    )
