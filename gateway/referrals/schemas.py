"""Request bodies and query parameters about referrals."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from litestar.params import Parameter

CustomerId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Vanity = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9]{4,32}$(?!\n)")]
BasisPoints = Annotated[int, msgspec.Meta(ge=0, le=10_000)]
FeeBasisPoints = Annotated[int, msgspec.Meta(ge=0, le=2_000)]
Rates = Annotated[list[BasisPoints], msgspec.Meta(max_length=10)]
Begins = Annotated[datetime, msgspec.Meta(tz=True)]

Id = Annotated[str | None, Parameter(max_length=64)]
Status = Literal["earned", "reversed"]
Programme = Literal["house", "merchant"]
Period = Literal["day", "week", "month"]


class CreateCode(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A code for yourself, or for one of your customers."""

    customer: CustomerId | None = None


class GiveCode(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A code of one's own choice, in capital letters and digits."""

    code: Vanity


class CreateSchedule(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Your own programme: rates of levels 1, 2, ... and how much of a payment there is to share.

    All rates together are 10000 at most. Without a time they count from now on.
    """

    rates: Rates
    share_basis_points: BasisPoints
    effective_from: Begins | None = None


class CreateHouseSchedule(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The house's programme: rates of levels 1, 2, ... in basis points of the fee that was earned."""

    rates: Rates
    effective_from: Begins | None = None


class SetFee(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What the house keeps of each payment from now on."""

    basis_points: FeeBasisPoints
