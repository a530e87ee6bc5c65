"""Finding invoices: every filter by itself and together, words, and an index that is used."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from sqlalchemy import text

from gateway.domain.addresses import display
from tests.gateway.shop import Shop, pool_address

pytestmark = pytest.mark.anyio


async def test_every_filter_finds_its_invoice(shop: Shop) -> None:
    """And nothing of another merchant, nor what another filter shuts out."""
    merchant_id, key = await shop.merchant_and_key()
    stranger = (await shop.merchant_and_key())[1]
    await shop.run(
        "INSERT INTO customer (id, merchant_id, livemode, created_at, updated_at) "
        "VALUES ('cus_1', :merchant_id, false, now(), now())",
        merchant_id=merchant_id,
    )
    bike = await shop.invoice(
        key,
        amount="10.00",
        order_id="Bike-77/a",
        description="Zwei Räder, SCHNELL",
        payment_methods=["ETH-ETHEREUM"],
        customer_id="cus_1",
    )
    middle = shop.clock.at + timedelta(seconds=30)
    shop.clock.at += timedelta(minutes=1)
    boat = await shop.invoice(
        key,
        amount="20.00",
        currency="EUR",
        description="a boat 77",
        payment_methods=["USDT-TRON"],
    )
    await shop.invoice(stranger, order_id="Bike-77/a", description="Räder boat")
    eth = bike["payment_options"][0]
    await shop.pay(eth["address"], "ETH-ETHEREUM", 2 * 10**15, tx="0xabc", final=True)
    at = middle.isoformat()
    expected = {
        bike["id"]: [
            {"status": "pending", "exception": "paid_partial"},
            {"exception": "paid_partial"},
            {"order_id": "Bike-77/a"},
            {"customer_id": "cus_1"},
            {"currency": "USD"},
            {"payment_method": "ETH-ETHEREUM"},
            {"created[lt]": at},
            {"amount[lte]": "10"},
            {"tx_hash": "0xabc"},
            {"address": eth["address"]},
            {"address": eth["address"].lower()},
            {"q": "räder"},
            {"q": "bike-77"},
            {"q": "schnell zwei 77"},
        ],
        boat["id"]: [
            {"exception": "none"},
            {"currency": "EUR", "payment_method": "USDT-TRON"},
            {"created[gte]": at},
            {"amount[gte]": "10.01"},
            {"q": "77 BOAT"},
            {"q": "boat", "created[gte]": at, "status": "pending", "amount[lte]": "20"},
        ],
        None: [
            {"q": "boa"},
            {"q": "bike boat"},
            {"q": " ;--' "},
            {"tx_hash": "0xdef"},
            {"address": display(pool_address("ethereum", 19))},
            {"address": "nowhere"},
            {"paid[gte]": at},
            {"customer_id": "cus_2"},
            {"currency": "EUR", "q": "bike"},
        ],
    }
    for wanted, filters in expected.items():
        for each in filters:
            answer = await shop.call("GET", f"/v1/invoices?{urlencode(each)}", key)
            assert answer.status_code == 200, answer.text
            found = [invoice["id"] for invoice in answer.json()["data"]]
            assert found == ([] if wanted is None else [wanted]), each
    both = await shop.call("GET", "/v1/invoices?q=77&expand[]=deposits", key)
    assert [len(invoice["deposits"]) for invoice in both.json()["data"]] == [0, 1]
    assert (
        "deposits" not in (await shop.call("GET", "/v1/invoices?q=77", key)).json()["data"][0]
    )
    await shop.call(
        "PATCH",
        f"/v1/invoices/{bike['id']}",
        key,
        json={"description": "canoe", "order_id": None},
    )
    for words, count in (("canoe", 1), ("bike", 0)):
        answer = await shop.call("GET", f"/v1/invoices?q={words}", key)
        assert len(answer.json()["data"]) == count
    for bad in ("amount[gte]=-1", "amount[lte]=x", "status=x", "expand[]=x"):
        assert (await shop.call("GET", f"/v1/invoices?{bad}", key)).status_code == 422, bad


async def test_a_transaction_is_found_however_its_hash_is_written(shop: Shop) -> None:
    """Explorers show Ethereum's in either case, Tron's with and without 0x; invoices and deposits."""
    _, key = await shop.merchant_and_key()
    digits = "ab" * 32
    for method, stored in (("ETH-ETHEREUM", f"0x{digits}"), ("USDT-TRON", digits)):
        invoice = await shop.invoice(key, payment_methods=[method], order_id=method)
        address = invoice["payment_options"][0]["address"]
        await shop.pay(address, method, 10**15, tx=stored)
    for typed in (
        digits,
        digits.upper(),
        f"0x{digits}",
        f"0X{digits.upper()}",
        f"0x{'Ab' * 32}",
    ):
        invoices = await shop.call("GET", f"/v1/invoices?tx_hash={typed}", key)
        found = {each["order_id"] for each in invoices.json()["data"]}
        deposits = await shop.call("GET", f"/v1/deposits?tx_hash={typed}", key)
        paid = {each["payment_method"] for each in deposits.json()["data"]}
        export = await shop.call(
            "GET", f"/v1/invoices/export?format=ndjson&tx_hash={typed}", key
        )
        assert found == paid == {"ETH-ETHEREUM", "USDT-TRON"}, typed
        assert len(export.text.splitlines()) == 2, typed
    other = await shop.call("GET", f"/v1/deposits?tx_hash={'ac' * 32}", key)
    assert other.json()["data"] == []


MANY = """
INSERT INTO invoice (id, merchant_id, livemode, order_id, description, amount, currency,
    tolerance_basis_points, status, created_at, expires_at, monitoring_until)
SELECT 'inv_' || lpad(n::text, 26, '0'), :merchant_id, false, 'order-' || n,
    'often word' || n % 1000, 1, 'USD', 0, 'settled', now(), now(), now()
FROM generate_series(1, 3000) n
"""


async def test_a_word_is_found_by_its_index_under_the_tenants_own_role(shop: Shop) -> None:
    """Row-level security keeps full text operators from indexes; plain equality may use one."""
    merchant_id, _ = await shop.merchant_and_key()
    await shop.run(MANY, merchant_id=merchant_id)
    async with shop.owner.unit_of_work(None) as session:
        await session.execute(text("ANALYZE invoice, invoice_word"))
    query = (
        "EXPLAIN SELECT id FROM invoice WHERE merchant_id = :m AND NOT livemode AND id IN "
        "(SELECT invoice_id FROM invoice_word WHERE merchant_id = :m AND NOT livemode "
        "AND word = 'word77') ORDER BY id DESC LIMIT 21"
    )
    async with shop.database.unit_of_work(merchant_id) as session:
        plan = "\n".join(
            row[0] for row in await session.execute(text(query), {"m": merchant_id})
        )
    assert "invoice_word_pkey" in plan
    assert "Seq Scan" not in plan


async def test_a_wrong_parameter_is_named_as_callers_write_it(shop: Shop) -> None:
    """Python's own name for it, such as `format_`, is nobody's business."""
    _, key = await shop.merchant_and_key("invoices:read")
    for path, query, name in (
        ("/export", "format=xml", "format"),
        ("", "created[gte]=yesterday", "created[gte]"),
        ("", "expand[]=everything", "expand[]"),
    ):
        answer = await shop.call("GET", f"/v1/invoices{path}?{query}", key)
        [fault] = answer.json()["errors"]
        assert (answer.status_code, fault["pointer"]) == (422, f"/{name}")
        assert fault["detail"].startswith(f"{name}: ")
