"""Second factors of people, and what is under way with them."""

from datetime import datetime

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import Table, TextKey


class Totp(Table):
    """A person's authenticator app: the sealed secret, and the last step that was accepted.

    A secret is only `offered` until a code of it was shown.
    """

    __tablename__ = "totp"
    user_id: Mapped[TextKey]
    secret: Mapped[str | None]
    last_step: Mapped[int]
    confirmed_at: Mapped[datetime | None]
    offered: Mapped[str | None]
    offered_at: Mapped[datetime | None]


class RecoveryCode(Table):
    """The keyed hash of one code; `used_at` ends it."""

    __tablename__ = "recovery_code"
    user_id: Mapped[TextKey]
    code_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Passkey(Table):
    """A person's passkey; `public_key` is a COSE key in CBOR."""

    __tablename__ = "passkey"
    id: Mapped[TextKey]
    user_id: Mapped[str]
    name: Mapped[str]
    credential_id: Mapped[bytes]
    public_key: Mapped[bytes]
    sign_count: Mapped[int]
    transports: Mapped[list[str]]
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]


class PasskeyChallenge(Table):
    """What a browser was asked to sign in a session, to `create` or to `get`; taken once."""

    __tablename__ = "passkey_challenge"
    session_id: Mapped[TextKey]
    ceremony: Mapped[TextKey]
    challenge: Mapped[bytes]
    expires_at: Mapped[datetime]
