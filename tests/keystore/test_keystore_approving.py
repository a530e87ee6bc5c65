"""A person's own machine: what is shown is what is signed, and nobody else is believed."""

import datetime as dt
import ipaddress
import json
import os
import pty
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from keystore import api
from keystore.approving import key_file, show
from keystore.approving.wire import Document, address_of, request_message
from keystore.refusal import Unfit
from keystore.sealing import KIB_PER_MIB, Cost
from tests.keystore.house import ROOT
from tests.keystore.terminal import read_until

FAR = 4_000_000_000_000
ORDER = {
    "withdrawal_id": "wdr_1", "network": "ethereum", "asset": "native", "to": "0x" + "ab" * 20,
    "units": "12000000000000000000", "fee_ceiling": "10000000000000000", "merchant": "mer_1",
    "requested_by": "key_shop", "expires_ms": FAR,
}  # fmt: skip
DOCUMENT = {
    "id": "aor_1", "revision": 1, "status": "waiting", "order": ORDER, "currency": "ETH",
    "decimals": 18, "fee_currency": "ETH", "merchant_name": "Shop", "rule": "two people",
    "approvals": {"have": 0, "need": 2}, "approved_by": [], "own_request": False,
    "address_book": None, "amount": "0.000000000000000001", "extra": [1, 2],
    "history": {"completed": 0, "amount": "0", "first_at": None, "last_at": None},
}  # fmt: skip
NOT_LOADED = ("keystore.approving", "http.client", "urllib.request")
CHEAP = Cost(64 * KIB_PER_MIB, 1, 1)
PASSPHRASE = b"a passphrase of hers"


def changed(**changes: Any) -> Any:
    """Return the document with changes; those named `order` go into the order."""
    order = {**ORDER, **changes.pop("order", {})}
    return {**DOCUMENT, "order": order, **changes}


def read(document: Any) -> Document:
    """Return a document as the command reads it."""
    return msgspec.convert(document, Document)


def test_everything_that_is_signed_is_shown() -> None:
    """With the amount worked out here, whatever the gateway says it is."""
    text = "\n".join(show.lines(read(DOCUMENT)))
    for name, value in ORDER.items():
        if name not in {"expires_ms", "fee_ceiling"}:
            assert str(value) in text, name
    assert "12.000000000000000000 ETH  (12000000000000000000 base units)" in text
    assert "fee at most   0.010000000000000000 ETH" in text
    assert "2096-10-02 07:06:40 UTC" in text
    assert "NEVER BEFORE" in text


def test_a_tokens_decimals_are_the_gateways_word() -> None:
    """Its base units stand beside, and the doubt is said."""
    document = changed(
        decimals=6, currency="USDC", order={"asset": "0x" + "cd" * 20, "units": "7"}
    )
    show.require_readable(read(document))
    text = "\n".join(show.lines(read(document)))
    assert "0.000007 USDC  (7 base units, if 6 decimals are right)" in text


@pytest.mark.parametrize(
    ("to", "decimals"),
    [
        ("0x" + "ab" * 20, 18),
        ("TJRabPrwbZy45sbavfcjinPJC18kjpRTv8", 6),
        ("7cVfgArCheMR6Cs4t6vz5rfnqd56vZq4ndaBrY5xkxXy", 9),
    ],
)
def test_the_gateway_cannot_lie_about_the_networks_own_coin(to: str, decimals: int) -> None:
    """12 ETH is never shown as 0.000012."""
    show.require_readable(read(changed(decimals=decimals, order={"to": to})))
    with pytest.raises(Unfit, match="lies about the decimals"):
        show.require_readable(read(changed(decimals=decimals + 6, order={"to": to})))


@pytest.mark.parametrize(
    "order",
    [
        {"to": "0x" + "ab" * 20 + "\x1b[2K"},
        {"to": "0x\u202e" + "ab" * 20},
        {"requested_by": "key_\u0430"},
        {"merchant": "a\nb"},
        {"units": "-1"},
        {"units": "1e3"},
        {"fee_ceiling": ""},
        {"expires_ms": 10**18},
    ],
    ids=repr,
)
def test_an_order_that_cannot_be_shown_is_not_signed(order: dict[str, Any]) -> None:
    """Control and direction marks, look-alike letters, amounts and times that are none."""
    with pytest.raises(Unfit):
        show.require_readable(read(changed(order=order)))


