"""Orders that people approve, their proofs, the keystore's policy as published, and pauses."""

from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import Table, TextKey, UnitsColumn


class PolicySnapshot(Table):
    """What the keystore of a network goes by; `fingerprint` is empty where it has no policy."""

    __tablename__ = "policy_snapshot"
    network_id: Mapped[TextKey]
    fingerprint: Mapped[str]
    rules: Mapped[list[Any]] = mapped_column(JSONB)
    approvers: Mapped[list[Any]] = mapped_column(JSONB)
    published_at: Mapped[datetime]


class ApprovalOrder(Table):
    """A withdrawal as people approve it. It never changes; an expired one gets a new revision.

    `asset` is `native` or the contract or mint; `expires_ms` is Unix time.
    """

    __tablename__ = "approval_order"
    id: Mapped[TextKey]
    withdrawal_id: Mapped[str]
    revision: Mapped[int]
    network_id: Mapped[str]
    asset: Mapped[str]
    destination: Mapped[str]
    units: Mapped[UnitsColumn]
    fee_ceiling_units: Mapped[UnitsColumn]
    merchant_id: Mapped[str | None]
    requested_by: Mapped[str]
    expires_ms: Mapped[int]
    created_at: Mapped[datetime]


class Approval(Table):
    """One person's proof for one order."""

    __tablename__ = "approval"
    order_id: Mapped[TextKey]
    approver: Mapped[TextKey]
    proof: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class OrderRefusal(Table):
    """One person's signed no; the order is closed by it."""

    __tablename__ = "refusal"
    order_id: Mapped[TextKey]
    approver: Mapped[str]
    reason: Mapped[str]
    proof: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class Pause(Table):
    """Payouts that an operator stopped: what fits everything that is named here."""

    __tablename__ = "pause"
    id: Mapped[TextKey]
    livemode: Mapped[bool]
    network_id: Mapped[str | None]
    currency_id: Mapped[str | None]
    merchant_id: Mapped[str | None]
    reason: Mapped[str]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str | None]
