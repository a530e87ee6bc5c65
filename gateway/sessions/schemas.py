"""Request bodies about signing in and passwords."""

from typing import Annotated

import msgspec

from gateway.domain.password import LENGTH_MAX
from gateway.http.parts import Email

Password = Annotated[str, msgspec.Meta(min_length=1, max_length=LENGTH_MAX)]
Token = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class SignIn(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Who signs in. With `cookie` the token comes as a cookie and is not in the answer."""

    email: Email
    password: Password
    livemode: bool = False
    cookie: bool = False


class SwitchMode(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which networks the session sees: test ones, or real ones."""

    livemode: bool


class ChangePassword(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A new password, by somebody who knows the old one."""

    current_password: Password
    new_password: Password


class ChangeEmail(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A new e-mail address; it counts once the proof that is sent there has come back."""

    email: Email
    password: Password


class RequestReset(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Whose password is forgotten."""

    email: Email


class ConfirmReset(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A new password, by somebody who reads the mailbox."""

    token: Token
    password: Password


class ConfirmEmail(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The proof that was sent to an address."""

    token: Token
