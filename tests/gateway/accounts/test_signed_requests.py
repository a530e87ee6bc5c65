"""Signed requests: the guide's example is accepted, everything a little different is not."""

import re
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import event

from tests.gateway.conftest import TestApi

pytestmark = pytest.mark.anyio

GUIDE = Path(__file__).parents[3] / "docs" / "merchants.md"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = b64encode(PRIVATE.public_key().public_bytes_raw()).decode()


def example() -> Callable[..., dict[str, str]]:
    """Return the function of the guide's only Python block."""
    [code] = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, str(GUIDE), "exec"), names)  # noqa: S102 - our own page
    signed: Callable[..., dict[str, str]] = names["signed"]
    return signed


class Signer:
    """A merchant whose key signs, at the time that the guide's example reads."""

    def __init__(self, api: TestApi, key: str, key_id: str) -> None:
        self.api, self.key, self.key_id = api, key, key_id
        self.sign = example()

    @classmethod
    async def opened(cls, api: TestApi) -> "Signer":
        """Open an account with one key, and give that its public key."""
        api.clock.at = datetime.now(UTC)
        _, key = await api.merchant_and_key()
        [row] = (await api.call("GET", "/v1/api_keys", key)).json()["data"]
        answer = await api.call(
            "PATCH", f"/v1/api_keys/{row['id']}", key, json={"public_key": PUBLIC}
        )
        assert answer.json()["public_key"] == PUBLIC
        return cls(api, key, row["id"])

    def headers(self, method: str, path: str, body: bytes = b"", **more: Any) -> dict[str, str]:
        """Sign as the guide does, at the public address."""
        url = self.api.settings.api.public_url + path
        return self.sign(PRIVATE, self.key_id, method, url, body, **more)

    async def send(
        self, method: str, path: str, headers: dict[str, str], body: bytes = b""
    ) -> httpx.Response:
        """Send exactly this."""
        kind = {"Content-Type": "application/json"} if body else {}
        return await self.api.call(
            method, path, self.key, headers={**headers, **kind}, content=body
        )

    async def patch(self, document: Any, path: str = "/v1/settings") -> httpx.Response:
        """Sign and send a change."""
        body = msgspec.json.encode(document)
        return await self.send("PATCH", path, self.headers("PATCH", path, body), body)


def code(answer: httpx.Response) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer.status_code, answer.json().get("code", "")


async def test_a_merchant_that_demands_signatures_gets_nothing_else(api: TestApi) -> None:
    """It has to prove first that it can; then every change is signed, reading need not be."""
    merchant = await Signer.opened(api)
    demand = {"security": {"require_signature": True}}
    unproved = await api.call("PATCH", "/v1/settings", merchant.key, json=demand)
    assert code(unproved) == (409, "signature_unproved")
    assert (await merchant.patch(demand)).json()["security"]["require_signature"] is True
    relax = {"security": {"require_signature": False}}
    for method, path in (("PATCH", "/v1/settings"), ("POST", "/v1/api_keys")):
        refused = await api.call(method, path, merchant.key, json=relax)
        assert code(refused) == (401, "signature_required")
    revoke = await api.call("DELETE", f"/v1/api_keys/{merchant.key_id}", merchant.key)
    assert code(revoke) == (401, "signature_required")
    assert (await api.call("GET", "/v1/settings", merchant.key)).status_code == 200
    path = "/v1/api_keys?limit=1"
    read = await merchant.send("GET", path, merchant.headers("GET", path))
    assert read.status_code == 200
    body = msgspec.json.encode({"name": "x", "scopes": ["settings:read"]})
    headers = merchant.headers("POST", "/v1/api_keys", body, idempotency_key="one")
    made = await merchant.send("POST", "/v1/api_keys", headers, body)
    assert made.status_code == 201
    again = merchant.headers("POST", "/v1/api_keys", body, idempotency_key="one")
    replayed = await merchant.send("POST", "/v1/api_keys", again, body)
    assert replayed.headers["idempotent-replayed"] == "true"
    operator = await api.key(None)
    where = f"/v1/merchants/{made.json()['merchant_id']}/settings"
    assert (await api.call("PATCH", where, operator, json=relax)).status_code == 200
    assert (
        await api.call("PATCH", "/v1/settings", merchant.key, json=relax)
    ).status_code == 200


