"""Asking a local network's watcher to play a payment.

The API never talks to a node: it writes what is wanted, and the watcher pays on its chain from an
account that has money there for nothing. From there on everything is as with real money.
"""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import Conflict, Invalid
from gateway.invoices.activation import choose
from gateway.invoices.documents import Option
from gateway.invoices.repository import invoice_of, options_of
from gateway.invoices.service import Desk
from gateway.models import Invoice
from gateway.settings import Settings
from gateway.simulation import repository
from gateway.simulation.documents import SimulationDocument, simulation_document

NEEDS_AMOUNT = frozenset({"partial", "over"})


async def simulate(
    desk: Desk, invoice_id: str, case: str, payment_method: str | None
) -> SimulationDocument:
    """Write the request; raise `Conflict` where this cannot be played, with a code that says why."""
    session, actor, moment = desk.session, desk.actor, desk.moment
    invoice = await invoice_of(
        session, actor.tenant, invoice_id, livemode=actor.livemode, lock=True
    )
    if invoice.livemode:
        raise Conflict("real money is not played with", code="test_mode_only")
    option = await _option(session, desk.settings, invoice, payment_method)
    _require_possible(invoice, option, case, desk.settings)
    if invoice.status != "pending" or moment.at >= invoice.expires_at:
        raise Conflict("the invoice is not open any more", code="invoice_not_open")
    if await repository.under_way(session, invoice.id):
        raise Conflict("a simulation is under way", code="simulation_running")
    await choose(session, desk.settings, invoice, option.currency.id, moment)
    row = await repository.add(
        session,
        {
            "id": moment.id("sim"),
            "merchant_id": invoice.merchant_id,
            "invoice_id": invoice.id,
            "network_id": option.network.id,
            "currency_id": option.currency.id,
            "scenario": case,
            "created_by": actor.key_id,
        },
    )
    after = {"simulation": row.id, "case": case, "payment_method": option.currency.id}
    await desk.note("invoice.simulated", invoice.id, after)
    return simulation_document(row)


async def _option(
    session: AsyncSession, settings: Settings, invoice: Invoice, payment_method: str | None
) -> Option:
    """Return the option to pay with: on a network that is local by settings and database alike."""
    options = (await options_of(session, [invoice.id]))[invoice.id]
    known = await repository.local_networks(session)
    local = [
        option
        for option in options
        if option.network.id in known
        and (network := settings.networks.get(option.network.id)) is not None
        and network.test
        and network.local
    ]
    if payment_method is None:
        return _first(local)
    if payment_method not in {option.currency.id for option in options}:
        raise Invalid.field(
            "/payment_method", "unknown_payment_method", "no payment method of this invoice"
        )
    return _first([option for option in local if option.currency.id == payment_method])


def _first(options: Sequence[Option]) -> Option:
    """Return the first option, of those that have an address the first."""
    if not options:
        raise Conflict("this is played on local networks only", code="network_not_local")
    return min(options, key=lambda option: (option.row.address is None, option.currency.id))


def _require_possible(invoice: Invoice, option: Option, case: str, settings: Settings) -> None:
    if case in settings.networks[option.network.id].unplayable:
        raise Conflict(
            f"the local chain of {option.network.display_name} cannot play this",
            code="not_supported_here",
        )
    if invoice.amount is None and case in NEEDS_AMOUNT:
        raise Conflict(
            "an open amount is neither paid in part nor too much", code="not_supported_here"
        )
