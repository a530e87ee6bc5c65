"""A bill that waits: whether it may have been paid in time, and what it asks for as prices move."""

from gateway.catalog.service import is_lagging
from gateway.domain.errors import Refusal
from gateway.invoices.changes import Stale, refresh_stale
from gateway.invoices.repository import options_of
from gateway.invoices.service import Desk
from gateway.models import Invoice, NetworkHealth, Subscription
from gateway.subscriptions.repository import Account, called_off, open_period

MOVED_BASIS_POINTS = 100
"""A bill may wait for months: its rates follow a price that has moved by so much."""
UNDECIDED = ("pending", "processing", "settled")


async def take_back(desk: Desk, row: Subscription) -> bool:
    """Void the open period where its bill was called off, so that it is billed anew; tell whether."""
    period = await open_period(desk.session, row.id)
    if period is None or period.invoice_id is None:
        return False
    invoice = await desk.session.get_one(
        Invoice, period.invoice_id, with_for_update=True, populate_existing=True
    )
    if called_off(invoice) is None:
        return False
    period.status, row.reason = "void", None
    await desk.session.flush()
    return True


async def may_be_paid_yet(desk: Desk, account: Account) -> bool:
    """Tell whether a payment in time may stand in a block that nobody has read yet, or was read.

    The invoice is looked at last: whoever reads a block moves it first and says so afterwards.
    """
    invoice = account.invoice
    if invoice is None:
        return False
    for option in (await options_of(desk.session, [invoice.id]))[invoice.id]:
        network = desk.settings.networks.get(option.network.id)
        if option.row.address is None or network is None:
            continue
        health = await desk.session.get(
            NetworkHealth, option.network.id, populate_existing=True
        )
        if is_lagging(health, desk.moment.at, network.lag_seconds_max):
            return True
    await desk.session.refresh(invoice)
    return invoice.status in UNDECIDED


async def reprice(desk: Desk, account: Account) -> bool:
    """Lock the old rates of a bill that is open anew; tell whether they are to be looked at again."""
    invoice, at = account.invoice, desk.moment.at
    if invoice is None or invoice.status != "pending" or at >= invoice.expires_at:
        return False
    stale = Stale(at - account.rates_last, MOVED_BASIS_POINTS)
    try:
        async with desk.session.begin_nested():
            await refresh_stale(desk, invoice.id, stale)
    except Refusal:
        # Without a price what is locked holds; whoever was faster has closed it.
        await desk.session.refresh(invoice)
    return True
