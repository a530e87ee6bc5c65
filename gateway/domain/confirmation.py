"""How many confirmations settle an invoice of a certain amount: the merchant's tiers.

A merchant who takes the risk lets small invoices settle before finality; the balance waits for
finality all the same. A policy is a list of tiers in JSON: `{"below": "100.00", "currency":
"USD", "confirmations": 1}` settles invoices of less than 100 USD with one confirmation. What no
tier covers settles when it is final.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any


def confirmations_for(
    tiers: Iterable[Mapping[str, Any]] | None, amount: Decimal | None, currency: str
) -> int | None:
    """Return the confirmations of the lowest tier above `amount`, None for finality.

    An open amount may become any amount: it waits for finality. A tier in another currency says
    nothing about this invoice.
    """
    if amount is None:
        return None
    fitting = [
        (Decimal(str(tier["below"])), int(tier["confirmations"]))
        for tier in tiers or ()
        if tier.get("currency") == currency and amount < Decimal(str(tier["below"]))
    ]
    return min(fitting)[1] if fitting else None
