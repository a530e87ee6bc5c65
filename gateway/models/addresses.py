"""The pool of deposit addresses, derived ahead by the keystore and signed by it."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import SerialKey, Table, TextKey


class AddressPool(Table):
    """One derived address; once assigned it belongs to one invoice or one customer for good."""

    __tablename__ = "address_pool"
    id: Mapped[SerialKey]
    network_id: Mapped[str]
    index: Mapped[int]
    path: Mapped[str]
    address: Mapped[str]
    signature: Mapped[bytes]
    status: Mapped[str]
    merchant_id: Mapped[str | None]
    invoice_id: Mapped[str | None]
    customer_id: Mapped[str | None]
    created_at: Mapped[datetime]
    assigned_at: Mapped[datetime | None]


class FreeAddress(Table):
    """Queue of addresses that nobody has been shown."""

    __tablename__ = "free_address"
    network_id: Mapped[TextKey]
    address_id: Mapped[int] = mapped_column(primary_key=True)
