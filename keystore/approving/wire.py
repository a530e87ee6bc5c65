"""Talking to the gateway as an approver: every request signed, TLS verified, nothing believed.

Only the standard library: this house has no HTTP client. Redirects are not followed and no proxy
is asked. `gateway.approvals.credentials` builds the same message; `tests/vectors/order.json` ties
the two together.
"""

import hashlib
import http.client
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keystore.api import Order
from keystore.refusal import Unfit

CONTEXT = b"gw/approver/v1\n"
ORDERS = "/v1/approvals/orders"
TIMEOUT_SECONDS = 30
ANSWER_BYTES_MAX = 4_194_304
PAGES_MAX = 50
LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})
"""Where a request may travel without TLS: it does not leave the machine."""

T = TypeVar("T")


class HaveNeed(msgspec.Struct, frozen=True):
    """How many people have approved, and how many it takes."""

    have: int
    need: int


class History(msgspec.Struct, frozen=True):
    """What the merchant has paid to this destination before."""

    completed: int
    amount: str
    first_at: str | None
    last_at: str | None


class BookEntry(msgspec.Struct, frozen=True):
    """The merchant's own name for the destination."""

    label: str
    usable_at: str


class Document(msgspec.Struct, frozen=True):
    """One order: `order` is what is signed, all else is the gateway's word."""

    id: str
    revision: int
    status: str
    order: Order
    currency: str
    decimals: int
    fee_currency: str
    merchant_name: str | None
    rule: str | None
    approvals: HaveNeed
    approved_by: list[str]
    own_request: bool
    address_book: BookEntry | None
    history: History


class _Page(msgspec.Struct, frozen=True):
    data: list[Document]
    has_more: bool
    next_cursor: str | None


class _Problem(msgspec.Struct, frozen=True):
    code: str
    detail: str


class Denied(Exception):
    """The gateway said no: `code` and a sentence of its own, not to be trusted on a terminal."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")


def request_message(method: str, target: str, body: bytes, at: int) -> bytes:
    """Return the bytes that an approver signs for one request."""
    digest = hashlib.sha256(body).hexdigest()
    return CONTEXT + f"{method}\n{target}\n{digest}\n{at}".encode()


@dataclass(frozen=True, slots=True)
class Address:
    """Where the gateway is."""

    host: str
    port: int | None
    tls: bool


def address_of(url: str) -> Address:
    """Read `https://HOST[:PORT]`; plain HTTP only to this machine. Raises `Unfit`."""
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError as fault:
        raise Unfit(f"--url: {fault}") from fault
    if not host or parts.scheme not in {"https", "http"} or parts.username is not None:
        raise Unfit("--url: must be https://HOST or https://HOST:PORT")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise Unfit("--url: must end with the host: the paths are known")
    if parts.scheme == "http" and host not in LOCAL:
        raise Unfit("--url: without TLS only this machine is spoken to")
    return Address(host, port, parts.scheme == "https")


@dataclass(frozen=True, slots=True)
class Gateway:
    """One gateway, spoken to in the name of one approver. `clock` gives Unix seconds."""

    address: Address
    name: str
    key: Ed25519PrivateKey
    clock: Callable[[], int]
    authority: Path | None = None
    """Certificates to trust instead of the machine's own."""

    def waiting(self) -> list[Document]:
        """Return every order that waits for somebody."""
        found: list[Document] = []
        after = ""
        for _ in range(PAGES_MAX):
            page = self._ask("GET", f"{ORDERS}?limit=100{after}", None, _Page)
            found += page.data
            if not page.has_more or not page.next_cursor:
                return found
            after = f"&starting_after={_plain(page.next_cursor)}"
        raise Unfit(f"gateway: more than {PAGES_MAX} pages of orders")

    def order(self, order_id: str) -> Document:
        """Return one order."""
        return self._ask("GET", f"{ORDERS}/{_plain(order_id)}", None, Document)

    def approve(self, order_id: str, signature: str) -> Document:
        """Hand in a proof."""
        proof = {"kind": "key", "approver": self.name, "signature": signature}
        target = f"{ORDERS}/{_plain(order_id)}/approve"
        return self._ask("POST", target, {"proof": proof}, Document)

    def refuse(self, order_id: str, reason: str) -> Document:
        """Say no, and why."""
        target = f"{ORDERS}/{_plain(order_id)}/refuse"
        return self._ask("POST", target, {"reason": reason}, Document)

    def _ask(self, method: str, target: str, sent: Any, kind: type[T]) -> T:
        body = b"" if sent is None else msgspec.json.encode(sent)
        at = self.clock()
        signature = self.key.sign(request_message(method, target, body, at)).hex()
        headers = {
            "Authorization": f"Approver name={self.name},at={at},signature={signature}",
            "Accept": "application/json",
        }
        if body:
            headers["Content-Type"] = "application/json"
        try:
            status, answer = self._exchange(method, target, body, headers)
        except (OSError, http.client.HTTPException) as trouble:
            raise Unfit(f"gateway: cannot be asked: {trouble}") from trouble
        return _read(status, answer, kind)

    def _exchange(
        self, method: str, target: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        connection = self._connection()
        try:
            connection.request(method, target, body or None, headers)
            response = connection.getresponse()
            return response.status, response.read(ANSWER_BYTES_MAX + 1)
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self.address.host, self.address.port
        if not self.address.tls:
            return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
        trust = ssl.create_default_context(cafile=self.authority)
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=trust)


def _read(status: int, answer: bytes, kind: type[T]) -> T:
    if len(answer) > ANSWER_BYTES_MAX:
        raise Unfit("gateway: its answer is too long")
    try:
        if status != http.client.OK:
            problem = msgspec.json.decode(answer, type=_Problem)
            raise Denied(problem.code, problem.detail)
        return msgspec.json.decode(answer, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise Unfit(f"gateway: status {status} with an answer that is not its own") from fault


def _plain(identifier: str) -> str:
    """Return an id that cannot change the path it stands in."""
    if not identifier.isascii() or not identifier.replace("_", "").isalnum():
        raise Unfit("order: an id has only letters, digits and _")
    return identifier
