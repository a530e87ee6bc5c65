"""What has to be known of a request before its transaction begins: the network's word on it.

A body that our own rows refuse is not asked about. The transaction makes the same checks again,
so a replay under its `Idempotency-Key` is answered as the first time, whatever the network says.
"""

from collections.abc import Sequence

from gateway.domain.errors import Refusal, TooMany
from gateway.http.call import Call
from gateway.questions.service import Questions
from gateway.withdrawals.destinations import UNASKED, UNHEARD, Finding, Prospect, look
from gateway.withdrawals.request import Payout, prospect_of
from gateway.withdrawals.schemas import CreateWithdrawal


def payout_of(data: CreateWithdrawal) -> Payout:
    """Read the body."""
    return Payout(
        payment_method=data.payment_method,
        amount=data.amount,
        destination=data.destination,
        reference=data.reference,
        customer_id=data.customer_id,
        metadata=data.metadata,
    )


async def findings(
    call: Call, questions: Questions, payouts: Sequence[Payout]
) -> list[Finding | None]:
    """Return what the networks say of each destination, one question per network.

    What nobody answers for is `UNHEARD` or `UNASKED`, or None where the operator takes it
    unchecked.
    """
    unchecked = call.settings.withdrawals.unchecked
    found: list[Finding | None] = [None] * len(payouts)
    by_network: dict[str, dict[int, Prospect]] = {}
    async with call.transaction() as session:
        for place, payout in enumerate(payouts):
            try:
                currency, prospect = await prospect_of(session, call.actor, payout)
            except Refusal:
                continue  # refused again, and in words, by the transaction that holds
            by_network.setdefault(currency.network_id, {})[place] = prospect
    for network, prospects in by_network.items():
        asked, silence = list(prospects.values()), UNHEARD
        answers: Sequence[Finding | None] = [None] * len(asked)
        try:
            answers = await look(questions, call.actor, network, asked, call.moment)
        except TooMany:
            silence = UNASKED  # told after the key was looked up: a replay is no question
        for place, answer in zip(prospects, answers, strict=True):
            found[place] = answer or (None if unchecked else silence)
    return found
