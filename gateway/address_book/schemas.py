"""Request bodies about the address book."""

from typing import Annotated

import msgspec
from litestar.params import Parameter

NetworkName = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Address = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
NetworkParameter = Annotated[str | None, Parameter(max_length=64)]


class CreateEntry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A destination to remember; it counts when its cool-down is over."""

    network: NetworkName
    address: Address
    label: Label


class ChangeEntry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to change: another address is another entry."""

    label: Label


class ChangeWithdrawalSettings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Whether withdrawals go to entries of the book only; opening it takes a cool-down."""

    address_book_only: bool
