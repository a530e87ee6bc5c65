"""Carrying rules out: the worker asks for what a rule says, through the gates of everybody else.

A rule has one open withdrawal at a time and one per period, whatever the worker does: both are
unique in the database, and its role may write nothing but what a rule says.
"""

from dataclasses import dataclass
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
from gateway.withdrawals.moves import move
from gateway.withdrawals.request import Origin, Payout, request_withdrawal
from gateway.withdrawals.service import Gate

EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
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


async def rules_round(database: Database, moment: Moment) -> None:
    """Look at every rule that may have something to do, each in a transaction of its own."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        rules = await repository.worth_a_look(session)
    for rule_id in rules:
        async with database.unit_of_work(CROSS_TENANT) as session:
            found = await repository.standing_of(session, rule_id)
            if found is None:
                continue
            reason = await _carried_out(Gate(session, _actor(found.rule), moment), found)
            if reason != found.rule.reason:
                found.rule.reason = reason


async def _carried_out(gate: Gate, found: Standing) -> str | None:
    """Ask for the rule's withdrawal where it is due; return why not, or what it waits for."""
    rule, at = found.rule, gate.moment.at
    decided = verdict(found, at)
    if not decided.units:
        return decided.reason
    reference = reference_of(rule, at)
    if await repository.is_referenced(gate.session, rule, reference):
        return "there was a withdrawal in this period"
    payout = Payout(
        payment_method=rule.currency_id,
        amount=to_text(decided.units, found.currency.decimals),
        destination=display(found.entry.address),
        reference=reference,
    )
    try:
        async with gate.session.begin_nested():
            made = await request_withdrawal(gate, payout, origin=Origin(rule_id=rule.id))
    except Refusal as refusal:
        log.warning("rule refused", rule=rule.id, code=refusal.code)
        return f"refused: {refusal.detail}"
    log.info("rule asks", rule=rule.id, withdrawal=made.id)
    limit = found.currency.automatic_approval_below_units
    if rule.approval == "automatic" and decided.units < limit:
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
