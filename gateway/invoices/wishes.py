"""What a merchant usually wants of its invoices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.confirmation import confirmations_for
from gateway.domain.errors import NotFound
from gateway.models import Merchant, MerchantSettings


@dataclass(frozen=True, slots=True)
class Wishes:
    """A merchant's settings for new invoices; one that has set nothing wants nothing special.

    `tax_rate` is a percentage; `tax_on_top` the same where it is not part of the amounts that the
    merchant writes.
    """

    payment_methods: Sequence[str] | None = None
    tiers: Sequence[Mapping[str, Any]] | None = None
    success_url: str | None = None
    cancel_url: str | None = None
    tax_rate: Decimal | None = None
    tax_label: str | None = None
    tax_on_top: Decimal | None = None

    def settling(
        self, asked: int | None, amount: Decimal | None, currency: str
    ) -> tuple[str, int | None]:
        """Return whose policy settles an invoice, and after how many confirmations."""
        if asked is not None:
            return "invoice", asked
        found = confirmations_for(self.tiers, amount, currency)
        return ("final", None) if found is None else ("merchant", found)


async def wishes_of(session: AsyncSession, merchant_id: str) -> tuple[Merchant, Wishes]:
    """Return the merchant with what it usually wants, in one statement."""
    query = (
        select(Merchant, MerchantSettings)
        .outerjoin(MerchantSettings, MerchantSettings.merchant_id == Merchant.id)
        .where(Merchant.id == merchant_id, Merchant.deleted_at.is_(None))
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        raise NotFound("there is no such merchant")
    merchant, row = found
    if row is None:
        return merchant, Wishes()
    return merchant, Wishes(
        payment_methods=row.payment_methods,
        tiers=row.confirmation_policy,
        success_url=row.success_url,
        cancel_url=row.cancel_url,
        tax_rate=row.tax_rate,
        tax_label=row.tax_label,
        tax_on_top=None if row.tax_inclusive else row.tax_rate,
    )
