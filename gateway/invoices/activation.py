"""Giving a payment option its address: one per network and invoice, proved before it is shown."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.addresses.service import claim, require_genuine
from gateway.addresses.signature import SignedAddress
from gateway.catalog.service import NETWORK_LAGGING, is_lagging
from gateway.domain.errors import Conflict, Invalid, NotFound, Unavailable
from gateway.domain.moment import Moment
from gateway.invoices import repository
from gateway.invoices.documents import Option
from gateway.invoices.offers import TOO_SMALL, too_small
from gateway.invoices.repository import Check
from gateway.models import Invoice, NetworkHealth, PaymentOption
from gateway.settings import Settings


def genuine(settings: Settings) -> Check:
    """Return the check that an option's address, if it has one, was made by the keystore."""

    def check(option: Option) -> None:
        signed = signed_address(option.row)
        if signed is not None:
            require_genuine(signed, settings.keystore.pool_public_key, option.row.invoice_id)

    return check


def signed_address(row: PaymentOption) -> SignedAddress | None:
    """Return the pool row that was copied into an option, None before it was chosen.

    A half-filled row is nothing that we wrote: it reads as one that nobody signed.
    """
    if row.address is None:
        return None
    return SignedAddress(
        network=row.network_id,
        index=-1 if row.address_index is None else row.address_index,
        path=row.address_path or "",
        address=row.address,
        signature=row.address_signature or b"",
    )


async def choose(
    session: AsyncSession,
    settings: Settings,
    invoice: Invoice,
    payment_method: str,
    moment: Moment,
) -> bool:
    """Give one option of a locked invoice its address; False where it has one already.

    Raises `NotFound`, `Conflict` once the invoice is no longer open, `Invalid` where what is left of it
    is too little for the method, `Unavailable`.
    """
    options = (await repository.options_of(session, [invoice.id]))[invoice.id]
    chosen = next((o for o in options if o.currency.id == payment_method), None)
    if chosen is None:
        raise NotFound(f"this invoice has no payment method {payment_method[:64]}")
    if chosen.row.address is not None:
        return False
    if invoice.status != "pending":
        raise Conflict(f"the invoice is {invoice.status}", code="invoice_not_open")
    if moment.at >= invoice.expires_at:
        raise Conflict("the invoice has expired", code="invoice_not_open")
    await _refuse_dust(session, settings, invoice, chosen)
    await _refuse_lagging(session, settings, chosen, moment)
    await assign(session, settings, chosen.row, [o.row for o in options], moment)
    await session.flush()
    return True


async def assign(
    session: AsyncSession,
    settings: Settings,
    row: PaymentOption,
    siblings: Sequence[PaymentOption],
    moment: Moment,
) -> None:
    """Write an address into an option: that of its network's other options, or a new one."""
    public_key = settings.keystore.pool_public_key
    shared = next(
        (s for s in siblings if s.network_id == row.network_id and s.address is not None), None
    )
    signed = None if shared is None else signed_address(shared)
    if signed is None:
        signed = await claim(session, row.network_id, row.invoice_id, moment.at, public_key)
    else:
        require_genuine(signed, public_key, row.invoice_id)
    row.address = signed.address
    row.address_index = signed.index
    row.address_path = signed.path
    row.address_signature = signed.signature
    row.activated_at = moment.at


async def _refuse_dust(
    session: AsyncSession, settings: Settings, invoice: Invoice, option: Option
) -> None:
    if invoice.exception != "paid_partial":
        return  # all of it was enough when the option was made
    [document] = await repository.documents_of(
        session, [invoice], public_url=settings.api.public_url
    )
    [shown] = [o for o in document.payment_options if o.payment_method == option.currency.id]
    if shown.reason == TOO_SMALL:
        raise Invalid(too_small([option.currency]), code=TOO_SMALL)


async def _refuse_lagging(
    session: AsyncSession, settings: Settings, option: Option, moment: Moment
) -> None:
    network = settings.networks.get(option.network.id)
    health = await session.get(NetworkHealth, option.network.id, populate_existing=True)
    if network is None or is_lagging(health, moment.at, network.lag_seconds_max):
        raise Unavailable(
            f"{option.network.display_name} cannot be watched now", code=NETWORK_LAGGING
        )
