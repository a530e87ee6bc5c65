"""Carrying rules out: the worker asks for what a rule says, through the gates of everybody else.

A rule has one open withdrawal at a time and one per period, whatever the worker does: both are
unique in the database, and its role may write nothing but what a rule says. Its network is asked
about the destination first, as for every withdrawal: `reason` says what it answers.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from gateway.db import CROSS_TENANT, Database
from gateway.domain.actor import Actor
from gateway.domain.addresses import display
from gateway.domain.errors import Refusal
from gateway.domain.moment import Moment
from gateway.domain.money import to_text
from gateway.models import PayoutRule
from gateway.payout_rules import repository
from gateway.payout_rules.repository import Standing
from gateway.questions.service import Questions
from gateway.withdrawals.destinations import UNHEARD, UNLOOKED, Finding, findings_of
from gateway.withdrawals.moves import move
from gateway.withdrawals.request import Origin, Payout, prospect_of, request_withdrawal
from gateway.withdrawals.service import Gate

EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
REST = timedelta(minutes=1)
"""How long a destination that was not taken is not asked about again."""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule does now: pay `units`, or wait for a `reason`; neither where nothing is due."""

    units: int = 0
    reason: str | None = None


def verdict(found: Standing, at: datetime) -> Verdict:
    """Decide whether a rule pays now, and how much; pure."""
    rule, currency = found.rule, found.currency
    if found.busy is not None:
        return Verdict(reason=found.busy)
    if found.confirmed < rule.threshold_units:
        return Verdict()
    units = found.confirmed - rule.keep_units - currency.withdrawal_fee_units
    obstacles = (
        (not found.merchant_active, "the merchant is suspended"),
        (
            not (currency.enabled and found.network.enabled),
            "the payment method is switched off",
        ),
        (found.paused, "payouts are paused by the operator"),
        (found.entry.deleted_at is not None, "the address book entry is deleted"),
        (
            found.entry.usable_at > at,
            f"the address book entry cools down until {found.entry.usable_at.isoformat()}",
        ),
        (units <= 0, "the fee is more than what may leave"),
    )
    reason = next((words for stands, words in obstacles if stands), None)
    return Verdict(units) if reason is None else Verdict(reason=reason)


def reference_of(rule: PayoutRule, at: datetime) -> str:
    """Return the reference of the rule's withdrawal in the period of this moment."""
    period = (at - EPOCH) // timedelta(minutes=rule.period_minutes)
    return f"auto:{rule.id}:{rule.period_minutes}:{period}"


@dataclass(frozen=True, slots=True)
class Looked:
    """What a rule was about to ask for, and what its network says of the destination."""

    payout: Payout
    finding: Finding | None


@dataclass(slots=True)
class Rules:
    """Carries every rule out; `unchecked` takes destinations that nobody could look at."""

    database: Database
    questions: Questions
    unchecked: bool
    _resting: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """The destination that was not taken, and until when nobody asks about it again."""
    _silent: set[str] = field(default_factory=set)
    """Networks that did not answer in this round: none of their other rules waits for them too."""

    async def round(self, moment: Moment) -> None:
        """Look at every rule that may have something to do, each in a transaction of its own."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            rules = await repository.worth_a_look(session)
        self._silent.clear()
        self._resting = {id_: each for id_, each in self._resting.items() if id_ in set(rules)}
        for rule_id in rules:
            looked = await self._look(rule_id, moment)
            async with self.database.unit_of_work(CROSS_TENANT) as session:
                found = await repository.standing_of(session, rule_id)
                if found is None:
                    continue
                reason = await _carried_out(
                    Gate(session, _actor(found.rule), moment), found, looked
                )
                if reason != found.rule.reason:
                    found.rule.reason = reason

    async def _look(self, rule_id: str, moment: Moment) -> Looked | None:
        """Ask about the destination of what is due, outside the transaction that holds."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            found = await repository.standing_of(session, rule_id)
            if found is None:
                return None
            gate = Gate(session, _actor(found.rule), moment)
            payout = await _due(gate, found)
            if not isinstance(payout, Payout):
                return None
            rested = self._resting.get(rule_id)
            rests = rested and rested[0] == payout.destination and moment.at < rested[1]
            if rests or found.network.id in self._silent:
                return None
            try:
                _, prospect = await prospect_of(session, gate.actor, payout)
            except Refusal:
                # Refused again, and in words, when it is asked for.
                return Looked(payout, UNLOOKED)
            actor, network = gate.actor, found.network.id
        [finding] = await findings_of(
            self.questions, actor, network, [prospect], moment, unchecked=self.unchecked
        )
        if finding is not None and finding.refusal is not None:
            self._resting[rule_id] = payout.destination, moment.at + REST
        if finding is UNHEARD:
            self._silent.add(network)
        return Looked(payout, finding)


async def _due(gate: Gate, found: Standing) -> Payout | str | None:
    """Return what a rule asks for now, or why not; None where nothing is due."""
    rule, at = found.rule, gate.moment.at
    decided = verdict(found, at)
    if not decided.units:
        return decided.reason
    reference = reference_of(rule, at)
    if await repository.is_referenced(gate.session, rule, reference):
        return "there was a withdrawal in this period"
    return Payout(
        payment_method=rule.currency_id,
        amount=to_text(decided.units, found.currency.decimals),
        destination=display(found.entry.address),
        reference=reference,
    )


async def _carried_out(gate: Gate, found: Standing, looked: Looked | None) -> str | None:
    """Ask for the rule's withdrawal where it is due; return why not, or what it waits for."""
    rule = found.rule
    payout = await _due(gate, found)
    if not isinstance(payout, Payout):
        return payout
    if looked is None or looked.payout != payout:
        return rule.reason  # nobody looked at this one: the next round does
    try:
        async with gate.session.begin_nested():
            origin = Origin(rule_id=rule.id)
            made = await request_withdrawal(gate, payout, looked.finding, origin)
    except Refusal as refusal:
        log.warning("rule refused", rule=rule.id, code=refusal.code)
        return f"refused: {refusal.detail}"
    log.info("rule asks", rule=rule.id, withdrawal=made.id)
    limit = found.currency.automatic_approval_below_units
    if rule.approval == "automatic" and verdict(found, gate.moment.at).units < limit:
        await _approve(gate, made.id)
    return f"{made.id} is under way"


async def _approve(gate: Gate, withdrawal_id: str) -> None:
    row = await gate.locked(withdrawal_id)
    row.approved_by, row.approved_at = gate.actor.key_id, gate.moment.at
    await move(gate.session, row, "approved", gate.moment)
    after = {"status": "approved", "approved_by": row.approved_by}
    await gate.note("withdrawal.approved", row.id, after, before={"status": "pending"})


def _actor(rule: PayoutRule) -> Actor:
    return Actor(f"auto:{rule.id}", rule.merchant_id, frozenset(), rule.livemode)
