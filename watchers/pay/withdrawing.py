"""What becomes of a withdrawal when something becomes of its transactions."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.moment import Moment
from gateway.models import Attempt, Currency, Withdrawal
from gateway.withdrawals import rebooking
from gateway.withdrawals import repository as withdrawals
from gateway.withdrawals.moves import complete, move
from watchers.chain import asset_key, asset_of
from watchers.pay import holds, keepers, pauses
from watchers.pay.keepers import CANCEL, End, Keeper

HOPELESS = frozenset({"bad_amount", "bad_asset", "bad_destination", "own_destination"})
"""Refusals of what was asked for, which no time and no person changes. Those of fees and fields are
of what a node said, and the next one may say otherwise."""
APPROVER = "keystore-journal"
"""Who approved a payment whose approval the database has forgotten: it was signed."""
ROAD = {"pending": ("approved", "signing"), "approved": ("signing",), "signing": ()}
"""How a withdrawal of an older copy comes to `broadcast`."""
OTHER_TRANSFER = "succeeded on chain without the transfer that was asked for: needs a person"
FAILED = "the transaction failed on chain"
CANCELED = "canceled: its place on the chain was taken by a transaction that moves nothing"
SILENT = "the keystore does not answer"
CANCELING = "being canceled: it is over when a transaction that moves nothing is final"
REASON_MAX = 300


def contradiction(
    intent: Mapping[str, Any], withdrawal: Withdrawal, currency: Currency
) -> str | None:
    """Name the field in which an intent is not what the withdrawal asked for."""
    asked = {
        "withdrawal_id": withdrawal.id,
        "network": withdrawal.network_id,
        "asset": asset_of(currency),
        "to": asset_key(withdrawal.destination),
        "units": str(withdrawal.units),
    }
    if intent.get("source", "hot") != "hot":
        return "the intent's source is not the hot wallet: needs a person"
    for name, value in asked.items():
        if asset_key(str(intent.get(name))) != value:
            return f"the intent's {name} is not the withdrawal's: needs a person"
    return None


class WithdrawalKeeper(Keeper):
    """Moves withdrawals as their transactions go. A hold is released only where nothing can land."""

    async def objection(self, session: AsyncSession, attempt: Attempt) -> str | None:
        """Compare the intent with the row it pays; what takes it back pays nobody."""
        withdrawal = await session.get_one(
            Withdrawal, attempt.withdrawal_id, populate_existing=True
        )
        if attempt.purpose == CANCEL:
            return None
        currency = await session.get_one(Currency, withdrawal.currency_id)
        return contradiction(attempt.intent, withdrawal, currency)

    async def held(self, session: AsyncSession, attempt: Attempt) -> str | None:
        """Say why this payout waits since it was prepared: a hold, or an operator's pause."""
        withdrawal = await session.get_one(Withdrawal, attempt.withdrawal_id)
        return await holds.reason_against(
            session, withdrawal.currency_id, attempt.sender
        ) or await pauses.reason_against(
            session, attempt.network_id, withdrawal.currency_id, withdrawal.merchant_id
        )

    async def waiting(
        self, session: AsyncSession, attempt: Attempt, reason: str, moment: Moment
    ) -> None:
        """Say on the row why it waits."""
        await say(session, attempt.withdrawal_id or "", reason, moment)

    async def signed(self, session: AsyncSession, attempt: Attempt, moment: Moment) -> None:
        """Show the newest payment's hash; the first one's makes it `broadcast`."""
        withdrawal = await _locked(session, attempt)
        if attempt.purpose == CANCEL:
            withdrawal.blocked_reason, withdrawal.updated_at = CANCELING, moment.at
            return
        withdrawal.tx_hash = attempt.tx_hash
        if withdrawal.status == "signing":
            await move(session, withdrawal, "broadcast", moment)
        else:
            withdrawal.blocked_reason, withdrawal.updated_at = None, moment.at

    async def refused(
        self, session: AsyncSession, attempt: Attempt, code: str, reason: str, moment: Moment
    ) -> None:
        """Give up what nothing changes; let the rest wait its turn again, with the reason."""
        withdrawal = await _locked(session, attempt)
        if code in HOPELESS or code == CANCEL:
            withdrawal.failure_reason = reason
            await move(session, withdrawal, "failed", moment)
            return
        # Not `move`: merchants heard that it is approved when it was.
        withdrawal.status, withdrawal.updated_at = "approved", moment.at
        withdrawal.blocked_reason = reason[:REASON_MAX] if code else None

    async def included(self, session: AsyncSession, attempt: Attempt, moment: Moment) -> None:
        """Count the confirmations of a payment; whatever lands is the one to show."""
        withdrawal = await _locked(session, attempt)
        if attempt.purpose == CANCEL:
            return
        withdrawal.tx_hash = attempt.tx_hash
        if withdrawal.status == "broadcast":
            await move(session, withdrawal, "confirming", moment)
        if attempt.success is None:
            withdrawal.blocked_reason = OTHER_TRANSFER

    async def orphaned(self, session: AsyncSession, attempt: Attempt, moment: Moment) -> None:
        """Let it wait for a block again."""
        withdrawal = await _locked(session, attempt)
        if withdrawal.status == "confirming":
            await move(session, withdrawal, "broadcast", moment)

    async def ended(
        self, session: AsyncSession, attempt: Attempt, end: End, moment: Moment
    ) -> None:
        """Pay it out of the ledger, or give the hold back."""
        withdrawal = await _locked(session, attempt)
        landed = attempt.block_height is not None
        withdrawal.network_fee_units = end.fee_units if landed else None
        if withdrawal.status in rebooking.ENDED:
            # It had ended before: in a block that was given up.
            await rebooking.rebook(session, withdrawal, moment, paid=end.fate == "succeeded")
            return
        if end.fate == "succeeded":
            await complete(session, withdrawal, int(attempt.intent["units"]), moment)
            return
        withdrawal.failure_reason = end.reason or (
            CANCELED if end.fate == "canceled" else FAILED
        )
        await move(session, withdrawal, "failed", moment)

    async def reopened(self, session: AsyncSession, attempt: Attempt, moment: Moment) -> None:
        """Show no fee until the standing chain has taken one."""
        withdrawal = await _locked(session, attempt)
        withdrawal.network_fee_units, withdrawal.updated_at = None, moment.at

    async def adopted(self, session: AsyncSession, attempt: Attempt, moment: Moment) -> None:
        """Bring a withdrawal of an older copy to where its signed bytes have brought it."""
        withdrawal = await _locked(session, attempt)
        if withdrawal.status == "pending":
            withdrawal.approved_by, withdrawal.approved_at = APPROVER, moment.at
        road = ROAD.get(withdrawal.status)
        if attempt.purpose != CANCEL:
            withdrawal.tx_hash = attempt.tx_hash
        for status in () if road is None else (*road, "broadcast"):
            await move(session, withdrawal, status, moment)


