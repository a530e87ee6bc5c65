"""One merchant never learns of another: by plain SQL, by id, by mode."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from tests.gateway.conftest import TestApi, count

pytestmark = pytest.mark.anyio


async def _tenant_tables(api: TestApi) -> list[str]:
    rows = await api.rows(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        " AND EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = pg_class.oid"
        " AND attname = 'merchant_id')"
    )
    return [row.relname for row in rows]


async def test_plain_sql_of_the_api_sees_one_tenant(api: TestApi) -> None:
    """Rows exist for two merchants; under a third, or under none, every table is empty."""
    for _ in range(2):
        _, key = await api.merchant_and_key()
        body = {"name": "till", "scopes": ["invoices:read"]}
        headers = {"Idempotency-Key": "a"}
        await api.call("POST", "/v1/api_keys", key, json=body, headers=headers)
    tables = [*await _tenant_tables(api), "merchant"]
    assert {"api_key", "audit_log", "idempotency_key", "invoice", "wallet"} <= set(tables)
    for tenant in (None, "mer_other", ""):
        async with api.database.unit_of_work(tenant) as session:
            for table in tables:
                assert await count(session, table) == 0, table


async def test_the_tenant_does_not_outlive_its_transaction(api: TestApi) -> None:
    """The next user of a pooled connection starts without one, also after a fault."""
    merchant_id, _ = await api.merchant_and_key()
    for _ in range(10):
        with pytest.raises(ProgrammingError):
            async with api.database.unit_of_work(merchant_id) as session:
                assert await count(session, "merchant") == 1
                await session.execute(text("SELECT nonsense"))
        async with api.database.unit_of_work(None) as session:
            assert await count(session, "merchant") == 0


async def test_plain_sql_cannot_write_into_another_tenant(api: TestApi) -> None:
    """Inserting for another merchant is refused, updating one changes nothing."""
    mine, _ = await api.merchant_and_key()
    theirs, _ = await api.merchant_and_key()
    async with api.database.unit_of_work(mine) as session:
        changed = await session.execute(
            text("UPDATE merchant SET name = 'x' WHERE id = :id RETURNING id"), {"id": theirs}
        )
        assert changed.all() == []
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with api.database.unit_of_work(mine) as session:
            await session.execute(
                text(
                    "INSERT INTO audit_log (merchant_id, actor, action, subject, at)"
                    " VALUES (:id, 'x', 'x', 'x', now())"
                ),
                {"id": theirs},
            )


async def test_another_merchants_key_does_not_exist(api: TestApi) -> None:
    """404, never 403, and the same words as for a key that nobody has."""
    _, mine = await api.merchant_and_key()
    _, theirs = await api.merchant_and_key()
    foreign = (await api.call("GET", "/v1/api_keys", theirs)).json()["data"][0]["id"]
    answers = [
        await api.call("DELETE", f"/v1/api_keys/{key_id}", mine)
        for key_id in (foreign, "key_nobody")
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    told = [
        answer.json()["detail"].replace(answer.url.path.rpartition("/")[2], "ID")
        for answer in answers
    ]
    assert told[0] == told[1]
    assert (await api.call("GET", "/v1/merchant", theirs)).status_code == 200


async def test_a_cursor_of_another_merchant_opens_nothing(api: TestApi) -> None:
    """Paging from a foreign id still lists only one's own."""
    _, mine = await api.merchant_and_key()
    _, theirs = await api.merchant_and_key()
    own = (await api.call("GET", "/v1/api_keys", mine)).json()["data"]
    foreign = (await api.call("GET", "/v1/api_keys", theirs)).json()["data"][0]["id"]
    page = (await api.call("GET", f"/v1/api_keys?starting_after={foreign}", mine)).json()
    assert [row["id"] for row in page["data"]] == [row["id"] for row in own]


async def test_modes_are_apart(api: TestApi) -> None:
    """A live key sees neither test networks nor test keys."""
    merchant_id, test = await api.merchant_and_key()
    live = await api.key(merchant_id, livemode=True)
    assert live.startswith("gw_live_")
    assert test.startswith("gw_test_")
    for path in ("/v1/payment_methods", "/v1/networks", "/v1/balances"):
        assert (await api.call("GET", path, test)).json()["data"]
        assert (await api.call("GET", path, live)).json()["data"] == []
    keys = (await api.call("GET", "/v1/api_keys", live)).json()["data"]
    assert [key["livemode"] for key in keys] == [True]


async def test_what_another_merchant_plans_to_pay_does_not_exist(api: TestApi) -> None:
    """Book, rules, batches: another's id and nobody's are the same 404, in the same words."""
    _, mine = await api.merchant_and_key()
    _, theirs = await api.merchant_and_key()

    async def made(path: str, **body: Any) -> str:
        headers = {"Idempotency-Key": "1"}
        answer = await api.call("POST", path, theirs, json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    address = "0x52908400098527886E0F7030069857D2E4169EE7"
    entry = await made("/v1/address_book", network="ethereum", address=address, label="x")
    rule = await made(
        "/v1/payout_rules",
        payment_method="ETH-ETHEREUM",
        threshold="1",
        address_book_entry=entry,
    )
    item = {"payment_method": "ETH-ETHEREUM", "amount": "1", "destination": address}
    batch = await made("/v1/withdrawals/batch", items=[item])
    routes: list[tuple[str, str, str, Any]] = [
        ("GET", "/v1/address_book/{}", entry, None),
        ("DELETE", "/v1/address_book/{}", entry, None),
        ("PATCH", "/v1/address_book/{}", entry, {"label": "y"}),
        ("GET", "/v1/payout_rules/{}", rule, None),
        ("DELETE", "/v1/payout_rules/{}", rule, None),
        ("PATCH", "/v1/payout_rules/{}", rule, {"enabled": False}),
        ("GET", "/v1/withdrawal_batches/{}", batch, None),
        ("POST", "/v1/withdrawal_batches/{}/approve", batch, None),
        ("POST", "/v1/withdrawal_batches/{}/reject", batch, None),
    ]
    for method, path, foreign, body in routes:
        told = []
        for object_id in (foreign, "nobody"):
            answer = await api.call(method, path.format(object_id), mine, json=body)
            assert answer.status_code == 404, (method, path)
            told.append(answer.json()["detail"].replace(object_id, "ID"))
        assert told[0] == told[1]
    for path in ("/v1/address_book", "/v1/payout_rules"):
        assert (await api.call("GET", path, mine)).json()["data"] == []
        assert len((await api.call("GET", path, theirs)).json()["data"]) == 1
