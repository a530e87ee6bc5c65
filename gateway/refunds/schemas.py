"""Request bodies about refunds of invoices."""

from typing import Annotated, Literal

import msgspec

from gateway.http.parts import Amount, Metadata, MethodId
from gateway.withdrawals.schemas import Destination, Reason, Reference

Kind = Annotated[
    Literal["full", "excess", "remainder"],
    msgspec.Meta(description="All of it, what was too much, or what is left."),
]


class CreateRefund(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A refund: `amount` lowers what the kind would pay.

    `payment_method` is needed where the invoice was paid in several. The payer's own address is
    asked for: where a payment came from is often an exchange.
    """

    kind: Kind
    destination: Destination
    reason: Reason
    amount: Amount | None = None
    payment_method: MethodId | None = None
    reference: Reference | None = None
    metadata: Metadata = {}
