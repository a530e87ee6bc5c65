"""Request bodies about simulations."""

from typing import Literal

import msgspec

from gateway.http.parts import MethodId

Case = Literal["paid", "partial", "over", "late", "reorg", "slow_confirm"]


class Simulate(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What should happen to the invoice; without a method the first one on a local network."""

    case: Case
    payment_method: MethodId | None = None