async def test_a_signature_holds_for_one_request_and_once(api: TestApi) -> None:
    """Another body, path, query, method, idempotency key, key or second time is refused."""
    merchant = await Signer.opened(api)
    body = msgspec.json.encode({"name": "New"})
    path = "/v1/merchant"

    def fresh(**more: Any) -> dict[str, str]:
        return merchant.headers("PATCH", path, body, **more)

    invalid = (401, "signature_invalid")
    other = msgspec.json.encode({"name": "Evil"})
    digest = {"content-digest": merchant.headers("PATCH", path, other)["content-digest"]}
    cases: list[tuple[str, str, dict[str, str], bytes]] = [
        ("PATCH", path, fresh(), other),
        ("PATCH", path, {**fresh(), **digest}, other),
        ("PATCH", "/v1/settings", fresh(), body),
        ("PATCH", f"{path}?a=b", fresh(), body),
        ("POST", path, merchant.headers("POST", "/v1/api_keys", body), body),
        ("PATCH", path, {**fresh(idempotency_key="a"), "idempotency-key": "b"}, body),
        ("PATCH", path, {**fresh(), "idempotency-key": "b"}, body),
        ("PATCH", path, {k: v for k, v in fresh().items() if k != "signature"}, body),
        ("PATCH", path, {k: v for k, v in fresh().items() if k != "signature-input"}, body),
    ]
    for method, where, headers, sent in cases:
        answer = await merchant.send(method, where, headers, sent)
        assert answer.status_code in {401, 405}, (method, where)
        if answer.status_code == 401:
            assert code(answer) == invalid
    headers = fresh()
    assert (await merchant.send("PATCH", path, headers, body)).status_code == 200
    assert code(await merchant.send("PATCH", path, headers, body)) == (
        401,
        "signature_replayed",
    )
    shown = (await api.call("GET", path, merchant.key)).json()
    assert shown["name"] == "New"

    foreign = Ed25519PrivateKey.from_private_bytes(bytes(32))
    url = api.settings.api.public_url + path
    forged = merchant.sign(foreign, merchant.key_id, "PATCH", url, body)
    assert code(await merchant.send("PATCH", path, forged, body)) == invalid
    unnamed = merchant.sign(PRIVATE, "key_other", "PATCH", url, body)
    assert code(await merchant.send("PATCH", path, unnamed, body)) == invalid
    _, bare = await api.merchant_and_key()
    answer = await api.call("PATCH", path, bare, headers=fresh(), json={"name": "New"})
    assert code(answer) == invalid


async def test_what_a_signature_has_to_say(api: TestApi) -> None:
    """Too little covered, too old, too new, no nonce, another algorithm: refused, in words."""
    merchant = await Signer.opened(api)
    body = msgspec.json.encode({"name": "New"})
    path = "/v1/merchant"
    now = int(api.clock.at.timestamp())

    async def refusal(names: str, parameters: str, sent: bytes = body) -> str:
        digest = merchant.headers("PATCH", path, sent)["content-digest"]
        values = {
            "@method": "PATCH", "@path": path, "@query": "?", "content-digest": digest,
            "@target-uri": api.settings.api.public_url + path,
        }  # fmt: skip
        covered = " ".join(f'"{name}"' for name in names.split())
        line = f"({covered}){parameters}"
        lines = [f'"{name}": {values[name]}' for name in names.split()]
        base = "\n".join([*lines, f'"@signature-params": {line}'])
        signature = b64encode(PRIVATE.sign(base.encode())).decode()
        headers = {
            "content-digest": digest,
            "signature-input": f"sig1={line}",
            "signature": f"sig1=:{signature}:",
        }
        answer = await merchant.send("PATCH", path, headers, sent)
        if answer.status_code != 401:
            return str(answer.status_code)
        assert code(answer) == (401, "signature_invalid")
        return str(answer.json()["detail"])

    whole = "@method @path @query content-digest"
    key = f';keyid="{merchant.key_id}"'
    nonces = iter(f"{n:016}" for n in range(20))

    def said(created: int = now, more: str = "") -> str:
        return f';created={created}{key};nonce="{next(nonces)}"{more}'

    assert await refusal(whole, said()) == "200"
    assert await refusal("@method @target-uri content-digest", said()) == "200"
    assert await refusal(whole, said(now - 290)) == "200"
    for names, missing in (
        ("@path @query content-digest", "@method"),
        ("@method @path content-digest", "@query"),
        ("@method @query content-digest", "@path"),
        ("@method @path @query", "content-digest"),
    ):
        assert await refusal(names, said()) == f"the signature does not cover {missing}"
    assert "created is more than" in await refusal(whole, said(now - 310))
    assert "created is more than" in await refusal(whole, said(now + 310))
    assert "has expired" in await refusal(whole, said(more=f";expires={now - 1}"))
    assert "alg is ed25519" in await refusal(whole, said(more=';alg="hmac-sha256"'))
    assert "created is needed" in await refusal(whole, f'{key};nonce="{"a" * 16}"')
    assert "nonce" in await refusal(whole, f";created={now}{key}")
    assert "nonce" in await refusal(whole, f';created={now}{key};nonce="{"a" * 15}"')
    rows = await api.rows("SELECT count(*) FROM request_nonce")
    assert rows[0][0] == 7
    api.clock.at += timedelta(minutes=20)
    later = int(api.clock.at.timestamp())
    for _ in range(2):
        assert await refusal(whole, said(later)) == "200"
    rows = await api.rows("SELECT count(*) FROM request_nonce")
    assert rows[0][0] == 2, "what is over is forgotten"


async def test_one_round_trip_says_who_asks(api: TestApi) -> None:
    """Key, merchant, quota, addresses and nonce: one statement, also for a signed request."""
    merchant = await Signer.opened(api)
    await api.rows("UPDATE merchant SET status = 'suspended' RETURNING 1")
    statements: list[str] = []

    def heard(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    event.listen(api.database.engine.sync_engine, "before_cursor_execute", heard)
    refused = await merchant.patch({"metadata": {"a": "b"}})
    assert code(refused) == (403, "merchant_suspended")
    assert len(statements) == 1
