"""Transfers to addresses of ours, and where each was seen."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import Table, TextKey, Units, UnitsColumn


class Deposit(Table):
    """One transfer, named for good by (network, tx, kind, ordinal)."""

    __tablename__ = "deposit"
    id: Mapped[TextKey]
    network_id: Mapped[str]
    tx_hash: Mapped[str]
    kind: Mapped[str]
    ordinal: Mapped[int]
    currency_id: Mapped[str]
    units: Mapped[UnitsColumn]
    sender: Mapped[str]
    address: Mapped[str]
    purpose: Mapped[str]
    merchant_id: Mapped[str | None]
    invoice_id: Mapped[str | None]
    customer_id: Mapped[str | None]
    fee_units: Mapped[int] = mapped_column(Units, default=0)
    reversals: Mapped[int] = mapped_column(default=0)
    """How often it was final and was taken back: its journals since then have names of their own."""
    status: Mapped[str]
    reason: Mapped[str | None]
    late: Mapped[bool]
    block_height: Mapped[int]
    block_hash: Mapped[str]
    block_time: Mapped[datetime]
    detected_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]

    @property
    def place(self) -> tuple[str, str]:
        """Return address and currency: small deposits add up there."""
        return self.address, self.currency_id


class DepositSighting(Table):
    """A block in which a deposit stood."""

    __tablename__ = "deposit_sighting"
    deposit_id: Mapped[TextKey]
    block_hash: Mapped[TextKey]
    block_height: Mapped[int]
    units: Mapped[UnitsColumn]
    orphaned: Mapped[bool]
    seen_at: Mapped[datetime]
