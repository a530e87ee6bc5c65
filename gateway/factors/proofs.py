"""What a person shows to prove who it is, as it comes over HTTP."""

from typing import Annotated, Any

import msgspec

from gateway.domain.password import LENGTH_MAX

Code = Annotated[str, msgspec.Meta(max_length=6, pattern=r"^[0-9]{6}$")]
"""Six digits of an authenticator app."""
Base64Url = Annotated[
    str, msgspec.Meta(min_length=1, max_length=32_768, pattern=r"^[A-Za-z0-9_-]+=*$")
]
CredentialId = Annotated[
    str, msgspec.Meta(min_length=1, max_length=1400, pattern=r"^[A-Za-z0-9_-]+=*$")
]
Words = Annotated[
    list[Annotated[str, msgspec.Meta(max_length=32)]], msgspec.Meta(max_length=16)
]


class AttestationResponse(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an authenticator says about a new passkey. Browsers add members; they are ignored."""

    client_data_json: Base64Url = msgspec.field(name="clientDataJSON")
    attestation_object: Base64Url
    transports: Words = msgspec.field(default_factory=list)


class AssertionResponse(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an authenticator signed."""

    client_data_json: Base64Url = msgspec.field(name="clientDataJSON")
    authenticator_data: Base64Url
    signature: Base64Url


class NewCredential(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`PublicKeyCredential.toJSON()` of `navigator.credentials.create`."""

    id: CredentialId
    raw_id: CredentialId
    type: str
    response: AttestationResponse


class SigningCredential(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`PublicKeyCredential.toJSON()` of `navigator.credentials.get`."""

    id: CredentialId
    raw_id: CredentialId
    type: str
    response: AssertionResponse


class _Shown(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True
):
    """One kind of proof, named by `kind`."""


class CodeShown(_Shown, frozen=True, tag="totp"):
    """The code that an authenticator app shows now."""

    code: Code


class RecoveryCodeShown(_Shown, frozen=True, tag="recovery_code"):
    """One of the ten, which is spent by it."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class PasskeyShown(_Shown, frozen=True, tag="passkey"):
    """A signature over the challenge of this session."""

    credential: SigningCredential


class PasswordShown(_Shown, frozen=True, tag="password"):
    """The password once more, where the person has no second factor."""

    password: Annotated[str, msgspec.Meta(min_length=1, max_length=LENGTH_MAX)]


FactorShown = CodeShown | RecoveryCodeShown | PasskeyShown
Shown = FactorShown | PasswordShown


def kind_of(shown: Shown) -> str:
    """Return the name of the proof's kind."""
    return str(shown.__struct_config__.tag)


def as_json(credential: NewCredential | SigningCredential) -> dict[str, Any]:
    """Return a credential as the browser wrote it."""
    return dict(msgspec.to_builtins(credential))