@given(st.text())
def test_nothing_of_the_gateway_moves_the_cursor(text: str) -> None:
    """Names, rules and labels are printed as letters on their own line."""
    document = changed(
        id=text, currency=text, fee_currency=text, merchant_name=text, rule=text,
        approved_by=[text], address_book={"label": text, "usable_at": text},
        history={"completed": 1, "amount": text, "first_at": text, "last_at": text},
    )  # fmt: skip
    for line in show.lines(read(document)):
        assert line.isprintable()


@given(st.integers(0, 2**256 - 1), st.integers(0, 36))
def test_coins_are_exact(units: int, decimals: int) -> None:
    """No digit is lost."""
    text = show.coins(str(units), decimals)
    assert int(text.replace(".", "")) == units
    assert len(text.partition(".")[2]) == decimals


@pytest.mark.parametrize(
    "url",
    [
        "http://pay.example.com", "ftp://pay.example.com", "pay.example.com", "https://",
        "https://user@pay.example.com", "https://pay.example.com/prefix", "https://h?x=1",
        "https://h:port", "http://127.0.0.1.example.com",
    ],
)  # fmt: skip
def test_urls_that_are_not_spoken_to(url: str) -> None:
    """Plain HTTP leaves this machine never."""
    with pytest.raises(Unfit, match="--url"):
        address_of(url)


def test_a_key_file_is_private_and_opens_with_its_passphrase_only(tmp_path: Path) -> None:
    """Mode 0600, never overwritten; any change of it is noticed."""
    path = tmp_path / "alice.key"
    public = key_file.create(path, PASSPHRASE, os.urandom, CHEAP)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    file = key_file.read(path)
    assert key_file.public_of(key_file.opened(file, PASSPHRASE)) == file.public_key == public
    with pytest.raises(Unfit, match="wrong passphrase"):
        key_file.opened(file, b"another one")
    with pytest.raises(Unfit, match="exists already"):
        key_file.create(path, PASSPHRASE, os.urandom, CHEAP)
    other = key_file.create(tmp_path / "bob.key", b"", os.urandom)
    swapped = msgspec.structs.replace(file, public_key=other)
    with pytest.raises(Unfit, match="altered"):
        key_file.opened(swapped, PASSPHRASE)
    assert file.kdf is not None
    huge = msgspec.structs.replace(file.kdf, memory_cost=2**31)
    with pytest.raises(Unfit, match="cost"):
        key_file.opened(msgspec.structs.replace(file, kdf=huge), PASSPHRASE)
    path.chmod(0o640)
    with pytest.raises(Unfit, match="chmod 600"):
        key_file.read(path)


def test_an_open_key_file_names_its_own_key(tmp_path: Path) -> None:
    """Another public key beside the seed is refused, and so is a file that is none."""
    path = tmp_path / "alice.key"
    key_file.create(path, b"", os.urandom)
    file = key_file.read(path)
    key_file.opened(file, b"")
    with pytest.raises(Unfit, match="belongs to another"):
        key_file.opened(msgspec.structs.replace(file, public_key="00" * 32), b"")
    with pytest.raises(Unfit, match="holds no key"):
        key_file.opened(msgspec.structs.replace(file, seed=b"short"), b"")
    path.write_text("{}")
    with pytest.raises(Unfit, match="not an approver's key"):
        key_file.read(path)


@dataclass
class Told:
    """A gateway that says what it is told to, and what it was sent."""

    answers: dict[str, Any]
    sent: list[tuple[str, str, str, bytes]] = field(default_factory=list)
    url: str = ""


@contextmanager
def gateway(answers: dict[str, Any], tls: ssl.SSLContext | None = None) -> Iterator[Told]:
    """Serve fixed answers by path; a status stands before what is not 200."""
    told = Told(answers)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            authorization = self.headers["Authorization"]
            told.sent.append((self.command, self.path, authorization, body))
            status, answer = told.answers.get(self.path, (404, {"code": "x", "detail": "y"}))
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer  # noqa: N815 - names of the standard library

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    told.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def command(told: Told, key: Path, *args: str) -> list[str]:
    """Return Alice's command line."""
    return [
        sys.executable, "-m", "keystore", "approve", "--url", told.url, "--name", "alice",
        "--key", str(key), *args,
    ]  # fmt: skip


