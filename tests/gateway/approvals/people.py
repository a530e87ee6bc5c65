"""Alice and Bob, whom the published policy names, and an order that waits for them."""

import hashlib
import json
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Any

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import insert

from gateway.approvals.credentials import request_message
from gateway.approvals.proofs import Order, message
from gateway.db import CROSS_TENANT
from gateway.models import ApprovalOrder, PolicySnapshot
from keystore.api import PublishedApprover, PublishedRule
from tests.gateway.shop import Shop
from tests.gateway.withdrawals.test_gate import act, requested

ALICE, BOB, MALLORY = (
    Ed25519PrivateKey.from_private_bytes(bytes([n] * 32)) for n in (7, 8, 66)
)
CAROL = ec.derive_private_key(1234567, ec.SECP256R1())
CAROL_POINT = CAROL.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
KEYS = {"alice": ALICE, "bob": BOB}
PEOPLE = [
    PublishedApprover(
        name=name,
        kind="key",
        public_key=key.public_key().public_bytes_raw().hex(),
        subject="" if name == "bob" else "usr_alice",
        merchant=None,
    )
    for name, key in KEYS.items()
] + [
    PublishedApprover(
        name="carol", kind="passkey", public_key=CAROL_POINT.hex(), subject="", merchant=None
    )
]
LIMIT = 10_000_000
"""Base units of USDC that go by themselves."""


def rule(name: str, kind: Any, **changes: Any) -> PublishedRule:
    """Return a rule of the published policy with `changes`."""
    fields: dict[str, Any] = {
        "assets": [], "destinations": [], "destinations_count": 0, "sources": [],
        "units_max": None, "window": None, "fee_max": None, "approvals": 0, "approvers": [],
    }  # fmt: skip
    return PublishedRule(name=name, kind=kind, **{**fields, **changes})


def rules(people: list[PublishedApprover] = PEOPLE) -> list[PublishedRule]:
    """Return: small change goes, two people decide about the rest."""
    return [
        rule("small change", "automatic", units_max=str(LIMIT)),
        rule("two people", "approved", approvals=2, approvers=people),
        rule("everything else", "block"),
    ]


async def publish(
    shop: Shop,
    network: str = "ethereum",
    *,
    people: list[PublishedApprover] = PEOPLE,
    age: timedelta = timedelta(0),
) -> None:
    """Publish the policy as the network's watcher does."""
    async with shop.watcher.unit_of_work(CROSS_TENANT) as session:
        row = PolicySnapshot(
            network_id=network,
            fingerprint="ab" * 32,
            rules=msgspec.to_builtins(rules(people)),
            approvers=msgspec.to_builtins(people),
            published_at=shop.clock().at - age,
        )
        await session.merge(row)


async def order_row(
    shop: Shop, withdrawal_id: str, *, revision: int = 1, hours: int = 24, **changes: Any
) -> str:
    """Write an order for a withdrawal as its watcher does; return its id."""
    [row] = await shop.rows("SELECT * FROM withdrawal WHERE id = :id", id=withdrawal_id)
    at = shop.clock().at
    order_id = shop.clock().id("aor")
    fields: dict[str, Any] = {
        "network_id": row.network_id,
        "asset": "0x5fbdb2315678afecb367f032d93f642f64180aa3",
        "destination": row.destination,
        "units": int(row.units),
        "fee_ceiling_units": 10**16,
        "merchant_id": row.merchant_id,
        "requested_by": row.created_by,
        "expires_ms": int((at + timedelta(hours=hours)).timestamp() * 1000),
    }
    async with shop.watcher.unit_of_work(CROSS_TENANT) as session:
        await session.execute(
            insert(ApprovalOrder).values(
                id=order_id,
                withdrawal_id=withdrawal_id,
                revision=revision,
                created_at=at,
                **{**fields, **changes},
            )
        )
    return order_id


async def waiting(shop: Shop, **changes: Any) -> tuple[str, dict[str, Any], str]:
    """Return an order of 12.5 USDC that waits, its withdrawal, and a key of the merchant."""
    await publish(shop)
    made, _, key = await requested(shop)
    approved = (await act(shop, key, made, "approve")).json()
    return await order_row(shop, approved["id"], **changes), approved, key


async def ask(
    shop: Shop,
    name: str,
    method: str,
    target: str,
    body: Any = None,
    *,
    key: Ed25519PrivateKey | None = None,
    late: int = 0,
    once: str | None = None,
) -> httpx.Response:
    """Send a request signed by an approver, `late` seconds old."""
    content = b"" if body is None else json.dumps(body).encode()
    at = int(shop.at().timestamp()) - late
    signer = key or KEYS[name]
    signature = signer.sign(request_message(method, target, content, at)).hex()
    sent = {"Authorization": f"Approver name={name},at={at},signature={signature}"}
    if content:
        sent["Content-Type"] = "application/json"
    if once is not None:
        sent["Idempotency-Key"] = once
    return await shop.client.request(method, target, content=content, headers=sent)


async def shown(shop: Shop, order_id: str, name: str = "alice") -> dict[str, Any]:
    """Return one order as an approver sees it."""
    answer = await ask(shop, name, "GET", f"/v1/approvals/orders/{order_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def proof(name: str, document: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a person's proof for an order as it is shown, with `changes` to what is signed."""
    order = msgspec.convert({**document["order"], **changes}, Order)
    signature = KEYS[name].sign(message(order)).hex()
    return {"proof": {"kind": "key", "approver": name, "signature": signature}}


async def say_yes(shop: Shop, name: str, order_id: str, **changes: Any) -> httpx.Response:
    """Approve what is shown."""
    body = proof(name, await shown(shop, order_id, name), **changes)
    return await ask(shop, name, "POST", f"/v1/approvals/orders/{order_id}/approve", body)


def assertion(document: dict[str, Any], *, flags: int = 0x05) -> dict[str, Any]:
    """Return what Carol's authenticator would sign for an order."""
    order = msgspec.convert(document["order"], Order)
    challenge = urlsafe_b64encode(hashlib.sha256(message(order)).digest()).rstrip(b"=").decode()
    client = json.dumps(
        {"type": "webauthn.get", "challenge": challenge, "origin": "x"}
    ).encode()
    data = hashlib.sha256(b"pay.example.com").digest() + bytes([flags]) + bytes(4)
    signature = CAROL.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
    return {
        "proof": {
            "kind": "passkey",
            "approver": "carol",
            "authenticator_data": data.hex(),
            "client_data": client.hex(),
            "signature": signature.hex(),
        }
    }
