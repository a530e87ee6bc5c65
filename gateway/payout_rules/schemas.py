"""Request bodies about payout rules."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.http.parts import Amount, MethodId

EntryId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
PeriodMinutes = Annotated[int, msgspec.Meta(ge=1, le=44_640)]
Approval = Literal["merchant", "automatic"]


class CreateRule(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Pay out what is above `keep` when the balance reaches `threshold`, once per period at most.

    With `automatic` it approves itself below the method's automatic limit; the operator's policy
    decides all the same.
    """

    payment_method: MethodId
    threshold: Amount
    keep: Amount = "0"
    address_book_entry: EntryId
    approval: Approval = "merchant"
    period_minutes: PeriodMinutes = 60
    enabled: bool = True


class ChangeRule(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to change; fields that are left out stay."""

    threshold: Amount | UnsetType = UNSET
    keep: Amount | UnsetType = UNSET
    address_book_entry: EntryId | UnsetType = UNSET
    approval: Approval | UnsetType = UNSET
    period_minutes: PeriodMinutes | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
