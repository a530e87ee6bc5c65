"""Value that no payment explains, and what operators asked to do about it."""

from datetime import date, datetime

from sqlalchemy import Date
from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import Table, TextKey, UnitsColumn


class Stray(Table):
    """Something unlisted, or out of a sweep's reach, at an address of ours; in no ledger."""

    __tablename__ = "stray"
    id: Mapped[TextKey]
    network_id: Mapped[str]
    tx_hash: Mapped[str]
    kind: Mapped[str]
    ordinal: Mapped[int]
    asset: Mapped[str]
    units: Mapped[UnitsColumn]
    sender: Mapped[str]
    address: Mapped[str]
    reason: Mapped[str]
    status: Mapped[str]
    block_height: Mapped[int]
    block_hash: Mapped[str]
    block_time: Mapped[datetime]
    detected_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]


class StrayDay(Table):
    """How many strays of one address, day and asset have a row, and how many more there were.

    `asset` is empty where more assets came than are told apart. `largest_units` is the largest of
    those that have a row.
    """

    __tablename__ = "stray_day"
    network_id: Mapped[TextKey]
    address: Mapped[TextKey]
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    kept: Mapped[int]
    dropped: Mapped[int]
    asset: Mapped[TextKey] = mapped_column(default="")
    largest_units: Mapped[UnitsColumn]
    dropped_units: Mapped[UnitsColumn]


class Resolution(Table):
    """One operator's request about an unattributed deposit, another's decision, and its end."""

    __tablename__ = "resolution"
    id: Mapped[TextKey]
    deposit_id: Mapped[str]
    network_id: Mapped[str]
    kind: Mapped[str]
    merchant_id: Mapped[str | None]
    invoice_id: Mapped[str | None]
    destination: Mapped[str | None]
    reason: Mapped[str]
    status: Mapped[str]
    failure_reason: Mapped[str | None]
    withdrawal_id: Mapped[str | None]
    requested_by: Mapped[str]
    decided_by: Mapped[str | None]
    created_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
