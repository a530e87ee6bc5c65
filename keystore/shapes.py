"""What every wire type is made of: closed schemas, and the words that several of them use."""

from typing import Annotated, Literal

import msgspec

Family = Literal["ethereum", "tron", "solana"]
Purpose = Literal["pool", "hot", "gas"]
Class = Literal["automatic", "approved", "merchant_signed", "sweep", "block"]
"""What a rule of the policy asks for before money leaves."""
ClockState = Literal["right", "behind", "jumped"]
"""How the keystore's clock stands to its journal and to the time since boot."""

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A whole number of a request: one that SQLite and every codec here can hold."""


class Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Closed schema: an unknown field is an error."""
