"""One-time codes by the clock (RFC 6238): six digits, steps of 30 seconds, SHA-1. Pure.

Every authenticator app knows these parameters; many know no others.
"""

import base64
import hmac
from datetime import datetime

import pyotp

SECRET_BYTES = 20
"""As long as the HMAC's output (RFC 4226, 4)."""
STEP_SECONDS = 30
SKEW_STEPS = (0, -1, 1)
"""A clock that is a step away from ours still fits."""


def new_secret(randomness: bytes) -> str:
    """Return 20 random bytes in base32, as apps take them."""
    return base64.b32encode(randomness).decode()


def enrolment_uri(secret: str, account: str, issuer: str) -> str:
    """Return the `otpauth://` address that an app reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)


def step_of(secret: str, code: str, at: datetime) -> int | None:
    """Return the step since 1970 that a code belongs to; None if it fits none around `at`."""
    generator = pyotp.TOTP(secret)
    now = int(at.timestamp()) // STEP_SECONDS
    fitting = [
        now + skew
        for skew in SKEW_STEPS
        if hmac.compare_digest(generator.generate_otp(now + skew), code)
    ]
    return fitting[0] if fitting else None
