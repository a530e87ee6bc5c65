"""Request bodies and query parameters of the operator's desk."""

from typing import Annotated, Literal

import msgspec
from litestar.params import Parameter

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Destination = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Why = Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"\S")]
Reason = Literal[
    "wrong_asset",
    "address_not_assigned",
    "address_unverified",
    "below_minimum",
    "asset_not_listed",
    "account_not_canonical",
]
Status = Literal["pending", "approved", "paying", "done", "rejected", "failed"]
Text = Annotated[str | None, Parameter(max_length=128)]


class AssignDeposit(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Whose the deposit shall be; with an invoice it counts for that one. `reason` is on record."""

    merchant_id: Id
    invoice_id: Id | None = None
    reason: Why


class RefundDeposit(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where the whole deposit shall be paid out to. `reason` is on record."""

    destination: Destination
    reason: Why


class Decision(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Why the request is approved or rejected."""

    reason: Why
