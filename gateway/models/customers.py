"""A merchant's customers."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import Table, TextKey


class Customer(Table):
    """Whoever pays a merchant again and again; `reference` is the merchant's own word for it."""

    __tablename__ = "customer"
    id: Mapped[TextKey]
    merchant_id: Mapped[str]
    livemode: Mapped[bool]
    reference: Mapped[str | None]
    email: Mapped[str | None]
    name: Mapped[str | None]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
