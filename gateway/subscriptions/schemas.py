"""Request bodies and query parameters about packages and subscriptions."""

from typing import Annotated, Literal

import msgspec
from litestar.params import Parameter
from msgspec import UNSET, UnsetType

from gateway.domain.subscription import Unit
from gateway.http.parts import Amount, MethodId

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=16)]
Count = Annotated[int, msgspec.Meta(ge=1, le=366)]
Days = Annotated[int, msgspec.Meta(ge=0, le=366)]
ReminderDays = Annotated[int, msgspec.Meta(ge=0, le=30)]
GraceDays = Annotated[int, msgspec.Meta(ge=1, le=90)]
Methods = Annotated[list[MethodId], msgspec.Meta(min_length=1, max_length=50)]
Status = Literal["trialing", "active", "past_due", "canceled", "ended"]
IdParameter = Annotated[str | None, Parameter(max_length=64)]


class CreatePackage(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A price per `period_count` periods; without `payment_methods` whatever there is."""

    name: Name
    price: Amount
    currency: Code
    period: Unit
    period_count: Count = 1
    trial_days: Days = 0
    payment_methods: Methods | None = None


class ChangePackage(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to change: another price is another package."""

    name: Name | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class CreateSubscription(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A member to bill: `reminder_days` before a period, until `grace_days` into it.

    With `auto_charge`, a payment method, the customer's balance in it pays first.
    """

    customer_id: Id
    package_id: Id
    auto_charge: MethodId | None = None
    reminder_days: ReminderDays = 3
    grace_days: GraceDays = 7


class CancelSubscription(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Whether what is paid still counts."""

    at_period_end: bool = False


class ChangePlan(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to bill from the next period on."""

    package_id: Id