def run(told: Told, key: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run it without a terminal."""
    return subprocess.run(
        command(told, key, *args), cwd=ROOT, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=60, check=False,
    )  # fmt: skip


DIGEST = show.digest(msgspec.convert(ORDER, api.Order))
ONE, YES = "/v1/approvals/orders/aor_1", "/v1/approvals/orders/aor_1/approve"


@pytest.fixture
def alice(tmp_path: Path) -> Path:
    """Return Alice's key file."""
    key_file.create(tmp_path / "alice.key", b"", os.urandom)
    return tmp_path / "alice.key"


def test_what_is_signed_is_what_was_shown_first(alice: Path) -> None:
    """A gateway that changes the order afterwards has a signature for the one that was read."""
    other = changed(order={"to": "0x" + "66" * 20}, status="approved")
    with gateway({ONE: (200, DOCUMENT), YES: (200, other)}) as told:
        ended = run(told, alice, "--order", "aor_1", "--yes", DIGEST)
    assert ended.returncode == 0, ended.stderr
    assert "to            0x" + "ab" * 20 in ended.stdout
    (method, path, authorization, body) = told.sent[1]
    assert (method, path) == ("POST", YES)
    proof = json.loads(body)["proof"]
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key_file.read(alice).public_key))
    public.verify(
        bytes.fromhex(proof["signature"]), api.order_message(msgspec.convert(ORDER, api.Order))
    )
    name, at, signature = (
        part.split("=")[1] for part in authorization.split(" ")[1].split(",")
    )
    public.verify(bytes.fromhex(signature), request_message(method, path, body, int(at)))
    assert name == "alice"


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (changed(order={"to": "0x" + "66" * 20}), "another digest"),
        (changed(order={"units": "999000000000000000000"}), "another digest"),
        (changed(id="aor_2"), "sent aor_2, not aor_1"),
    ],
)
def test_a_yes_is_for_the_order_that_was_looked_at(
    alice: Path, sent: dict[str, Any], words: str
) -> None:
    """A gateway that answers with another order gets no signature over it."""
    with gateway({ONE: (200, sent), YES: (200, sent)}) as told:
        ended = run(told, alice, "--order", "aor_1", "--yes", DIGEST)
    assert (ended.returncode, words in ended.stderr) == (1, True), ended.stderr
    assert [line[0] for line in told.sent] == ["GET"]


def refusals() -> dict[str, tuple[tuple[int, Any], tuple[str, ...], str]]:
    """Return what the gateway says, the person's words, and the line that ends it."""
    yes = ("--yes", DIGEST)
    return {
        "own by the gateway": ((200, changed(own_request=True)), yes, "four eyes"),
        "own by name": ((200, changed(order={"requested_by": "alice"})), yes, "four eyes"),
        "own by subject": (
            (200, changed(order={"requested_by": "usr_1"})),
            ("--yes", DIGEST, "--subject", "usr_1"),
            "four eyes",
        ),
        "expired": ((200, changed(order={"expires_ms": 1})), yes, "expired"),
        "again": ((200, changed(approved_by=["alice"])), yes, "already"),
        "ended": ((200, changed(status="ended")), yes, "nothing to say"),
        "hidden": ((200, changed(order={"to": "0x\u202e"})), yes, "would hide"),
        "denied": ((401, {"code": "no", "detail": "who\x1b[2J"}), yes, "no: who?[2J"),
        "redirect": ((302, b""), yes, "not its own"),
        "junk": ((200, b"<html>"), yes, "not its own"),
        "another shape": ((200, {"order": ORDER}), yes, "not its own"),
        "unknown field": ((200, changed(order={"gift": "1"})), yes, "not its own"),
    }


def test_orders_that_are_not_signed(alice: Path) -> None:
    """Nothing is posted, and one line says why."""
    for name, (answer, words, line) in refusals().items():
        with gateway({ONE: answer, YES: (200, DOCUMENT)}) as told:
            ended = run(told, alice, "--order", "aor_1", *words)
        assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), (name, ended.stderr)
        assert line in ended.stderr, (name, ended.stderr)
        assert [sent[0] for sent in told.sent] == ["GET"], name


