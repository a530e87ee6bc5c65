"""RFC 9421 and RFC 9530: the standard's own vector, and every way to spell it wrong."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.message_signatures import (
    HttpRequest,
    Malformed,
    digest_fits,
    is_signed_by,
    parsed,
    signature_base,
)

# RFC 9421: test-request of appendix B.2, test-key-ed25519 of B.1.4, the signature of B.2.6.
PUBLIC_KEY = base64.b64decode("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=")
BODY = b'{"hello": "world"}'
REQUEST = HttpRequest(
    method="POST",
    origin="https://example.com",
    path="/foo",
    query="param=Value&Pet=dog",
    headers={
        "host": "example.com",
        "date": "Tue, 20 Apr 2021 02:07:55 GMT",
        "content-type": "application/json",
        "content-digest": (
            "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BN"
            "NyealdVLvRwEmTHWXvJwew==:"
        ),
        "content-length": "18",
    },
)
INPUT = (
    'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")'
    ';created=1618884473;keyid="test-key-ed25519"'
)
SIGNATURE = (
    "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQ"
    "v5lIp5WPpBKRCw==:"
)


def test_the_standards_own_example_is_genuine() -> None:
    """B.2.6: the base as it is printed there, and the signature over it."""
    found = parsed(INPUT, SIGNATURE)
    assert signature_base(REQUEST, found.components, found.line).decode().splitlines() == [
        '"date": Tue, 20 Apr 2021 02:07:55 GMT',
        '"@method": POST',
        '"@path": /foo',
        '"@authority": example.com',
        '"content-type": application/json',
        '"content-length": 18',
        f'"@signature-params": {INPUT.partition("=")[2]}',
    ]
    assert is_signed_by(PUBLIC_KEY, REQUEST, found)
    other = HttpRequest("PUT", REQUEST.origin, "/foo", "", REQUEST.headers)
    assert not is_signed_by(PUBLIC_KEY, other, found)
    assert found.parameters == {"created": 1618884473, "keyid": "test-key-ed25519"}


def test_its_digest_fits_its_body() -> None:
    """SHA-512 there; what nobody knows is passed over, but something has to fit."""
    field = REQUEST.headers["content-digest"]
    assert digest_fits(field, BODY)
    assert not digest_fits(field, BODY + b" ")
    assert digest_fits(f"md5=:AAAA:, {field}", BODY)
    assert not digest_fits("md5=:AAAA:", BODY)
    short = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"
    assert digest_fits(f"{short}, {field}", BODY)
    assert not digest_fits(f"{short}, {field}", b"{}")
    assert not digest_fits(f"sha-256=:AAAA:, {field}", BODY)
    for wrong in ("", "sha-256", "sha-256=abc", "sha-256=:A:"):
        with pytest.raises(Malformed):
            digest_fits(wrong, BODY)


def test_derived_components_are_the_clients_view() -> None:
    """Behind a proxy: the public address, its prefix, no port that the scheme has anyway."""
    request = HttpRequest("GET", "https://Pay.Example:443/gw/", "/v1/a%20b", "x=1&y", {})
    names = ("@scheme", "@authority", "@path", "@query", "@target-uri")
    base = signature_base(request, names, "()").decode().splitlines()
    assert base[:-1] == [
        '"@scheme": https',
        '"@authority": pay.example',
        '"@path": /gw/v1/a%20b',
        '"@query": ?x=1&y',
        '"@target-uri": https://pay.example/gw/v1/a%20b?x=1&y',
    ]
    bare = HttpRequest("GET", "http://127.0.0.1:8080", "/", "", {})
    base = (
        signature_base(bare, ("@query", "@target-uri", "@authority"), "()")
        .decode()
        .splitlines()
    )
    assert base[:-1] == [
        '"@query": ?',
        '"@target-uri": http://127.0.0.1:8080/',
        '"@authority": 127.0.0.1:8080',
    ]


@pytest.mark.parametrize(
    "said",
    [
        "",
        "sig1",
        'sig1=("@method"',
        'sig1=("@method")x',
        'sig1=("@method"  "@path")',
        'sig1=("@method""@path")',
        'sig1=( "@method")',
        'sig1=("@method" )',
        'sig1=("@method" "@method")',
        'sig1=("@method";req)',
        'sig1=("Date")',
        'sig1=("@method");created=1;created=2',
        'sig1=("@method"); created=1',
        'sig1=("@method");created="1',
        'sig1=("@method");created=1.5',
        'sig1=("@method");nonce="a\\"b"',
        'sig1=("@method"), sig2=("@path")',
        'sig2=("@method")',
        'sig1=("@method")\n',
    ],
)
def test_another_spelling_is_refused(said: str) -> None:
    """Nothing is guessed: what is signed is what was said, letter by letter."""
    with pytest.raises(Malformed):
        parsed(said, "sig1=:AAAA:")


@pytest.mark.parametrize(
    "given", ["", "sig1=AAAA", "sig1=:A:", "sig1=:AAAA:, sig2=:AAAA:", "x=:AAAA:"]
)
def test_a_signature_is_one_byte_sequence_under_its_label(given: str) -> None:
    """Base64 between colons."""
    with pytest.raises(Malformed):
        parsed('sig1=("@method")', given)


@given(st.text(), st.text())
def test_no_header_breaks_the_reader(said: str, given_: str) -> None:
    """It reads or it refuses."""
    try:
        parsed(said, given_)
    except Malformed:
        return


def test_what_is_signed_has_to_be_there() -> None:
    """A header that was not sent, a derived component that requests do not have."""
    for name in ("x-other", "@status", "@query-param", "@request-target"):
        with pytest.raises(Malformed):
            signature_base(REQUEST, (name,), "()")
