"""What the page of one invoice needs; who looks has nothing but its id."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.catalog.repository import scanned_heights
from gateway.checkout.branding import Brand, brand_of
from gateway.db import CROSS_TENANT, Database
from gateway.domain.actor import Actor
from gateway.domain.errors import NotFound
from gateway.domain.money import to_text
from gateway.invoices.activation import genuine
from gateway.invoices.deposit_documents import confirmations_of
from gateway.invoices.documents import STANDING, InvoiceDocument, Option
from gateway.invoices.repository import (
    deposits_of,
    documents_of,
    merchant_id_of,
    options_of,
)
from gateway.models import Deposit, Invoice, Merchant, MerchantSettings
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Sighting:
    """One payment: `confirmations` is None until its network's watcher has spoken.

    `required` settle the invoice; None where the chain alone says what is final.
    """

    method: str
    amount: str
    tx_hash: str
    confirmations: int | None
    required: int | None
    final: bool


@dataclass(frozen=True, slots=True)
class Checkout:
    """Everything that the page shows, as of `now`."""

    invoice: InvoiceDocument
    brand: Brand
    payments: Sequence[Sighting]
    now: datetime

    @property
    def merchant(self) -> str:
        """Return the name that payers see."""
        return self.brand.name


async def payer_of(database: Database, invoice_id: str) -> Actor:
    """Return somebody who acts with nothing but an invoice's id, inside its merchant's tenant."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        merchant_id = await merchant_id_of(session, invoice_id)
    if merchant_id is None:
        raise NotFound("there is no such invoice")
    return Actor("checkout", merchant_id, frozenset(), livemode=False)


async def opened(
    session: AsyncSession, settings: Settings, invoice_id: str, now: datetime
) -> Checkout:
    """Gather the page of one invoice of the session's tenant; its addresses are proved."""
    invoice = await session.get_one(Invoice, invoice_id)
    brand = await _brand(session, invoice.merchant_id)
    [document] = await documents_of(
        session, [invoice], public_url=settings.api.public_url, check=genuine(settings)
    )
    options = (await options_of(session, [invoice.id]))[invoice.id]
    deposits = (await deposits_of(session, [invoice.id]))[invoice.id]
    heads = await scanned_heights(session) if deposits else {}
    by_currency = {option.currency.id: option for option in options}
    required = {o.payment_method: o.confirmations_required for o in document.payment_options}
    return Checkout(
        invoice=document,
        brand=brand,
        payments=[
            _sighting(
                deposit,
                by_currency[deposit.currency_id],
                heads,
                required[deposit.currency_id],
            )
            for deposit in deposits
            if deposit.status in STANDING and deposit.currency_id in by_currency
        ],
        now=now,
    )


async def standing_of(
    session: AsyncSession, settings: Settings, invoice_id: str
) -> InvoiceDocument:
    """Return the invoice for its state alone; its addresses are not proved, so not shown."""
    invoice = await session.get_one(Invoice, invoice_id)
    [document] = await documents_of(session, [invoice], public_url=settings.api.public_url)
    return document


async def _brand(session: AsyncSession, merchant_id: str) -> Brand:
    """Return the merchant's look; an account that has ended keeps its invoices' pages."""
    query = (
        select(Merchant, MerchantSettings)
        .outerjoin(MerchantSettings, MerchantSettings.merchant_id == Merchant.id)
        .where(Merchant.id == merchant_id)
    )
    merchant, wishes = (await session.execute(query)).one()
    return brand_of(merchant, wishes)


def _sighting(
    deposit: Deposit, option: Option, heads: Mapping[str, int], required: int | None
) -> Sighting:
    return Sighting(
        method=f"{option.currency.code} on {option.network.display_name}",
        amount=f"{to_text(deposit.units, option.currency.decimals)}",
        tx_hash=deposit.tx_hash,
        confirmations=confirmations_of(deposit, heads),
        required=required,
        final=deposit.status == "confirmed",
    )
