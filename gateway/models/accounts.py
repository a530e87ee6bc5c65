"""Merchants, people, keys, and the record of who did what."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import SerialKey, Table, TextKey


class Merchant(Table):
    """A business that takes payments: the tenant."""

    __tablename__ = "merchant"
    id: Mapped[TextKey]
    name: Mapped[str]
    email: Mapped[str | None]
    status: Mapped[str]
    invoice_expiry_minutes: Mapped[int]
    monitoring_days: Mapped[int]
    tolerance_basis_points: Mapped[int]
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class User(Table):
    """A person; `role` is ADMIN, OPERATOR or MERCHANT."""

    __tablename__ = "users"
    id: Mapped[TextKey]
    merchant_id: Mapped[str | None]
    email: Mapped[str]
    role: Mapped[str]
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class ApiKey(Table):
    """A key's hash and what it may do; `merchant_id` is null on an operator's key."""

    __tablename__ = "api_key"
    id: Mapped[TextKey]
    merchant_id: Mapped[str | None]
    name: Mapped[str]
    prefix: Mapped[str]
    key_hash: Mapped[bytes]
    scopes: Mapped[list[str]]
    livemode: Mapped[bool]
    allowed_ips: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class AuditLog(Table):
    """Append-only: who did what to which object, with both sides of the change."""

    __tablename__ = "audit_log"
    id: Mapped[SerialKey]
    merchant_id: Mapped[str | None]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    address: Mapped[str | None]
    endpoint: Mapped[str | None]
    request_id: Mapped[str | None]
    at: Mapped[datetime]


class AuditLink(Table):
    """One link of the audit log's chain: a row, and SHA-256 over the link before it and the row."""

    __tablename__ = "audit_link"
    place: Mapped[int] = mapped_column(primary_key=True)
    audit_id: Mapped[int]
    hash: Mapped[bytes]


class AuditPending(Table):
    """A row of the audit log that has no link yet."""

    __tablename__ = "audit_pending"
    audit_id: Mapped[int] = mapped_column(primary_key=True)


class RateWindow(Table):
    """How many requests a key has made since its minute began."""

    __tablename__ = "rate_window"
    key_id: Mapped[TextKey]
    began: Mapped[datetime]
    used: Mapped[int]


class IdempotencyKey(Table):
    """The answer to a request that carried an `Idempotency-Key`."""

    __tablename__ = "idempotency_key"
    merchant_id: Mapped[TextKey]
    endpoint: Mapped[TextKey]
    key: Mapped[TextKey]
    request_hash: Mapped[bytes]
    response_status: Mapped[int | None]
    response_body: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
