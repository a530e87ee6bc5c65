"""Merchants, people, keys, and the record of who did what."""

from datetime import datetime
from typing import Any

from sqlalchemy import FetchedValue
from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import SerialKey, Table, TextKey


class Merchant(Table):
    """A business that takes payments: the tenant. `name` is the one that payers see."""

    __tablename__ = "merchant"
    id: Mapped[TextKey]
    name: Mapped[str]
    email: Mapped[str | None]
    status: Mapped[str]
    invoice_expiry_minutes: Mapped[int]
    monitoring_days: Mapped[int]
    tolerance_basis_points: Mapped[int]
    legal_name: Mapped[str | None]
    address: Mapped[dict[str, Any] | None]
    country: Mapped[str | None]
    tax_id: Mapped[str | None]
    website: Mapped[str | None]
    phone: Mapped[str | None]
    support_email: Mapped[str | None]
    support_url: Mapped[str | None]
    verification: Mapped[str] = mapped_column(server_default=FetchedValue())
    verification_note: Mapped[str | None]
    verification_by: Mapped[str | None]
    verification_at: Mapped[datetime | None]
    suspension_reason: Mapped[str | None]
    suspended_by: Mapped[str | None]
    suspended_at: Mapped[datetime | None]
    processing_fee_basis_points: Mapped[int] = mapped_column(default=0)
    referred_by: Mapped[str | None]
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class User(Table):
    """A person; `role` is ADMIN, OPERATOR or MERCHANT, with a `team_role` inside the merchant.

    The API's role may not read `password_hash`: it is never loaded with the row.
    """

    __tablename__ = "users"
    id: Mapped[TextKey]
    merchant_id: Mapped[str | None]
    email: Mapped[str]
    role: Mapped[str]
    team_role: Mapped[str | None]
    username: Mapped[str | None]
    phone: Mapped[str | None]
    status: Mapped[str]
    password_hash: Mapped[str | None] = mapped_column(deferred=True)
    password_changed_at: Mapped[datetime | None]
    email_verified_at: Mapped[datetime | None]
    last_active_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class UserSession(Table):
    """A person signed in. The API's role may not read `token_hash` (SHA-256 of the token).

    With `factor_needed` it may do nothing but present a second factor until `second_factor_at`.
    """

    __tablename__ = "user_session"
    id: Mapped[TextKey]
    user_id: Mapped[str]
    merchant_id: Mapped[str | None]
    token_hash: Mapped[bytes] = mapped_column(deferred=True)
    livemode: Mapped[bool]
    address: Mapped[str | None]
    user_agent: Mapped[str | None]
    created_at: Mapped[datetime]
    last_active_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    factor_needed: Mapped[bool]
    second_factor_at: Mapped[datetime | None]
    stepped_up_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Invitation(Table):
    """A person to be; `mailed` where the token went to the address itself."""

    __tablename__ = "invitation"
    id: Mapped[TextKey]
    merchant_id: Mapped[str | None]
    token_hash: Mapped[bytes] = mapped_column(deferred=True)
    email: Mapped[str]
    role: Mapped[str]
    team_role: Mapped[str | None]
    mailed: Mapped[bool]
    invited_by: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    user_id: Mapped[str | None]
    revoked_at: Mapped[datetime | None]


class OneTimeToken(Table):
    """A proof that was sent to `email`; `purpose` is verify or reset."""

    __tablename__ = "one_time_token"
    id: Mapped[TextKey]
    user_id: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(deferred=True)
    purpose: Mapped[str]
    email: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SignInAttempt(Table):
    """How often a password was tried under one hashed name of account or address."""

    __tablename__ = "sign_in_attempt"
    bucket: Mapped[bytes] = mapped_column(primary_key=True)
    failures: Mapped[int]
    blocked_until: Mapped[datetime]
    at: Mapped[datetime]


class RefusedSignIn(Table):
    """A sign-in that was refused; forgotten after 90 days."""

    __tablename__ = "refused_sign_in"
    id: Mapped[SerialKey]
    merchant_id: Mapped[str | None]
    person: Mapped[str | None]
    account: Mapped[str]
    reason: Mapped[str]
    address: Mapped[str | None]
    endpoint: Mapped[str | None]
    request_id: Mapped[str | None]
    at: Mapped[datetime]


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
    created_by: Mapped[str | None]
    """The person or the first key behind it, an operator too; null where the house made it."""
    made_with: Mapped[str | None] = mapped_column(default=None)
    """The key that asked for it; null where a person did."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    last_used_address: Mapped[str | None]
    public_key: Mapped[bytes | None]
    requests_per_minute: Mapped[int | None]
    previous_key_hash: Mapped[bytes | None]
    previous_prefix: Mapped[str | None]
    previous_until: Mapped[datetime | None]


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
