"""Request bodies and query parameters about customers."""

from typing import Annotated, Literal

import msgspec
from litestar.params import Parameter
from msgspec import UNSET, UnsetType

from gateway.http.parts import Amount, Email, Metadata, MethodId

Reference = Annotated[str, msgspec.Meta(min_length=1, max_length=63)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
NetworkName = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Description = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
ReferralCode = Annotated[str, msgspec.Meta(pattern="^[A-Z0-9]{4,32}$(?!\n)")]
TextParameter = Annotated[str | None, Parameter(min_length=1, max_length=254)]
IdParameter = Annotated[str | None, Parameter(max_length=64)]


class CreateCustomer(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Somebody who pays again and again; `reference` is your own word, one customer's at a time.

    `referral_code` says who referred it, at birth or never.
    """

    reference: Reference | None = None
    email: Email | None = None
    name: Name | None = None
    metadata: Metadata = {}
    referral_code: ReferralCode | None = None


class ChangeCustomer(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to change; fields that are left out stay, `null` takes one away."""

    reference: Reference | UnsetType | None = UNSET
    email: Email | UnsetType | None = UNSET
    name: Name | UnsetType | None = UNSET
    metadata: Metadata | UnsetType = UNSET


class GiveAddress(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The network on which the customer shall have an address."""

    network: NetworkName


class CreateTransfer(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Money to move: `charge` from the customer to you, `grant` the other way."""

    direction: Literal["charge", "grant"]
    payment_method: MethodId
    amount: Amount
    description: Description | None = None
