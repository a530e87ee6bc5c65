"""Passkeys (WebAuthn Level 3): what a browser is asked, and whether its answer holds. Pure.

py_webauthn reads and verifies. What it lets through and we do not: attestation by a maker's
certificate, which we never ask for, and keys that could not verify anything later.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    base64url_to_bytes,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    options_to_json_dict,
    parse_attestation_object,
    parse_cbor,
    parse_client_data_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier as Algorithm
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AttestationFormat,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

T = TypeVar("T")

CHALLENGE_BYTES = 32
CREDENTIAL_ID_BYTES_MAX = 1023
"""WebAuthn 7.1, step 25."""
TIMEOUT_MILLISECONDS = 300_000
ALGORITHMS = [
    Algorithm.EDDSA,
    Algorithm.ECDSA_SHA_256,
    Algorithm.RSASSA_PKCS1_v1_5_SHA_256,
]
"""RSA is what Windows Hello makes on older machines."""
SITE_NAME = "Cryptic Gateway"

_VERIFIED = UserVerificationRequirement.REQUIRED
_DEFAULT_PORTS = {"http": 80, "https": 443}
# What the library raises on bytes that are not what they claim to be.
_FAULTS = (
    WebAuthnException,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)


class NotProved(Exception):
    """An authenticator's answer that proves nothing; the message says why, for our log."""


@dataclass(frozen=True, slots=True)
class Site:
    """Whom passkeys are for: the name that they are bound to, and where they may be used."""

    rp_id: str
    origin: str


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """A credential as it is kept; `public_key` is a COSE key in CBOR."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: Sequence[str]


@dataclass(frozen=True, slots=True)
class KnownPasskey:
    """What an assertion is checked against."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a passkey is made for, as the browser shows it."""

    user_id: str
    email: str


def site_of(public_url: str) -> Site:
    """Return the site of the gateway's public address."""
    parts = urlsplit(public_url)
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    port = "" if parts.port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{parts.port}"
    return Site(host, f"{parts.scheme}://{shown}{port}")


def registration_options(
    site: Site, person: Person, challenge: bytes, known: Sequence[KnownPasskey]
) -> dict[str, Any]:
    """Return what `navigator.credentials.create` takes as `publicKey`, bytes in base64url."""
    options = generate_registration_options(
        rp_id=site.rp_id,
        rp_name=SITE_NAME,
        user_id=person.user_id.encode(),
        user_name=person.email,
        challenge=challenge,
        timeout=TIMEOUT_MILLISECONDS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=_VERIFIED
        ),
        exclude_credentials=_described(known),
        supported_pub_key_algs=ALGORITHMS,
    )
    return options_to_json_dict(options)


def authentication_options(
    site: Site, challenge: bytes, known: Sequence[KnownPasskey]
) -> dict[str, Any]:
    """Return what `navigator.credentials.get` takes as `publicKey`, bytes in base64url."""
    options = generate_authentication_options(
        rp_id=site.rp_id,
        challenge=challenge,
        timeout=TIMEOUT_MILLISECONDS,
        allow_credentials=_described(known),
        user_verification=_VERIFIED,
    )
    return options_to_json_dict(options)


def registered(site: Site, credential: Mapping[str, Any], challenge: bytes) -> NewPasskey:
    """Return the passkey that a browser made for this challenge; raise `NotProved`."""

    def read() -> NewPasskey:
        _require_own_page(credential)
        _require_no_maker(credential)
        verified = verify_registration_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            require_user_verification=True,
            supported_pub_key_algs=ALGORITHMS,
        )
        key = verified.credential_public_key
        # A point that is on no curve would only show at the next sign-in.
        decoded_public_key_to_cryptography(decode_credential_public_key(key))
        if len(verified.credential_id) > CREDENTIAL_ID_BYTES_MAX:
            raise NotProved("a credential id that is too long")
        ways = _known_ways(credential["response"].get("transports", ()))
        return NewPasskey(verified.credential_id, key, verified.sign_count, ways)

    return _proved(read)


def asserted(
    site: Site, credential: Mapping[str, Any], challenge: bytes, known: KnownPasskey
) -> int:
    """Return the counter of a signature over this challenge; raise `NotProved`.

    A counter that has not moved on since the last time means a copied key (WebAuthn 6.1.1).
    """

    def read() -> int:
        _require_own_page(credential)
        verified = verify_authentication_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            credential_public_key=known.public_key,
            credential_current_sign_count=known.sign_count,
            require_user_verification=True,
        )
        if verified.credential_id != known.credential_id:
            raise NotProved("another credential's signature")
        return verified.new_sign_count

    return _proved(read)


def credential_id_of(credential: Mapping[str, Any]) -> bytes:
    """Return which passkey an answer names; raise `NotProved` where it names none."""
    return _proved(lambda: base64url_to_bytes(credential["rawId"]))


def _proved(read: Callable[[], T]) -> T:
    try:
        return read()
    except _FAULTS as fault:
        raise NotProved(f"{type(fault).__name__}: {fault}") from fault


def _require_own_page(credential: Mapping[str, Any]) -> None:
    """Refuse what was made within a page of somebody else's (`crossOrigin`)."""
    raw = base64url_to_bytes(credential["response"]["clientDataJSON"])
    if parse_client_data_json(raw).cross_origin:
        raise NotProved("made in a frame of another site")


def _require_no_maker(credential: Mapping[str, Any]) -> None:
    """Refuse a maker's certificates: whoever asks for `none` gets none or a self-signed one."""
    raw = base64url_to_bytes(credential["response"]["attestationObject"])
    # Of a number where bytes belong the library makes so many bytes.
    if not isinstance(parse_cbor(raw).get("authData"), bytes):
        raise NotProved("authenticator data that is not bytes")
    attestation = parse_attestation_object(raw)
    plain = attestation.fmt in {AttestationFormat.NONE, AttestationFormat.PACKED}
    if not plain or attestation.att_stmt.x5c:
        raise NotProved("an attestation that was not asked for")


def _known_ways(names: Sequence[str]) -> list[str]:
    """Return how the authenticator is reached, as far as we know the words."""
    known = {each.value for each in AuthenticatorTransport}
    return [name for name in names if name in known]


def _described(known: Sequence[KnownPasskey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=each.credential_id,
            transports=[AuthenticatorTransport(name) for name in each.transports],
        )
        for each in known
    ]
