"""The worker's round: each live subscription is brought to where the clock and its payments say.

One transaction per subscription, under its row lock: a period, its invoice and its events are
written together or not at all, and a second worker finds them written.
"""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from gateway.addresses.service import AddressUnverified, note
from gateway.customers.balance import tell_balance
from gateway.db import CROSS_TENANT, Database
from gateway.domain.actor import Actor
from gateway.domain.errors import Refusal
from gateway.domain.moment import Moment
from gateway.domain.money import plain
from gateway.domain.subscription import Open, Standing, Step, look_again, step
from gateway.invoices.offers import Asked, offers_for
from gateway.invoices.service import Desk, Order, create_invoice
from gateway.invoices.wishes import wishes_of
from gateway.models import Invoice, Package, Subscription, SubscriptionPeriod
from gateway.settings import Settings
from gateway.subscriptions import repository
from gateway.subscriptions.bills import may_be_paid_yet, reprice
from gateway.subscriptions.periods import open_next, package_due
from gateway.subscriptions.repository import Account
from gateway.subscriptions.telling import tell, write

STEPS_MAX = 8
RETRY = timedelta(minutes=10)
SOON = timedelta(minutes=1)
ARRIVING = timedelta(hours=1)
"""What is seen on the chain keeps a period open this much longer, again and again."""


async def bill_round(database: Database, settings: Settings, moment: Moment) -> bool:
    """Look at every subscription that has something due; tell whether there may be more."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        found = await repository.due(session, moment.at)
    for subscription_id, merchant_id in found:
        async with database.unit_of_work(merchant_id) as session:
            account = await repository.account_of(session, subscription_id)
            if account is not None:
                actor = _actor(account.row)
                await _advance(Desk(session, actor, settings, moment), account)
    return len(found) >= repository.AT_ONCE


async def _advance(desk: Desk, account: Account) -> None:
    row, at = account.row, desk.moment.at
    for _ in range(STEPS_MAX):
        await _say_called_off(desk, account)
        standing = standing_of(account, at)
        due = step(at, standing)
        if due == "wait":
            row.look_at = look_again(standing)
            if await reprice(desk, account):
                then = at + account.rates_last
                row.look_at = min(row.look_at or then, then)
            break
        if due == "end" and await may_be_paid_yet(desk, account):
            row.look_at = at + SOON
            break
        if due == "bill" and not await _bill(desk, account):
            row.look_at = at + RETRY
            break
        if due != "bill":
            await _carry_out(desk, account, due)
        await desk.session.flush()
        again = await repository.account_of(desk.session, row.id)
        if again is None:
            break
        account = again
    row.updated_at = at


async def _say_called_off(desk: Desk, account: Account) -> None:
    """Say once that nobody can pay the open period any more: else it would end in silence."""
    why = account.called_off
    if why is not None and account.row.reason is None:
        account.row.reason = f"{why}: resume bills it anew"
        await _told(desk, account.row, "changed", account.period)


def standing_of(account: Account, at: datetime) -> Standing:
    """Return what decides; a charge out of the balance is tried when it is due, not before."""
    row, period = account.row, account.period
    open_ = None
    if period is not None:
        deadline = max(period.deadline, at + ARRIVING) if account.arriving else period.deadline
        open_ = Open(period.period_start, deadline, account.paid)
    days = 0 if row.auto_charge is not None else row.reminder_days
    return Standing(
        row.status,
        row.next_start,
        timedelta(days=days),
        open_,
        paused=row.paused_at is not None,
        ends=row.cancel_at_period_end or account.customer.deleted_at is not None,
    )


async def _carry_out(desk: Desk, account: Account, due: Step) -> None:
    row, period, at = account.row, account.period, desk.moment.at
    if due == "paid" and period is not None:
        first = row.paid_until is None
        period.status, row.status, row.reason = "paid", "active", None
        row.paid_until = row.next_start = period.period_end
        row.periods += 1
        await _told(desk, row, "activated" if first else "renewed", period)
    elif due == "past_due" and period is not None:
        row.status = "past_due"
        await _told(desk, row, "past_due", period)
        if period.created_at < period.period_start and not account.arriving:
            await _write(desk, account, "subscription.past_due", period)
    elif due == "end" and period is not None:
        period.status = "unpaid"
        late = f"its invoice {period.invoice_id} was not paid in time"
        row.reason = account.called_off or late
        row.status, row.ended_at, row.look_at = "ended", at, None
        await _told(desk, row, "ended", period)
    elif due == "cancel":
        row.reason = "its customer was deleted" if account.customer.deleted_at else None
        row.status, row.ended_at, row.look_at = "canceled", at, None
        await _told(desk, row, "canceled", None)


async def _bill(desk: Desk, account: Account) -> bool:
    """Bill the next period; False where nobody can pay now, with the reason on the row."""
    row = account.row
    if not account.merchant_active:
        row.reason = "the merchant is suspended"
        return False
    try:
        async with desk.session.begin_nested():
            package = await package_due(desk, account)
            period = await open_next(desk, row, package)
            if not await _charged(desk, row, package, period):
                await _invoice(desk, account, package, period)
    except Refusal as refusal:
        await desk.session.refresh(row)
        row.reason = refusal.detail
        if isinstance(refusal, AddressUnverified):
            await note(desk.session, desk.actor, desk.moment, refusal)
        return False
    row.reason = None
    return True


async def _charged(
    desk: Desk, row: Subscription, package: Package, period: SubscriptionPeriod
) -> bool:
    """Pay the period out of the customer's balance where that is wished for and it covers it."""
    if row.auto_charge is None:
        return False
    _, usual = await wishes_of(desk.session, row.merchant_id)
    price, tax = plain(package.price), usual.tax_on_top
    asked = Asked(price, package.currency, [row.auto_charge], tax=tax, by_chain=False)
    try:
        _, [offer] = await offers_for(
            desk.session, desk.settings, asked, desk.moment, livemode=row.livemode
        )
        async with desk.session.begin_nested():
            await desk.session.execute(
                text("SELECT charge_period(:id, :start, :transfer, :units, :at)"),
                {
                    "id": row.id,
                    "start": period.period_start,
                    "transfer": desk.moment.id("ctr"),
                    "units": offer.units,
                    "at": desk.moment.at,
                },
            )
    except Refusal:
        return False
    except IntegrityError as fault:
        if "wallet" not in str(fault.orig):
            raise
        return False
    await desk.session.refresh(period)
    await tell_balance(
        desk.session, row.merchant_id, row.customer_id, row.auto_charge, desk.moment
    )
    await desk.note("subscription.charged", row.id, {"transfer_id": period.transfer_id})
    return True


