"""What a person sees of the own second factors."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from gateway.models import Passkey, Totp


class PasskeyDocument(msgspec.Struct, kw_only=True):
    """One passkey."""

    id: str
    object: str
    name: str
    transports: list[str]
    created_at: datetime
    last_used_at: datetime | None


class FactorsDocument(msgspec.Struct, kw_only=True):
    """All factors; `recovery_codes` holds the codes once, when they are made, and is null else."""

    object: str
    totp_confirmed_at: datetime | None
    passkeys: list[PasskeyDocument]
    recovery_codes_left: int
    recovery_codes: list[str] | None


class TotpOffer(msgspec.Struct, kw_only=True):
    """The secret for an authenticator app, shown once; `otpauth_uri` is what its QR code says."""

    object: str
    secret: str
    otpauth_uri: str
    expires_at: datetime


class CreationOptions(msgspec.Struct, kw_only=True):
    """`public_key` is for `PublicKeyCredential.parseCreationOptionsFromJSON`."""

    object: str
    public_key: dict[str, Any]
    expires_at: datetime


class Challenge(msgspec.Struct, kw_only=True):
    """The kinds of proof that this person can give.

    `public_key` is for `PublicKeyCredential.parseRequestOptionsFromJSON`; null without passkeys.
    """

    object: str
    kinds: list[str]
    public_key: dict[str, Any] | None
    expires_at: datetime


def factors_document(
    totp: Totp | None,
    passkeys: Sequence[Passkey],
    left: int,
    codes: Sequence[str] | None,
) -> FactorsDocument:
    """Shape a person's factors."""
    return FactorsDocument(
        object="second_factors",
        totp_confirmed_at=None if totp is None else totp.confirmed_at,
        passkeys=[
            PasskeyDocument(
                id=row.id,
                object="passkey",
                name=row.name,
                transports=row.transports,
                created_at=row.created_at,
                last_used_at=row.last_used_at,
            )
            for row in passkeys
        ],
        recovery_codes_left=left,
        recovery_codes=None if codes is None else list(codes),
    )