def test_without_a_terminal_nothing_is_approved_unnamed(alice: Path) -> None:
    """`--yes` and `--refuse` speak of one order; an id cannot lead elsewhere."""
    with gateway({}) as told:
        assert "only with --order" in run(told, alice, "--yes", DIGEST).stderr
        assert "only with --order" in run(told, alice, "--refuse", "no").stderr
        assert "no terminal" in run(told, alice).stderr
        assert "only letters" in run(told, alice, "--order", "../x", "--yes", DIGEST).stderr
    assert told.sent == []


def test_a_person_reads_and_decides_one_by_one(alice: Path) -> None:
    """Enter leaves it, `y` approves, `r` refuses with a reason."""
    orders = [changed(id=f"aor_{n}", order={"withdrawal_id": f"wdr_{n}"}) for n in (1, 2, 3)]
    page = {"object": "list", "data": orders, "has_more": False, "next_cursor": None}
    answers: dict[str, Any] = {"/v1/approvals/orders?limit=100": (200, page)}
    answers["/v1/approvals/orders/aor_2/approve"] = (200, DOCUMENT)
    answers["/v1/approvals/orders/aor_3/refuse"] = (200, changed(status="refused"))
    ours, theirs = pty.openpty()
    with (
        gateway(answers) as told,
        subprocess.Popen(
            command(told, alice), cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True,
        ) as process,
    ):  # fmt: skip
        os.close(theirs)
        for number, said in ((1, b"\n"), (2, b"y\n"), (3, b"r\n")):
            assert f"wdr_{number}" in read_until(ours, "(Enter)?")
            os.write(ours, said)
        read_until(ours, "Why?")
        os.write(ours, b"not ours\n")
        read_until(ours, "refused: 0 of 2")
        assert process.wait(60) == 0
    os.close(ours)
    assert [path for _, path, _, _ in told.sent[1:]] == [
        "/v1/approvals/orders/aor_2/approve",
        "/v1/approvals/orders/aor_3/refuse",
    ]
    assert json.loads(told.sent[2][3]) == {"reason": "not ours"}


def _tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gateway")])
    now = dt.datetime.now(dt.UTC)
    names: Any = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder: Any = x509.CertificateBuilder(subject_name=subject, issuer_name=subject)
    certificate = (
        builder.public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, SHA256())
    )
    chain, secret = folder / "chain.pem", folder / "secret.pem"
    chain.write_bytes(certificate.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(chain, secret)
    return theirs, chain


def test_tls_is_verified(alice: Path, tmp_path: Path) -> None:
    """A certificate of nobody is refused; one that the person names is trusted."""
    tls, chain = _tls(tmp_path)
    with gateway({ONE: (200, DOCUMENT), YES: (200, DOCUMENT)}, tls) as told:
        refused = run(told, alice, "--order", "aor_1", "--yes", DIGEST)
        assert refused.returncode == 1
        assert "CERTIFICATE_VERIFY_FAILED" in refused.stderr
        assert told.sent == []
        trusted = run(told, alice, "--order", "aor_1", "--yes", DIGEST, "--ca", str(chain))
        assert trusted.returncode == 0, trusted.stderr


def test_approver_key_prints_what_the_policy_wants(tmp_path: Path) -> None:
    """A passphrase from a file seals it; without a terminal one of both has to be said."""
    path, secret = tmp_path / "alice.key", tmp_path / "passphrase"
    secret.write_bytes(PASSPHRASE + b"\n")
    secret.chmod(0o600)
    base = [sys.executable, "-m", "keystore", "approver-key", str(path)]

    def make(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*base, *args], cwd=ROOT, capture_output=True, text=True, timeout=60,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip

    assert "no terminal" in make().stderr
    made = make("--passphrase-file", str(secret))
    file = key_file.read(path)
    assert made.stdout == f"public key for the policy: {file.public_key}\n"
    assert file.seed is None
    key_file.opened(file, PASSPHRASE)
    assert "exists already" in make("--no-passphrase").stderr


def test_the_process_that_signs_loads_none_of_it() -> None:
    """Neither the command nor anything that speaks HTTP is in its memory."""
    script = (
        "import sys, keystore.__main__, keystore.commands, keystore.custody, keystore.server\n"
        f"print([name for name in {NOT_LOADED!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
