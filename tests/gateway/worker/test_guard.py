"""Hostile URLs: none of them gets a connection."""

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.webhooks.dialling import open_session
from gateway.webhooks.guard import AddressRefused, Guard

HOSTILE = [
    "127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "2130706433",  # noqa: S104
    "0x7f.1", "0177.0.0.1", "127.1", "169.254.169.254", "10.0.0.1", "100.64.0.1", "[fd00::1]",
    "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "192.0.2.1", "224.0.0.1", "198.18.0.1",
    "[fe80::1%25lo]", "[::127.0.0.1]", "255.255.255.255", "192.88.99.1", "[::]",
]  # fmt: skip
MORE = ["[2001:0:0:1::1]", "[ff02::1]", "[64:ff9b:1::1]", "192.168.1.1", "172.16.0.1", "0x7f000001",
        "017700000001", "240.0.0.1", "[::ffff:10.0.0.1]"]  # fmt: skip


@dataclass
class Door:
    """A listener that counts who comes in."""

    port: int
    entered: list[str] = field(default_factory=list)


@asynccontextmanager
async def door(tls: ssl.SSLContext | None = None) -> AsyncIterator[Door]:
    """Listen on every address of this machine and answer a redirect to itself."""
    opened = Door(0)

    async def enter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.entered.append(str(writer.get_extra_info("peername")))
        await reader.readuntil(b"\r\n\r\n")
        place = f"http://127.0.0.1:{opened.port}/again"
        writer.write(
            f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode()
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(enter, None, 0, ssl=tls, family=socket.AF_INET)
    opened.port = server.sockets[0].getsockname()[1]
    async with server:
        yield opened


def says(*answers: Sequence[str]) -> Callable[..., Sequence[str]]:
    """Return a name server that gives these answers in turn."""
    script = list(answers)
    return lambda *_asked: script.pop(0) if len(script) > 1 else script[0]


async def post(session: aiohttp.ClientSession, url: str) -> int:
    """Send and return the status."""
    async with session.post(url, data=b"{}", allow_redirects=False) as response:
        return response.status


@pytest.mark.parametrize("host", HOSTILE + MORE)
def test_a_hostile_url_is_refused_by_its_text_or_its_address(host: str) -> None:
    """Everything that is an address in any spelling is refused before anything is asked."""
    fault = Guard(allow_private=False).url_fault(f"https://{host}/hook")
    assert fault is not None or host == "localhost"


@pytest.mark.anyio
async def test_23_hostile_urls_get_no_connection() -> None:
    """At the connection itself, even with the right port and without the look at the URL."""
    async with door() as opened:
        guard = Guard(allow_private=False, ports=frozenset({opened.port}))
        async with open_session(guard, timeout_seconds=5) as session:
            refused = 0
            for host in HOSTILE + MORE:
                with pytest.raises((aiohttp.ClientError, ValueError)):
                    await post(session, f"http://{host}:{opened.port}/x")
                refused += 1
        assert (len(HOSTILE), refused) == (23, 32)
        assert opened.entered == []


@pytest.mark.anyio
async def test_a_name_that_changes_its_answer_gains_nothing() -> None:
    """What was checked is dialled; the second answer is checked again."""
    async with door() as opened:
        guard = Guard(allow_private=False, ports=frozenset({opened.port}))
        lookup = says(["93.184.216.34"], ["127.0.0.1"])
        async with open_session(guard, timeout_seconds=1, lookup=lookup) as session:
            for _ in range(2):
                with pytest.raises((aiohttp.ClientError, TimeoutError)):
                    await post(session, f"http://rebind.test:{opened.port}/")
                session.connector.clear_dns_cache()  # type: ignore[union-attr]
        assert opened.entered == []


@pytest.mark.anyio
async def test_one_bad_address_among_good_ones_refuses_all() -> None:
    """The client would try them in turn."""
    async with door() as opened:
        guard = Guard(allow_private=False, ports=frozenset({opened.port}))
        lookup = says(["93.184.216.34", "127.0.0.1"])
        async with open_session(guard, timeout_seconds=2, lookup=lookup) as session:
            with pytest.raises(aiohttp.ClientConnectorDNSError) as raised:
                await post(session, f"http://mixed.test:{opened.port}/")
        assert isinstance(raised.value.os_error, AddressRefused)
        assert opened.entered == []


@pytest.mark.anyio
async def test_a_redirect_is_an_answer_not_a_way() -> None:
    """One request, the status as it came."""
    async with (
        door() as opened,
        open_session(Guard(allow_private=True), timeout_seconds=2) as session,
    ):
        assert await post(session, f"http://127.0.0.1:{opened.port}/") == 302
        assert len(opened.entered) == 1


@pytest.mark.anyio
async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve and connect without our checks."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with (
        door() as opened,
        open_session(Guard(allow_private=True), timeout_seconds=2) as session,
    ):
        assert await post(session, f"http://127.0.0.1:{opened.port}/") == 302


