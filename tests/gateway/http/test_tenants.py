"""One merchant never learns of another: by plain SQL, by id, by mode."""

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
