"""HTTP Message Signatures (RFC 9421) and Content-Digest (RFC 9530), as far as requests need them.

One signature per request, components without parameters of their own, every field in the one
canonical spelling: whatever is spelled otherwise is refused instead of guessed at. Pure.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_LABEL = r"[a-z*][a-z0-9_.*-]{0,63}"
_NAME = r'"[a-z0-9@-]+"'
_STRING = r'"[ !#-\[\]-~]*"'
_INPUT = re.compile(
    rf"({_LABEL})=(\(((?:{_NAME}(?: {_NAME})*)?)\)((?:;[a-z]+=(?:{_STRING}|-?[0-9]{{1,15}}))*))"
)
_PARAMETER = re.compile(rf";([a-z]+)=({_STRING}|-?[0-9]{{1,15}})")
_SIGNATURE = re.compile(rf"({_LABEL})=:([A-Za-z0-9+/]+={{0,2}}):")
_DIGEST = re.compile(r"([a-z0-9-]+)=:([A-Za-z0-9+/]+={0,2}):")
_HASHES = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Malformed(Exception):
    """The fields of a signature or a digest cannot be read."""


@dataclass(frozen=True, slots=True)
class SignatureInput:
    """What a request says of its signature; `line` is the signed spelling of all of it."""

    components: tuple[str, ...]
    parameters: Mapping[str, str | int]
    line: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """The parts of a request that a signature can cover, as the client sent them.

    `origin` is the public scheme and authority, `path` and `query` keep their percent signs,
    header names are in lower case; several headers of a name are joined with a comma.
    """

    method: str
    origin: str
    path: str
    query: str
    headers: Mapping[str, str] = field(default_factory=dict)


def parsed(signature_input: str, signature: str) -> SignatureInput:
    """Read the two header fields; `Malformed` unless they hold one signature, canonically."""
    said, given = _INPUT.fullmatch(signature_input), _SIGNATURE.fullmatch(signature)
    if said is None or given is None or said.group(1) != given.group(1):
        raise Malformed("send one signature: Signature-Input and Signature with one label")
    names = said.group(3).replace('"', "").split(" ") if said.group(3) else []
    found = _PARAMETER.findall(said.group(4))
    parameters = {name: _value(text) for name, text in found}
    if len(set(names)) != len(names) or len(parameters) != len(found):
        raise Malformed("a component or a parameter stands twice")
    return SignatureInput(tuple(names), parameters, said.group(2), _decoded(given.group(2)))


def signature_base(request: HttpRequest, components: Sequence[str], line: str) -> bytes:
    """Return the signed bytes (RFC 9421 section 2.5); `Malformed` where a component is not there."""
    lines = [f'"{name}": {_component(request, name)}' for name in components]
    return "\n".join([*lines, f'"@signature-params": {line}']).encode("latin-1")


def is_signed_by(public_key: bytes, request: HttpRequest, given: SignatureInput) -> bool:
    """Tell whether the signature is Ed25519 by this key over the components it names."""
    base = signature_base(request, given.components, given.line)
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(given.signature, base)
    except InvalidSignature:
        return False
    return True


def digest_fits(content_digest: str, body: bytes) -> bool:
    """Tell whether the field names a SHA-256 or SHA-512 of the body, and no other one of them."""
    known = 0
    for entry in content_digest.split(", "):
        said = _DIGEST.fullmatch(entry)
        if said is None:
            raise Malformed("Content-Digest is sha-256=:base64:")
        if said.group(1) in _HASHES:
            known += 1
            expected = _HASHES[said.group(1)](body).digest()
            if not hmac.compare_digest(expected, _decoded(said.group(2))):
                return False
    return known > 0


def _component(request: HttpRequest, name: str) -> str:
    if not name.startswith("@"):
        if name not in request.headers:
            raise Malformed(f"{name} is signed and not sent")
        return request.headers[name]
    origin = urlsplit(request.origin)
    prefix = origin.path.rstrip("/")
    query = f"?{request.query}"
    derived = {
        "@method": request.method,
        "@scheme": origin.scheme,
        "@authority": authority_of(request.origin),
        "@path": prefix + request.path,
        "@query": query,
        "@target-uri": f"{origin.scheme}://{authority_of(request.origin)}{prefix}{request.path}"
        + (query if request.query else ""),
    }
    if name not in derived:
        raise Malformed(f"{name} cannot be signed here")
    return derived[name]


def authority_of(url: str) -> str:
    """Return host and port in lower case, without the scheme's own port."""
    parts = urlsplit(url)
    host = parts.netloc.lower()
    return host.removesuffix(f":{_DEFAULT_PORTS.get(parts.scheme, '')}")


def _value(text: str) -> str | int:
    return text[1:-1] if text.startswith('"') else int(text)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as fault:
        raise Malformed("not base64") from fault
