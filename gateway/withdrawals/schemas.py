"""Request bodies and query parameters about withdrawals."""

from typing import Annotated, Literal

import msgspec
from litestar.params import Parameter

from gateway.http.parts import Amount, Metadata, MethodId

Destination = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Reference = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
CustomerId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Status = Literal[
    "pending",
    "approved",
    "signing",
    "broadcast",
    "confirming",
    "completed",
    "rejected",
    "canceled",
    "failed",
]
MethodParameter = Annotated[str | None, Parameter(max_length=64)]
IdParameter = Annotated[str | None, Parameter(max_length=64)]
TxHashParameter = Annotated[str | None, Parameter(max_length=128)]
ReferenceParameter = Annotated[str | None, Parameter(max_length=200)]


class CreateWithdrawal(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A payout to ask for: the destination receives exactly `amount`, a decimal string.

    `reference` is the merchant's own name for it and can be used once. With `customer_id` that
    customer's balance pays it.
    """

    payment_method: MethodId
    amount: Amount
    destination: Destination
    reference: Reference | None = None
    customer_id: CustomerId | None = None
    metadata: Metadata = {}


class CreateBatch(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Payouts to ask for in one call, in the order in which they take from the balance."""

    items: Annotated[list[CreateWithdrawal], msgspec.Meta(min_length=1, max_length=100)]


class EstimateWithdrawal(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A payout to think about, as it would be asked for; with no destination it is only counted.

    With `require_answer` an unknown destination is 503.
    """

    payment_method: MethodId
    amount: Amount
    destination: Destination | None = None
    reference: Reference | None = None
    customer_id: CustomerId | None = None
    metadata: Metadata = {}
    require_answer: bool = False


class RejectWithdrawal(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Why the merchant's approver says no."""

    reason: Reason | None = None
