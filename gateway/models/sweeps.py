"""Pool addresses on their way into the application wallet."""

from datetime import datetime

from sqlalchemy.orm import Mapped

from gateway.models.columns import Table, TextKey, UnitsColumn, UnitsOrNone


class Unswept(Table):
    """Money at a pool address that is final and that no sweep has taken yet.

    `units` is the sum of what arrived since `since`; `reason` says why it waits, as of
    `looked_at`; before `not_before` it is not looked at.
    """

    __tablename__ = "unswept"
    network_id: Mapped[str]
    currency_id: Mapped[TextKey]
    address: Mapped[TextKey]
    pool_index: Mapped[int]
    units: Mapped[UnitsColumn]
    since: Mapped[datetime]
    not_before: Mapped[datetime | None]
    reason: Mapped[str | None]
    looked_at: Mapped[datetime | None]


class Sweep(Table):
    """One emptying of one pool address in one asset.

    Each order is one transaction of ours, by its `attempt.order_id`: gas sent ahead, energy
    lent, the money itself, energy taken back. `order_id` is the one under way, `steps` counts those
    that were begun. Costs are in the network's own coin; above `cost_limit_units` a step waits.
    """

    __tablename__ = "sweep"
    id: Mapped[TextKey]
    network_id: Mapped[str]
    currency_id: Mapped[str]
    address: Mapped[str]
    pool_index: Mapped[int]
    destination: Mapped[str]
    units: Mapped[UnitsColumn]
    since: Mapped[datetime]
    reason: Mapped[str]
    state: Mapped[str]
    order_id: Mapped[str | None]
    steps: Mapped[int]
    funding_order: Mapped[str | None]
    lending_order: Mapped[str | None]
    moving_order: Mapped[str | None]
    returning_order: Mapped[str | None]
    cost_limit_units: Mapped[UnitsOrNone]
    cost_units: Mapped[UnitsColumn]
    returned_units: Mapped[UnitsColumn]
    blocked_reason: Mapped[str | None]
    failure_reason: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
