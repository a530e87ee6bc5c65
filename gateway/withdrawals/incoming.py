"""What has to be known of a request before its transaction begins: the network's word on it.

A body that our own rows refuse is not asked about. The transaction makes the same checks again,
so a replay under its `Idempotency-Key` is answered as the first time, whatever the network says.
"""

from collections.abc import Sequence

from gateway.domain.errors import Refusal
from gateway.http.call import Call
from gateway.questions.service import Questions
from gateway.withdrawals.destinations import UNLOOKED, Finding, Prospect, findings_of
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
    unchecked; what is refused anyhow is `UNLOOKED`.
    """
    unchecked = call.settings.withdrawals.unchecked
    found: list[Finding | None] = [UNLOOKED] * len(payouts)
    by_network: dict[str, dict[int, Prospect]] = {}
    async with call.transaction() as session:
        for place, payout in enumerate(payouts):
            try:
                currency, prospect = await prospect_of(session, call.actor, payout)
            except Refusal:
                continue  # refused again, and in words, by the transaction that holds
            by_network.setdefault(currency.network_id, {})[place] = prospect
    for network, prospects in by_network.items():
        asked = list(prospects.values())
        answers = await findings_of(
            questions, call.actor, network, asked, call.moment, unchecked=unchecked
        )
        for place, answer in zip(prospects, answers, strict=True):
            found[place] = answer
    return found
