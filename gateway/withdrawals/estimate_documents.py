"""What the world sees of an estimate."""

from datetime import datetime
from typing import Any

import msgspec


class NetworkFeeDocument(msgspec.Struct, kw_only=True):
    """What the network would take from the operator, in its own coin.

    `parts` has the figures behind it, as the network's family names them.
    """

    currency: str
    typical: str
    typical_atomic: str
    ceiling: str
    ceiling_atomic: str
    parts: dict[str, Any]
    published_at: datetime


class DestinationDocument(msgspec.Struct, kw_only=True):
    """What is known of a destination: `status` is `valid`, `refused` (with its code) or `unknown`.

    `creates` is what a first payment brings into being there (`activation`, `token_account`), at
    the operator's cost.
    """

    address: str
    status: str
    code: str | None = None
    detail: str = ""
    kind: str | None = None
    creates: str | None = None
    creation_cost: str | None = None


class PolicyDocument(msgspec.Struct, kw_only=True):
    """Who would decide at the operator's gate: `automatic`, `approvals`, `blocked` or `unknown`."""

    decision: str
    rule: str | None = None
    approvals_needed: int = 0
    detail: str = ""


class EstimateDocument(msgspec.Struct, kw_only=True):
    """What a payout would take: `total` is held, the destination receives exactly `amount`.

    `network_fee` is the operator's, null where no fresh quote is published. `creator_may_approve`
    says whether the key that asks could also approve. `available` is the customer's where
    `customer_id` says whose balance would pay. Nothing of this binds anybody.
    """

    object: str
    livemode: bool
    payment_method: str
    customer_id: str | None
    amount: str
    amount_atomic: str
    fee_charged: str
    total: str
    total_atomic: str
    available: str
    sufficient: bool
    network_fee: NetworkFeeDocument | None
    destination: DestinationDocument | None
    creator_may_approve: bool
    policy: PolicyDocument
