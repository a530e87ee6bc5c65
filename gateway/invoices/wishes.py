"""What a merchant usually wants of its invoices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import send_later
from gateway.domain.confirmation import confirmations_for
from gateway.domain.errors import NotFound
from gateway.line import Later

_ASKED = "wishes"
_WISHES = """
SELECT m.invoice_expiry_minutes, m.monitoring_days, m.tolerance_basis_points, s.payment_methods,
    s.confirmation_policy, s.success_url, s.cancel_url, s.tax_rate, s.tax_label, s.tax_inclusive
FROM merchant m LEFT JOIN merchant_settings s ON s.merchant_id = m.id
WHERE m.id = %(merchant_id)s AND m.deleted_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for a merchant's invoice that says nothing of it."""

    expiry: timedelta
    monitoring: timedelta
    tolerance_basis_points: int


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


async def ask_wishes(session: AsyncSession, merchant_id: str) -> None:
    """Have `wishes_of` answered by the round trip of whatever comes next."""
    session.info[_ASKED] = {merchant_id: await _asked(session, merchant_id)}


async def wishes_of(session: AsyncSession, merchant_id: str) -> tuple[Defaults, Wishes]:
    """Return what the house grants a merchant's invoices and what it usually wants of them."""
    asked: dict[str, Later] = session.info.get(_ASKED, {})
    later = asked.pop(merchant_id, None)
    found = await (later or await _asked(session, merchant_id)).rows()
    if not found:
        raise NotFound("there is no such merchant")
    [(minutes, days, tolerance, methods, tiers, success, cancel, rate, label, inclusive)] = (
        found
    )
    return Defaults(timedelta(minutes=minutes), timedelta(days=days), tolerance), Wishes(
        payment_methods=methods,
        tiers=tiers,
        success_url=success,
        cancel_url=cancel,
        tax_rate=rate,
        tax_label=label,
        tax_on_top=None if inclusive else rate,
    )


async def _asked(session: AsyncSession, merchant_id: str) -> Later:
    return await send_later(session, _WISHES, {"merchant_id": merchant_id})