async def _invoice(
    desk: Desk, account: Account, package: Package, period: SubscriptionPeriod
) -> None:
    row = account.row
    order = Order(
        amount=plain(package.price),
        currency=package.currency,
        payment_methods=package.payment_methods,
        description=package.name,
        metadata={"subscription_id": row.id},
        expires_in=period.deadline - desk.moment.at,
        customer_id=row.customer_id,
    )
    made = await create_invoice(desk, order)
    period.invoice_id = made.id
    await desk.session.flush()
    await _told(desk, row, "billed", period)
    await _write(desk, account, "subscription.reminder", period)


async def _told(
    desk: Desk, row: Subscription, what: str, period: SubscriptionPeriod | None
) -> None:
    row.updated_at = desk.moment.at
    await desk.session.flush()
    invoice_id = None if period is None else period.invoice_id
    await tell(desk.session, row, f"subscription.{what}", desk.moment, invoice_id=invoice_id)


async def _write(desk: Desk, account: Account, kind: str, period: SubscriptionPeriod) -> None:
    if account.customer.deleted_at is not None:
        return
    if account.called_off is not None:
        return  # nobody can pay that
    package = await desk.session.get_one(Package, period.package_id)
    invoice = await desk.session.get_one(Invoice, period.invoice_id)
    await write(
        desk.session,
        account.customer,
        package,
        kind,
        desk.moment,
        invoice=invoice,
        until=period.deadline,
        link=f"{desk.settings.api.public_url}/i/{invoice.id}",
    )


def _actor(row: Subscription) -> Actor:
    return Actor(f"auto:{row.id}", row.merchant_id, frozenset(), livemode=row.livemode)
