"""What becomes of the house's own transactions: costs booked to their sweeps, rent to the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import Database
from gateway.deposits import service as deposits
from gateway.deposits.service import Desk
from gateway.domain.moment import Moment
from gateway.invoices.standing import NO_HEADS
from gateway.models import AddressPool, Attempt, Deposit, Sweep
from gateway.withdrawals import repository as withdrawals
from watchers.pay import keepers, settler
from watchers.pay.keepers import End, Keeper
from watchers.pay.transactions import HOUSE
from watchers.reconcile.moves import OWN_TRANSACTION
from watchers.sweep import rent, rows, turned
from watchers.sweep.hands import stays

REASON_MAX = 300
NOT_ASKED = "no sweep under way asks for it: needs a person"


@dataclass(frozen=True, slots=True)
class SweepKeeper(Keeper):
    """Follows every transaction that moves money inside the house."""

    public_url: str

    async def objection(self, session: AsyncSession, attempt: Attempt) -> str | None:
        """Refuse what pool addresses would send anywhere but into the hot wallet."""
        if attempt.purpose != "sweep":
            return None
        sweeps = await rows.of_order(session, attempt.order_id)
        addresses = {sweep.address for sweep in sweeps}
        told = attempt.intent.get("sources")
        sources = {attempt.sender} if told is None else {each["address"] for each in told}
        wallets = await rows.wallets(session, attempt.network_id)
        ends = addresses if stays(attempt.intent) else {wallets.get("hot")}
        asked = sources == addresses and {sweep.destination for sweep in sweeps} == ends
        return None if sweeps and asked else NOT_ASKED

    async def waiting(
        self, session: AsyncSession, attempt: Attempt, reason: str, moment: Moment
    ) -> None:
        """Say on the sweep why it waits."""
        await _say(session, attempt.order_id, reason[:REASON_MAX], moment)

    async def signed(self, session: AsyncSession, attempt: Attempt, moment: Moment) -> None:
        """Clear what it waited for."""
        await _say(session, attempt.order_id, None, moment)

    async def refused(
        self, session: AsyncSession, attempt: Attempt, code: str, reason: str, moment: Moment
    ) -> None:
        """No bytes exist: the sweep ends, or goes back to taking its loan home."""
        del code
        for sweep in await rows.of_order(session, attempt.order_id):
            sweep.order_id, sweep.updated_at = None, moment.at
            _fail(sweep, reason)

    async def ended(
        self, session: AsyncSession, attempt: Attempt, end: End, moment: Moment
    ) -> None:
        """Book what it cost and what came back; a top-up is worth taking home later."""
        sweeps = await rows.of_order(session, attempt.order_id)
        native = await withdrawals.native_currency(session, attempt.network_id)
        reopened = await turned.is_reopened(session, attempt)
        if reopened:
            await rent.correct(session, attempt, native.id, moment)
            await turned.follow(session, attempt, end, moment)
        else:
            await rent.book(session, attempt, native.id, moment)
        costing = await turned.begun_by(session, attempt.order_id) if reopened else sweeps
        _count(costing, attempt, end.fee_units)
        for sweep in sweeps:
            sweep.order_id, sweep.blocked_reason, sweep.updated_at = None, None, moment.at
            if end.fate != "succeeded":
                _fail(sweep, end.reason or "the transaction failed on chain")
        if attempt.purpose == "top_up" and end.fate == "succeeded":
            # What one that had ended before brought was noted then.
            units = 0 if reopened else int(attempt.intent["units"])
            await _note_top_up(session, attempt, native.id, units, moment)

    async def reopened(self, session: AsyncSession, attempt: Attempt, moment: Moment) -> None:
        """Take off what the chain that is gone took: the standing one takes its own."""
        sweeps = await turned.begun_by(session, attempt.order_id)
        _count(sweeps, attempt, settler.fee_units(attempt), sign=-1)
        for sweep in sweeps:
            sweep.updated_at = moment.at
        await session.flush()

    async def adopted(self, session: AsyncSession, attempt: Attempt, moment: Moment) -> None:
        """Take back the deposit that this transaction was held for while it was forgotten.

        What it brought to where a sweep reaches stays one: nothing else counts that money.
        """
        if stays(attempt.intent):
            return
        query = (
            update(Deposit)
            .where(
                Deposit.network_id == attempt.network_id,
                Deposit.tx_hash == attempt.tx_hash,
                Deposit.status == "pending",
            )
            .values(status="rejected", reason=OWN_TRANSACTION)
            .returning(Deposit.invoice_id)
        )
        invoices = {each for each in await session.scalars(query) if each is not None}
        desk = Desk(session, moment, self.public_url)
        await deposits.judge(desk, invoices, "it was our own transaction", NO_HEADS)


def register(database: Database, public_url: str) -> None:
    """Follow every purpose of the house, in what is done through a database."""
    keeper = SweepKeeper(public_url)
    for purpose in HOUSE:
        keepers.register(database, purpose, keeper)


def shares(units: int, parts: int) -> Sequence[int]:
    """Part an amount evenly; the first bears what is left over."""
    if not parts:
        return []
    each, left = divmod(units, parts)
    return [each + left, *[each] * (parts - 1)]


def _count(sweeps: Sequence[Sweep], attempt: Attempt, fee_units: int, *, sign: int = 1) -> None:
    """Add what a transaction cost its sweeps and gave back to them, in equal parts, or take it off."""
    back = rent.returned(attempt)
    fees = shares(fee_units + max(0, -back), len(sweeps))
    rents = shares(max(0, back), len(sweeps))
    for sweep, fee, returned in zip(sweeps, fees, rents, strict=True):
        sweep.cost_units = max(0, sweep.cost_units + sign * fee)
        sweep.returned_units = max(0, sweep.returned_units + sign * returned)


def _fail(sweep: Sweep, reason: str) -> None:
    """Let a sweep end as failed; taking back what was lent is tried again instead."""
    said = f"{sweep.state}: {reason}"[:REASON_MAX]
    if sweep.state == "returning":
        sweep.blocked_reason = said
    else:
        sweep.failure_reason = said


async def _say(
    session: AsyncSession, order_id: str, reason: str | None, moment: Moment
) -> None:
    await session.execute(
        update(Sweep)
        .where(Sweep.order_id == order_id)
        .values(blocked_reason=reason, updated_at=moment.at)
    )


async def _note_top_up(
    session: AsyncSession, attempt: Attempt, native_id: str, units: int, moment: Moment
) -> None:
    """Let what was sent ahead wait at the address like any other money."""
    address = str(attempt.intent["to"])
    query = select(AddressPool.index).where(
        AddressPool.network_id == attempt.network_id, AddressPool.address == address
    )
    row = {
        "network_id": attempt.network_id,
        "currency_id": native_id,
        "address": address,
        "pool_index": await session.scalar(query),
        "units": units,
        "since": moment.at,
    }
    await rows.note(session, row, not_before=None, reason="sent ahead to pay for a transfer")