async def say(
    session: AsyncSession,
    withdrawal_id: str,
    reason: str | None,
    moment: Moment,
    *,
    also: Sequence[str] = (),
) -> None:
    """Say on the row why it waits; `also` names states beyond those that wait for us."""
    await session.execute(
        update(Withdrawal)
        .where(
            Withdrawal.id == withdrawal_id,
            Withdrawal.status.in_(["approved", "signing", "broadcast", *also]),
        )
        .values(
            blocked_reason=None if reason is None else reason[:REASON_MAX],
            updated_at=moment.at,
        )
    )


async def say_silent(session: AsyncSession, network: str) -> None:
    """Say on the rows that nothing else holds back that the keystore is away; turns are kept."""
    await session.execute(
        update(Withdrawal)
        .where(
            Withdrawal.network_id == network,
            Withdrawal.status.in_(["approved", "signing"]),
            Withdrawal.blocked_reason.is_(None),
        )
        .values(blocked_reason=SILENT)
    )


async def _locked(session: AsyncSession, attempt: Attempt) -> Withdrawal:
    withdrawal = await withdrawals.locked(session, attempt.withdrawal_id or "")
    if withdrawal is None:
        raise LookupError(f"attempt {attempt.id} names a withdrawal that is not there")
    return withdrawal


keepers.always("payout", WithdrawalKeeper())
