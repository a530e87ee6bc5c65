"""What a merchant wants: notices, invoices, looks, safety, taxes; and the nonces it has used."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import FetchedValue, Numeric
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import Table, TextKey


class MerchantSettings(Table):
    """One merchant's wishes; a merchant without a row has the house's defaults.

    `notifications` is `{kind: [channel, ...]}`, `tax_rate` a percentage.
    """

    __tablename__ = "merchant_settings"
    merchant_id: Mapped[TextKey]
    notifications: Mapped[dict[str, Any]] = mapped_column(server_default=FetchedValue())
    payment_methods: Mapped[list[str] | None]
    confirmation_policy: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    success_url: Mapped[str | None]
    cancel_url: Mapped[str | None]
    display_name: Mapped[str | None]
    primary_color: Mapped[str | None]
    logo_url: Mapped[str | None]
    tron_qr: Mapped[str] = mapped_column(server_default=FetchedValue())
    allowed_ips: Mapped[list[str]] = mapped_column(server_default=FetchedValue())
    require_signature: Mapped[bool] = mapped_column(server_default=FetchedValue())
    tax_rate: Mapped[Decimal | None] = mapped_column(Numeric(6, 4))
    tax_label: Mapped[str | None]
    tax_inclusive: Mapped[bool] = mapped_column(server_default=FetchedValue())
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=FetchedValue())
    updated_at: Mapped[datetime]


class RequestNonce(Table):
    """A nonce of a signed request, until its window is over."""

    __tablename__ = "request_nonce"
    key_id: Mapped[TextKey]
    nonce: Mapped[TextKey]
    expires_at: Mapped[datetime]