@pytest.mark.anyio
async def test_the_certificate_must_name_the_host_although_an_address_is_dialled(
    tmp_path: Path,
) -> None:
    """The right name passes, another name for the same address does not."""
    theirs, ours = certificates("shop.test", tmp_path)
    async with door(theirs) as opened:
        guard = Guard(allow_private=True)
        async with open_session(
            guard, timeout_seconds=5, lookup=says(["127.0.0.1"]), tls=ours
        ) as session:
            assert await post(session, f"https://shop.test:{opened.port}/") == 302
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await post(session, f"https://other.test:{opened.port}/")


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/hook",
        "ftp://shop.example/hook",
        "https://user:pw@shop.example/",
        "https://user@shop.example/",
        "https://shop.example:8080/",
        "https://shop.example:22/",
        "https://shop.example:0/",
        "https://shop.example:99999/",
        "https:///hook",
        "https://",
        "//shop.example/",
        "shop.example/hook",
        "https://shop.example/a b",
        "https://shop.example/\r\nX: y",
        "https://shop.example/" + "a" * 2048,
        "https://[::1",
        "https://127.0.0.1./",
        "",
    ],
)
def test_a_url_that_no_endpoint_may_have(url: str) -> None:
    """Refused with a sentence, without a look-up."""
    assert Guard(allow_private=False).url_fault(url) is not None


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/hook?x=1",
        "https://shop.example:8443/",
        "https://bücher.example/",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]/",
        "https://[64:ff9b::808:808]/",
    ],
)
def test_a_url_that_an_endpoint_may_have(url: str) -> None:
    """Public names and addresses, a public IPv4 host behind NAT64 among them."""
    assert Guard(allow_private=False).url_fault(url) is None


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1:9999", True),
        ("[::1]:9999", True),
        ("192.168.1.20:8080", True),
        ("10.1.2.3", True),
        ("[fd00::1]", True),
        ("shop.lan:3000", True),
        ("169.254.169.254", False),
        ("[fe80::1]", False),
        ("0.0.0.0", False),  # noqa: S104
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("2130706433", False),
    ],
)
def test_the_operator_may_open_the_lan_and_no_more(host: str, allowed: object) -> None:
    """Loopback and private ranges, http and any port; never the cloud's metadata address."""
    fault = Guard(allow_private=True).url_fault(f"http://{host}/hook")
    assert (fault is None) is allowed


def certificates(name: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return a server's context for a name and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder: Any = x509.CertificateBuilder(subject_name=subject, issuer_name=subject)
    certificate = (
        builder.public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, SHA256())
    )
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(certificate.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(chain, secret)
    return theirs, ssl.create_default_context(cafile=str(chain))


def test_every_wrapped_form_of_a_private_address_is_refused() -> None:
    """Mapped, NAT64, 6to4: the address inside decides."""
    inner = int(ipaddress.IPv4Address("10.0.0.1"))
    wrapped = [
        ipaddress.IPv6Address((0xFFFF << 32) | inner),
        ipaddress.IPv6Address((0x64FF9B << 96) | inner),
        ipaddress.IPv6Address((0x2002 << 112) | (inner << 80)),
    ]
    guard = Guard(allow_private=False)
    assert all(guard.address_fault(str(each), 443) for each in wrapped)
