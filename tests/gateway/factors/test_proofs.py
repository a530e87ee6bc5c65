"""What proves a person, by itself: codes by the clock, recovery codes, passkeys, waits."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any

import cbor2
import pyotp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from webauthn.helpers import base64url_to_bytes

from gateway.factors import passkeys, recovery, totp
from gateway.factors.passkeys import KnownPasskey, NotProved, Person, Site, site_of
from tests.gateway.factors.authenticator import (
    PRESENT,
    Authenticator,
    base64url,
    cose,
    ed25519,
    es256,
)

AT = datetime(2026, 11, 20, 14, 0, 15, tzinfo=UTC)
SECRET = totp.new_secret(b"12345678901234567890")
SITE = Site("127.0.0.1", "http://127.0.0.1:8080")
PERSON = Person("usr_1", "ann@example.com")
CHALLENGE = b"c" * 32
OPTIONS = {"challenge": base64url(CHALLENGE)}


def test_a_code_is_that_of_the_standard() -> None:
    """RFC 6238, appendix B, SHA-1, last six of eight digits."""
    for seconds, code in ((59, "287082"), (1111111109, "081804"), (2000000000, "279037")):
        at = datetime.fromtimestamp(seconds, UTC)
        assert totp.step_of(SECRET, code, at) == seconds // 30


def test_a_clock_may_be_one_step_away() -> None:
    """The code before and the one after fit and are told apart; two away they do not."""
    now = int(AT.timestamp()) // 30
    for skew in (-2, -1, 0, 1, 2):
        code = pyotp.TOTP(SECRET).generate_otp(now + skew)
        expected = now + skew if abs(skew) < 2 else None
        assert totp.step_of(SECRET, code, AT) == expected


def test_an_app_reads_secret_and_names_from_one_address() -> None:
    """The otpauth address leads back to the same secret."""
    uri = totp.enrolment_uri(SECRET, "ann@example.com", "Cryptic Gateway")
    read = pyotp.parse_uri(uri)
    assert isinstance(read, pyotp.TOTP)
    assert (read.secret, read.name, read.issuer) == (
        SECRET,
        "ann@example.com",
        "Cryptic Gateway",
    )


def test_recovery_codes_are_ten_and_forgive_how_they_are_typed() -> None:
    """Dashes, blanks, capitals and letters that look like digits make no difference."""
    codes = recovery.new_codes(Random(1).randbytes)
    assert len(set(codes)) == 10
    for code in codes:
        typed = f" {code.upper().replace('-', ' ').replace('0', 'O').replace('1', 'I')} "
        assert recovery.hashed("pepper", "usr_1", typed) == recovery.hashed(
            "pepper", "usr_1", code
        )
    stored = {recovery.hashed("pepper", user, codes[0]) for user in ("usr_1", "usr_2")}
    assert len(stored | {recovery.hashed("other", "usr_1", codes[0])}) == 3


@pytest.mark.parametrize(
    ("url", "rp_id", "origin"),
    [
        ("https://pay.example.com", "pay.example.com", "https://pay.example.com"),
        ("https://Pay.Example.com:443/x/", "pay.example.com", "https://pay.example.com"),
        ("http://localhost:8080", "localhost", "http://localhost:8080"),
        ("http://[::1]:80/", "::1", "http://[::1]"),
    ],
)
def test_the_site_is_that_of_the_public_address(url: str, rp_id: str, origin: str) -> None:
    """As browsers write an origin: lower case, no usual port, no path."""
    assert site_of(url) == Site(rp_id, origin)


def _known(device: Authenticator) -> KnownPasskey:
    new = passkeys.registered(SITE, device.create(OPTIONS), CHALLENGE)
    return KnownPasskey(new.credential_id, new.public_key, new.sign_count)


@pytest.mark.parametrize("key", [es256(), ed25519()], ids=["ES256", "Ed25519"])
def test_a_passkey_is_made_and_signs(key: Any) -> None:
    """Both kinds of keys, with a counter and without."""
    for count in (0, 5):
        device = Authenticator(key=key, count=count)
        known = _known(device)
        device.count = count and count + 1
        assert passkeys.asserted(SITE, device.get(OPTIONS), CHALLENGE, known) == device.count


Change = Callable[[Authenticator], Authenticator]
WRONG: dict[str, Change] = {
    "another origin": lambda device: replace(device, origin="http://127.0.0.1:8081"),
    "another site's name": lambda device: replace(device, rp_id="example.com"),
    "nobody verified": lambda device: replace(device, flags=PRESENT),
    "nobody present": lambda device: replace(device, flags=0x04),
    "within a foreign frame": lambda device: replace(device, extra={"crossOrigin": True}),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG.keys())
def test_what_a_browser_must_not_say_proves_nothing(change: Change) -> None:
    """Neither when a passkey is made nor when it signs."""
    device = Authenticator()
    known = _known(device)
    with pytest.raises(NotProved):
        passkeys.registered(SITE, change(device).create(OPTIONS), CHALLENGE)
    with pytest.raises(NotProved):
        passkeys.asserted(SITE, change(device).get(OPTIONS), CHALLENGE, known)


def test_a_signature_is_for_one_challenge_by_one_key_one_time() -> None:
    """Another challenge, key, credential, ceremony, or a counter that stood still."""
    device = Authenticator(count=9)
    known = _known(device)
    device.count = 10
    answer = device.get(OPTIONS)
    with pytest.raises(NotProved, match="challenge"):
        passkeys.asserted(SITE, answer, b"d" * 32, known)
    with pytest.raises(NotProved, match="signature"):
        passkeys.asserted(SITE, replace(device, key=es256(99)).get(OPTIONS), CHALLENGE, known)
    with pytest.raises(NotProved, match="another credential"):
        other = replace(device, credential_id=b"other")
        passkeys.asserted(SITE, other.get(OPTIONS), CHALLENGE, known)
    with pytest.raises(NotProved):
        passkeys.asserted(SITE, device.create(OPTIONS), CHALLENGE, known)
    for count in (10, 11, 2**31):
        with pytest.raises(NotProved, match="sign count"):
            passkeys.asserted(SITE, answer, CHALLENGE, replace(known, sign_count=count))


def test_a_key_that_could_never_verify_is_not_kept() -> None:
    """A point off the curve, no key at all, an algorithm that was not offered."""
    off = {**cose(es256()), -2: bytes(32)}
    for public in (off, {1: 2}, {1: 2, 3: -35, -1: 2, -2: bytes(48), -3: bytes(48)}):
        with pytest.raises(NotProved):
            passkeys.registered(SITE, Authenticator(public=public).create(OPTIONS), CHALLENGE)


def _self_signed(device: Authenticator, attested: bytes) -> dict[str, Any]:
    return {"alg": -7, "sig": device.sign(attested)}


def _signed_by_a_maker(_: Authenticator, attested: bytes) -> dict[str, Any]:
    """Return a packed attestation as hardware keys make it (WebAuthn 8.2.1)."""
    key = ec.derive_private_key(99, ec.SECP256R1())
    words = {
        NameOID.COUNTRY_NAME: "AT",
        NameOID.ORGANIZATION_NAME: "Maker",
        NameOID.ORGANIZATIONAL_UNIT_NAME: "Authenticator Attestation",
        NameOID.COMMON_NAME: "key",
    }
    name = x509.Name([x509.NameAttribute(*each) for each in words.items()])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, AT, AT)
    plain = x509.BasicConstraints(ca=False, path_length=None)
    certificate = builder.add_extension(plain, critical=True).sign(key, SHA256())
    signature = key.sign(attested, ec.ECDSA(SHA256()))
    return {"alg": -7, "sig": signature, "x5c": [certificate.public_bytes(Encoding.DER)]}


def test_a_passkey_signed_by_its_maker_is_refused() -> None:
    """Nobody asked for it, and its parsers are not reached; one that signs itself is taken."""
    alone = Authenticator(form="packed", attest=_self_signed)
    assert passkeys.registered(SITE, alone.create(OPTIONS), CHALLENGE).sign_count == 0
    made = Authenticator(form="packed", attest=_signed_by_a_maker)
    with pytest.raises(NotProved, match="not asked for"):
        passkeys.registered(SITE, made.create(OPTIONS), CHALLENGE)
    for form in ("fido-u2f", "tpm", "android-key", "apple", "android-safetynet"):
        with pytest.raises(NotProved, match="not asked for"):
            passkeys.registered(SITE, replace(alone, form=form).create(OPTIONS), CHALLENGE)


@given(place=st.integers(0, 400), value=st.integers(0, 255), making=st.booleans())
def test_bytes_that_are_not_what_they_claim_are_a_refusal(
    *, place: int, value: int, making: bool
) -> None:
    """One wrong byte anywhere: proved as before or `NotProved`, never another fault."""
    device = Authenticator()
    known = _known(device)
    answer = device.create(OPTIONS) if making else device.get(OPTIONS)
    for name in ("clientDataJSON", "attestationObject", "authenticatorData", "signature"):
        if name in answer["response"]:
            raw = bytearray(base64url_to_bytes(answer["response"][name]))
            raw[place % len(raw)] = value
            wrong = base64url(bytes(raw))
            changed = {**answer, "response": {**answer["response"], name: wrong}}
            try:
                if making:
                    passkeys.registered(SITE, changed, CHALLENGE)
                else:
                    passkeys.asserted(SITE, changed, CHALLENGE, known)
            except NotProved:
                continue


@pytest.mark.parametrize("number", [10**7, 2**64 - 1])
def test_a_number_where_bytes_belong_takes_no_memory(number: int) -> None:
    """The library makes so many bytes of it: ten digits would fill the machine."""
    answer = Authenticator().create(OPTIONS)
    made = cbor2.loads(base64url_to_bytes(answer["response"]["attestationObject"]))
    wrong = base64url(cbor2.dumps({**made, "authData": number}))
    answer["response"]["attestationObject"] = wrong
    tracemalloc.start()
    try:
        with pytest.raises(NotProved):
            passkeys.registered(SITE, answer, CHALLENGE)
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


def test_options_ask_for_a_verified_person_on_this_site() -> None:
    """No attestation; the passkeys that are there already are named, by base64url."""
    known = [_known(Authenticator())]
    made = passkeys.registration_options(SITE, PERSON, CHALLENGE, known)
    asked = passkeys.authentication_options(SITE, CHALLENGE, known)
    assert made["rp"] == {"id": "127.0.0.1", "name": "Cryptic Gateway"}
    assert made["authenticatorSelection"]["userVerification"] == "required"
    assert made["attestation"] == "none"
    assert [each["alg"] for each in made["pubKeyCredParams"]] == [-8, -7, -257]
    assert asked["userVerification"] == "required"
    assert asked["rpId"] == "127.0.0.1"
    name = base64url(known[0].credential_id)
    assert made["excludeCredentials"][0]["id"] == asked["allowCredentials"][0]["id"] == name
    assert made["challenge"] == asked["challenge"] == base64url(CHALLENGE)
