"""What the watchers have read: blocks, cursors, transactions that touch us."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import Table, TextKey, UnitsColumn


class Block(Table):
    """One processed block; orphaned ones stay."""

    __tablename__ = "block"
    network_id: Mapped[TextKey]
    height: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[TextKey]
    parent_hash: Mapped[str]
    block_time: Mapped[datetime]
    transactions: Mapped[int]
    provider: Mapped[str]
    orphaned: Mapped[bool]
    scanned_at: Mapped[datetime]


class Cursor(Table):
    """Where scanning stands on one network, and which watcher holds the lease."""

    __tablename__ = "cursor"
    network_id: Mapped[TextKey]
    height: Mapped[int]
    hash: Mapped[str]
    final_height: Mapped[int]
    halted: Mapped[str | None]
    epoch: Mapped[int]
    holder: Mapped[str | None]
    leased_until: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class Transaction(Table):
    """A chain transaction that paid us or that we sent."""

    __tablename__ = "transaction"
    id: Mapped[TextKey]
    network_id: Mapped[str]
    tx_hash: Mapped[str]
    direction: Mapped[str]
    status: Mapped[str]
    block_height: Mapped[int]
    block_hash: Mapped[str]
    block_time: Mapped[datetime]
    payer_spent_units: Mapped[UnitsColumn]
    seen_at: Mapped[datetime]
    final_at: Mapped[datetime | None]
