"""A merchant's customers, and money between the two."""

from datetime import datetime
from typing import Any

from sqlalchemy import Computed
from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import Table, TextKey, UnitsColumn


class Customer(Table):
    """Whoever pays a merchant again and again; `reference` is the merchant's own word for it.

    The id is also the name of the account in the ledger that holds the customer's balance. Each
    `*_key` is the text in small letters, for searching.
    """

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
    referred_by: Mapped[str | None]
    deleted_at: Mapped[datetime | None]
    reference_key: Mapped[str | None] = mapped_column(Computed("lower(reference)"))
    email_key: Mapped[str | None] = mapped_column(Computed("lower(email)"))
    name_key: Mapped[str | None] = mapped_column(Computed("lower(name)"))


class CustomerTransfer(Table):
    """Money that a merchant took from a customer (`charge`) or gave to it (`grant`)."""

    __tablename__ = "customer_transfer"
    id: Mapped[TextKey]
    merchant_id: Mapped[str]
    livemode: Mapped[bool]
    customer_id: Mapped[str]
    currency_id: Mapped[str]
    direction: Mapped[str]
    units: Mapped[UnitsColumn]
    description: Mapped[str | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
