"""What operators decide about merchants, and what follows from it."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from tests.gateway.conftest import TestApi
from tests.gateway.shop import Shop, shop

__all__ = ["shop"]
pytestmark = pytest.mark.anyio

PROFILE = {
    "name": "Café Müller",
    "legal_name": "Müller GmbH",
    "email": "info@mueller.example",
    "address": {"line1": "Hauptstr. 1", "city": "Bonn", "postal_code": "53111"},
    "country": "DE",
    "tax_id": "DE123456789",
    "website": "https://mueller.example",
    "phone": "+49 228 123456",
    "support_email": "help@mueller.example",
    "support_url": "https://mueller.example/help",
}


def code(answer: Any) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer.status_code, answer.json().get("code", "")


async def test_operators_search_and_verify(api: TestApi) -> None:
    """By words, status and verification; what was verified stays, who and when is kept."""
    operator = await api.key(None)
    await api.merchant("100% Other")
    made = (await api.call("POST", "/v1/merchants", operator, json=PROFILE)).json()
    assert {name: made[name] for name in PROFILE} == PROFILE
    assert made["verification"] == {
        "status": "unverified",
        "note": None,
        "by": None,
        "at": None,
    }

    async def found(**query: str) -> list[str]:
        answer = await api.call("GET", "/v1/merchants", operator, params=query)
        assert answer.status_code == 200, answer.text
        return [row["name"] for row in answer.json()["data"]]

    assert await found() == ["Café Müller", "100% Other"]
    assert await found(query="müller g") == ["Café Müller"]
    assert await found(query="INFO@mueller") == ["Café Müller"]
    assert await found(query=made["id"]) == ["Café Müller"]
    assert await found(query="%") == ["100% Other"]
    assert await found(query="0_") == []
    assert await found(limit="1") == ["Café Müller"]
    assert await found(verification="verified") == []
    assert await found(status="suspended") == []

    path = f"/v1/merchants/{made['id']}"
    own = await api.key(made["id"])
    body = {"verification": "verified", "note": "papers seen"}
    verified = (await api.call("POST", f"{path}/verification", operator, json=body)).json()
    assert verified["verification"]["by"].startswith("key_")
    assert await found(verification="verified") == ["Café Müller"]
    mine = (await api.call("GET", "/v1/merchant", own)).json()
    assert mine["verification"] == {**verified["verification"], "by": None}
    for change in ({"legal_name": "Else"}, {"tax_id": None}, {"country": "AT"}):
        assert code(await api.call("PATCH", "/v1/merchant", own, json=change)) == (
            409,
            "merchant_verified",
        )
    harmless = {**PROFILE, "phone": "+49 228 99999"}
    assert (await api.call("PATCH", "/v1/merchant", own, json=harmless)).status_code == 200
    moved = await api.call("PATCH", path, operator, json={"country": "AT"})
    assert moved.json()["country"] == "AT"
    rows = await api.rows(
        "SELECT action, merchant_id FROM audit_log WHERE subject = :s ORDER BY id", s=made["id"]
    )
    assert [row.action for row in rows] == [
        "merchant.created",
        "merchant.verification",
        "merchant.changed",
        "merchant.changed",
    ]
    assert {row.merchant_id for row in rows} == {made["id"]}
    for unknown in ("verification", "suspend", "unsuspend", "restore"):
        body = {"verification": "verified"} if unknown == "verification" else {"reason": "x"}
        answer = await api.call("POST", f"/v1/merchants/mer_no/{unknown}", operator, json=body)
        assert code(answer) == (404, "not_found")
        answer = await api.call("POST", f"{path}/{unknown}", own, json=body)
        assert code(answer) == (403, "insufficient_scope")
    assert code(await api.call("GET", "/v1/merchants", own)) == (403, "insufficient_scope")


async def test_a_suspended_merchant_looks_and_changes_nothing(shop: Shop) -> None:
    """Writing and money are refused by name; a payment is credited all the same."""
    merchant_id, key = await shop.merchant_and_key()
    operator = await shop.key(None, livemode=True)
    invoice = await shop.invoice(key, payment_methods=["ETH-ETHEREUM"])
    path = f"/v1/merchants/{merchant_id}"
    body = {"reason": "unusual payments"}
    answer = await shop.call("POST", f"{path}/suspend", operator, json=body)
    assert answer.json()["suspension"]["reason"] == "unusual payments"
    again = await shop.call("POST", f"{path}/suspend", operator, json={"reason": "other"})
    assert again.json() == answer.json()
    sums = {"amount": "5.00", "currency": "USD"}
    payout = {"payment_method": "ETH-ETHEREUM", "amount": "1", "destination": "0x" + "1" * 40}
    for method, where, sent in (
        ("POST", "/v1/invoices", sums),
        ("POST", f"/v1/invoices/{invoice['id']}/cancel", None),
        ("POST", "/v1/withdrawals", payout),
        ("PATCH", "/v1/merchant", {"name": "x"}),
        ("POST", "/v1/api_keys", {"name": "x", "scopes": ["settings:read"]}),
    ):
        refused = await shop.call(method, where, key, json=sent)
        assert code(refused) == (403, "merchant_suspended"), where
    option = invoice["payment_options"][0]
    await shop.pay(option["address"], "ETH-ETHEREUM", int(option["amount_atomic"]), final=True)
    paid = (await shop.call("GET", f"/v1/invoices/{invoice['id']}", key)).json()
    assert paid["status"] == "settled"
    mine = (await shop.call("GET", "/v1/merchant", key)).json()
    assert (mine["status"], mine["suspension"]["by"]) == ("suspended", None)
    balances = (await shop.call("GET", "/v1/balances", key)).json()["data"]
    assert any(row["confirmed"].strip("0.") for row in balances)
    full = await shop.call("DELETE", path, operator)
    assert code(full) == (409, "merchant_not_empty")
    free = await shop.call("POST", f"{path}/unsuspend", operator)
    assert (free.json()["status"], free.json()["suspension"]) == ("active", None)
    assert (await shop.call("POST", "/v1/invoices", key, json=sums)).status_code == 201


async def test_an_account_ends_and_comes_back(api: TestApi) -> None:
    """Its keys are worth nothing meanwhile; it stays where only operators see it."""
    merchant_id, key = await api.merchant_and_key()
    operator = await api.key(None)
    path = f"/v1/merchants/{merchant_id}"
    ended = (await api.call("DELETE", path, operator)).json()
    assert ended["deleted_at"] is not None
    assert (await api.call("DELETE", path, operator)).json() == ended
    assert (await api.call("GET", "/v1/merchant", key)).status_code == 401
    assert (await api.call("GET", path, operator)).json() == ended
    assert (await api.call("GET", "/v1/merchants", operator)).json()["data"] == []
    listed = await api.call("GET", "/v1/merchants", operator, params={"deleted": "true"})
    assert listed.json()["data"] == [ended]
    assert code(await api.call("PATCH", path, operator, json={"name": "x"})) == (
        404,
        "not_found",
    )
    keys = await api.call(
        "POST", f"{path}/api_keys", operator, json={"name": "x", "scopes": ["settings:read"]}
    )
    assert code(keys) == (404, "not_found")
    assert (await api.call("POST", f"{path}/restore", operator)).json()["deleted_at"] is None
    assert (await api.call("GET", "/v1/merchant", key)).status_code == 200


async def test_plain_sql_of_the_api_decides_nothing_about_merchants(api: TestApi) -> None:
    """As gw_api inside the merchant's tenant: no standing, no verification, no money."""
    merchant_id, _ = await api.merchant_and_key()

    async def run(statement: str, tenant: str = merchant_id) -> None:
        async with api.database.unit_of_work(tenant) as session:
            await session.execute(text(statement), {"id": merchant_id})

    for change in (
        "verification = 'verified'",
        "verification_note = 'fine'",
        "status = 'suspended'",
        "deleted_at = now()",
        "suspension_reason = 'x'",
    ):
        with pytest.raises(ProgrammingError, match="only an operator decides"):
            await run(f"UPDATE merchant SET {change}")
    with pytest.raises(ProgrammingError, match="row-level security"):
        await run(
            "INSERT INTO merchant (id, name, created_at, verification) "
            "VALUES ('mer_x', 'x', now(), 'verified')",
            "mer_x",
        )
    await api.rows("UPDATE merchant SET verification = 'verified' RETURNING 1")
    await run("UPDATE merchant SET name = 'New'")
    with pytest.raises(ProgrammingError, match="only an operator decides"):
        await run("UPDATE merchant SET tax_id = 'x'")
    wallet = (
        "INSERT INTO withdrawal (id, merchant_id, livemode, currency_id, network_id, units, "
        "fee_units, destination, created_by, created_at, updated_at) VALUES ('wdr_{}', :id, false, "
        "'ETH-ETHEREUM', 'ethereum', 1, 0, '0xaa', 'key_1', now(), now())"
    )
    await run(wallet.format(1))
    await api.rows("UPDATE merchant SET status = 'suspended' RETURNING 1")
    with pytest.raises(ProgrammingError, match="row-level security"):
        await run(wallet.format(2))
    approve = (
        "UPDATE withdrawal SET status = 'approved', approved_by = 'key_2', approved_at = now()"
    )
    with pytest.raises(ProgrammingError, match="row-level security"):
        await run(approve)
    await run("UPDATE withdrawal SET status = 'canceled'")
