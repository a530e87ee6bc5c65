"""What a merchant does with packages and subscriptions; billing is the worker's."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy.dialects.postgresql import insert

from gateway.catalog.repository import offered
from gateway.customers.repository import currency_of_mode, require_customer
from gateway.domain.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.domain.fields import amount
from gateway.domain.money import FIAT_DECIMALS
from gateway.invoices.changes import cancel_invoice
from gateway.invoices.offers import AMOUNT_END
from gateway.invoices.service import Desk
from gateway.models import Invoice, Package, Subscription
from gateway.subscriptions import repository
from gateway.subscriptions.bills import take_back
from gateway.subscriptions.documents import (
    PackageDocument,
    SubscriptionDocument,
    package_document,
    subscription_document,
)
from gateway.subscriptions.telling import tell

CHARGING = "transfers:create"


async def create_package(desk: Desk, wanted: Mapping[str, Any]) -> PackageDocument:
    """Write a package down; its price and period never change."""
    price = amount("/price", wanted["price"], await _decimals(desk, wanted["currency"]))
    if price >= AMOUNT_END:
        raise Invalid.field("/price", "invalid_amount", "the price is too large")
    for index, method in enumerate(wanted["payment_methods"] or ()):
        await _require_method(desk, method, f"/payment_methods/{index}")
    at = desk.moment.at
    row = Package(
        id=desk.moment.id("pkg"),
        merchant_id=desk.actor.tenant,
        livemode=desk.actor.livemode,
        **{**wanted, "price": price},
        active=True,
        created_at=at,
        updated_at=at,
    )
    desk.session.add(row)
    await desk.session.flush()
    after = {name: wanted[name] for name in ("name", "price", "currency", "period")}
    await desk.note("package.created", row.id, after)
    return package_document(row)


async def change_package(
    desk: Desk, package_id: str, wanted: Mapping[str, Any]
) -> PackageDocument:
    """Rename a package, or close it to new subscriptions; those that stand go on."""
    row = await repository.package_of(
        desk.session, desk.actor.tenant, package_id, livemode=desk.actor.livemode
    )
    after = {name: value for name, value in wanted.items() if getattr(row, name) != value}
    if after:
        before = {name: getattr(row, name) for name in after}
        for name, value in after.items():
            setattr(row, name, value)
        row.updated_at = desk.moment.at
        await desk.session.flush()
        await desk.note("package.changed", row.id, after, before=before)
    return package_document(row)


async def subscribe(desk: Desk, wanted: Mapping[str, Any]) -> SubscriptionDocument:
    """Make a customer a member of a package; the worker bills the first period."""
    session, actor, at = desk.session, desk.actor, desk.moment.at
    customer = await require_customer(session, actor, wanted["customer_id"])
    if customer.deleted_at is not None:
        raise Conflict("this customer is deleted", code="customer_deleted")
    package = await _offered(desk, wanted["package_id"])
    if wanted["auto_charge"] is not None:
        _require_charging(desk)
        await _require_method(desk, wanted["auto_charge"], "/auto_charge")
    trial = timedelta(days=package.trial_days)
    if trial and await repository.had_before(session, customer.id, package.id):
        trial = timedelta(0)
    values = {
        **wanted,
        "id": desk.moment.id("sub"),
        "merchant_id": actor.tenant,
        "livemode": actor.livemode,
        "status": "trialing" if trial else "past_due",
        "anchor": at + trial,
        "next_start": at + trial,
        "look_at": at,
        "created_by": actor.key_id,
        "created_at": at,
        "updated_at": at,
    }
    row = await session.scalar(
        insert(Subscription)
        .values(values)
        .on_conflict_do_nothing(
            index_elements=["customer_id"], index_where=Subscription.ended_at.is_(None)
        )
        .returning(Subscription)
    )
    if row is None:
        raise Conflict("this customer has a subscription already", code="already_subscribed")
    await tell(session, row, "subscription.created", desk.moment)
    await desk.note("subscription.created", row.id, dict(wanted))
    return subscription_document(row, at)


async def cancel(
    desk: Desk, subscription_id: str, *, at_period_end: bool
) -> SubscriptionDocument:
    """End a subscription now, or with what is paid; a bill that is open is called off."""
    row = await _live(desk, subscription_id)
    await _call_off(desk, row)
    if at_period_end:
        row.cancel_at_period_end = True
        row.look_at = desk.moment.at
        return await _done(desk, row, "changed", {"cancel_at_period_end": True})
    row.status, row.ended_at, row.look_at = "canceled", desk.moment.at, None
    return await _done(desk, row, "canceled", {"status": "canceled"})


async def pause(desk: Desk, subscription_id: str) -> SubscriptionDocument:
    """Bill nothing more until it is resumed; what is paid counts to its end."""
    row = await _live(desk, subscription_id)
    if row.paused_at is not None:
        return subscription_document(row, desk.moment.at)
    await _call_off(desk, row)
    row.paused_at = row.look_at = desk.moment.at
    return await _done(desk, row, "paused", {"paused": True})


async def resume(desk: Desk, subscription_id: str) -> SubscriptionDocument:
    """Go on: where the next period was, or from now where that is past.

    Neither a pause nor an end that was wished for stands any more, nor a bill that was called off.
    """
    row, at = await _live(desk, subscription_id), desk.moment.at
    anew = await take_back(desk, row)
    if row.paused_at is None and not row.cancel_at_period_end and not anew:
        return subscription_document(row, at)
    row.paused_at, row.cancel_at_period_end, row.look_at = None, False, at
    if row.next_start < at:
        row.anchor = row.next_start = at
        row.periods = 0
    after = {"paused": False, "cancel_at_period_end": False}
    return await _done(desk, row, "resumed", after)


async def change_plan(
    desk: Desk, subscription_id: str, package_id: str
) -> SubscriptionDocument:
    """Bill another package from the next period on that is not billed yet."""
    row = await _live(desk, subscription_id)
    if row.auto_charge is not None:
        _require_charging(desk)
    package = await _offered(desk, package_id)
    row.next_package_id = None if package.id == row.package_id else package.id
    return await _done(desk, row, "changed", {"next_package_id": row.next_package_id})


async def _done(
    desk: Desk, row: Subscription, what: str, after: Mapping[str, Any]
) -> SubscriptionDocument:
    row.updated_at = desk.moment.at
    await desk.session.flush()
    await tell(desk.session, row, f"subscription.{what}", desk.moment)
    await desk.note(f"subscription.{what}", row.id, after)
    return subscription_document(row, desk.moment.at)


async def _live(desk: Desk, subscription_id: str) -> Subscription:
    row = await repository.subscription_of(
        desk.session,
        desk.actor.tenant,
        subscription_id,
        livemode=desk.actor.livemode,
        lock=True,
    )
    if row.ended_at is not None:
        raise Conflict(f"this subscription is {row.status}", code="subscription_ended")
    return row


async def _call_off(desk: Desk, row: Subscription) -> None:
    """Void the open period and cancel its invoice; a payment that is under way comes first."""
    period = await repository.open_period(desk.session, row.id)
    if period is None:
        return
    if period.invoice_id is not None:
        invoice = await desk.session.get_one(
            Invoice, period.invoice_id, with_for_update=True, populate_existing=True
        )
        if invoice.status in ("processing", "settled"):
            raise Conflict("a payment of this period is under way", code="payment_under_way")
        if invoice.status == "pending":
            await cancel_invoice(desk, invoice.id)
    period.status, row.reason = "void", None
    await desk.session.flush()


async def _decimals(desk: Desk, code: str) -> int:
    """Return how many digits a price in this currency has, as its invoices will count them."""
    if code in FIAT_DECIMALS:
        return FIAT_DECIMALS[code]
    coins = await offered(desk.session, test=not desk.actor.livemode)
    found = [currency.decimals for currency, _ in coins if currency.code == code]
    if not found:
        raise Invalid.field(
            "/currency", "unknown_currency", f"{code}: no currency that this gateway knows"
        )
    return max(found)


async def _offered(desk: Desk, package_id: str) -> Package:
    try:
        package = await repository.package_of(
            desk.session, desk.actor.tenant, package_id, livemode=desk.actor.livemode
        )
    except NotFound as fault:
        raise Invalid.field("/package_id", "unknown_package", fault.detail) from fault
    if not package.active:
        raise Invalid.field("/package_id", "package_closed", "this package takes nobody new")
    return package


def _require_charging(desk: Desk) -> None:
    """Refuse who may not take money from a customer: a subscription would do it for him."""
    if CHARGING not in desk.actor.scopes:
        raise Forbidden(f"charging a customer's balance needs {CHARGING}")


async def _require_method(desk: Desk, method: str, pointer: str) -> None:
    try:
        await currency_of_mode(desk.session, method, livemode=desk.actor.livemode)
    except Invalid as fault:
        raise Invalid.field(pointer, fault.code, fault.detail) from fault
