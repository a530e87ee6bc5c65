"""Asking for a payout: what is held, and what is refused."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.gateway.shop import Shop, pool_address

pytestmark = pytest.mark.anyio

OUTSIDE = "0x52908400098527886E0F7030069857D2E4169EE7"
ASK = {"payment_method": "USDC-ETHEREUM", "amount": "12.5", "destination": OUTSIDE}


async def ask(
    shop: Shop, key: str, *, once: str | None = None, **fields: Any
) -> httpx.Response:
    """Ask for 12.5 USDC, each time with another idempotency key unless one is given."""
    headers = {"Idempotency-Key": once or shop.clock().id("once")}
    return await shop.call(
        "POST", "/v1/withdrawals", key, json={**ASK, **fields}, headers=headers
    )


async def balance(shop: Shop, key: str, method: str = "USDC-ETHEREUM") -> tuple[str, str]:
    """Return what is confirmed and what is locked."""
    rows = (await shop.call("GET", "/v1/balances", key)).json()["data"]
    [row] = [row for row in rows if row["payment_method"] == method]
    return row["confirmed"], row["locked"]


async def test_amount_and_fee_are_held(shop: Shop) -> None:
    """The destination will receive exactly the amount; one USDC is the fee of this method."""
    merchant, key = await shop.merchant_and_key()
    await shop.fund(merchant, "USDC-ETHEREUM", 100_000_000)
    answer = await ask(shop, key, reference="salary 1", metadata={"who": "anna"})
    made = answer.json()
    assert answer.status_code == 201
    assert (made["status"], made["amount"], made["fee_charged"]) == (
        "pending",
        "12.500000",
        "1.000000",
    )
    assert (made["destination"], made["reference"]) == (OUTSIDE, "salary 1")
    assert made["approvals"] == {"have": 0, "need": 1}
    assert await balance(shop, key) == ("86.500000", "13.500000")
    [event] = (await shop.call("GET", "/v1/events", key)).json()["data"]
    assert (event["type"], event["data"]["object"]) == ("withdrawal.created", made)
    one = await shop.call("GET", f"/v1/withdrawals/{made['id']}", key)
    assert one.json() == made
    stored = await shop.rows("SELECT destination FROM withdrawal")
    assert stored[0].destination == OUTSIDE.lower()


async def test_withdrawals_are_found_by_transaction_and_time(shop: Shop) -> None:
    """In the list and in the export; a hash as anybody writes it."""
    merchant, key = await shop.merchant_and_key()
    await shop.fund(merchant, "USDC-ETHEREUM", 100_000_000)
    made = []
    for _ in range(2):
        made.append((await ask(shop, key)).json())
        shop.clock.at += timedelta(hours=1)
    older, newer = made
    await shop.run(
        "UPDATE withdrawal SET tx_hash = :tx WHERE id = :id", tx=f"0x{'a' * 64}", id=older["id"]
    )
    for query, ids in (
        ({"created[gte]": newer["created_at"]}, [newer["id"]]),
        ({"created[lt]": newer["created_at"]}, [older["id"]]),
        ({"tx_hash": "A" * 64}, [older["id"]]),
        ({"tx_hash": "b" * 64}, []),
    ):
        listed = await shop.call("GET", "/v1/withdrawals", key, params=query)
        assert [row["id"] for row in listed.json()["data"]] == ids, query
        lines = await shop.call(
            "GET", "/v1/withdrawals/export", key, params={**query, "format": "ndjson"}
        )
        assert [json.loads(line)["id"] for line in lines.text.splitlines()] == ids, query


async def test_it_needs_an_idempotency_key_and_honours_it(shop: Shop) -> None:
    """A retry after a lost answer must never pay twice."""
    merchant, key = await shop.merchant_and_key()
    await shop.fund(merchant, "USDC-ETHEREUM", 100_000_000)
    bare = await shop.call("POST", "/v1/withdrawals", key, json=ASK)
    assert (bare.status_code, bare.json()["code"]) == (400, "idempotency_key_required")
    first, again = await ask(shop, key, once="1"), await ask(shop, key, once="1")
    assert first.json() == again.json()
    other = await ask(shop, key, once="1", amount="13")
    assert other.json()["code"] == "idempotency_key_reused"
    assert await balance(shop, key) == ("86.500000", "13.500000")


async def test_the_balance_must_cover_amount_and_fee(shop: Shop) -> None:
    """To the last unit; what does not fit leaves no trace."""
    merchant, key = await shop.merchant_and_key()
    await shop.fund(merchant, "USDC-ETHEREUM", 13_499_999)
    for amount in (
        "12.5",
        str(2**256 // 10**6),
        "115792089237316195423570985008687907853269984665640564039457584007913129.639935",
    ):
        answer = await ask(shop, key, amount=amount)
        assert answer.status_code == 422, amount
        assert answer.json()["errors"][0]["pointer"] == "/amount"
    assert (await ask(shop, key)).json()["code"] == "insufficient_balance"
    assert await shop.rows("SELECT 1 FROM withdrawal") == []
    assert await balance(shop, key) == ("13.499999", "0.000000")
    await shop.fund(merchant, "USDC-ETHEREUM", 1)
    assert (await ask(shop, key)).status_code == 201
    assert await balance(shop, key) == ("0.000000", "13.500000")


async def test_two_at_once_cannot_spend_the_same_money(shop: Shop) -> None:
    """Four requests for more than a quarter of the balance each: three are held."""
    merchant, key = await shop.merchant_and_key()
    await shop.fund(merchant, "USDC-ETHEREUM", 41_000_000)
    answers = await asyncio.gather(*(ask(shop, key, once=str(n)) for n in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 201, 422]
    assert await balance(shop, key) == ("0.500000", "40.500000")


async def test_a_reference_is_used_once(shop: Shop) -> None:
    """Per merchant, at once too; another merchant may use the same."""
    merchant, key = await shop.merchant_and_key()
    await shop.fund(merchant, "USDC-ETHEREUM", 100_000_000)
    answers = await asyncio.gather(
        *(ask(shop, key, once=str(n), reference="r1") for n in range(3))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    codes = {answer.json().get("code") for answer in answers}
    assert codes == {None, "reference_already_used"}
    assert await balance(shop, key) == ("86.500000", "13.500000")
    other_merchant, other = await shop.merchant_and_key()
    await shop.fund(other_merchant, "USDC-ETHEREUM", 100_000_000)
    assert (await ask(shop, other, reference="r1")).status_code == 201


SOLANA_WALLET = pool_address("solana", 900)
DESTINATIONS = [
    ("USDC-ETHEREUM", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "wrong_network"),
    ("USDC-ETHEREUM", "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "bad_checksum"),
    ("USDC-ETHEREUM", OUTSIDE[:-1], "invalid_address"),
    ("USDC-ETHEREUM", "0x" + "0" * 40, "burn_address"),
    ("USDC-ETHEREUM", "0x5FbDB2315678afecb367f032d93F642f64180aa3", "token_contract"),
    ("USDC-ETHEREUM", pool_address("ethereum", 5), "own_address"),
    ("TRX-TRON", OUTSIDE, "wrong_network"),
    ("TRX-TRON", "27jbj4qgTM1hvReST6hEa8Ep8RDo2AM8TJo", "invalid_address"),
    ("TRX-TRON", SOLANA_WALLET, "wrong_network"),
    ("USDT-TRON", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "token_contract"),
    ("TRX-TRON", "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb", "burn_address"),
    ("TRX-TRON", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u", "bad_checksum"),
    ("TRX-TRON", pool_address("tron", 5), "own_address"),
    ("SOL-SOLANA", OUTSIDE, "wrong_network"),
    ("SOL-SOLANA", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "wrong_network"),
    ("SOL-SOLANA", SOLANA_WALLET[:-2], "invalid_address"),
    ("SOL-SOLANA", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "invalid_address"),
    ("USDC-ETHEREUM", SOLANA_WALLET, "wrong_network"),
    ("SOL-SOLANA", "1" * 32, "burn_address"),
    ("SOL-SOLANA", pool_address("solana", 5), "own_address"),
]


async def test_where_money_must_not_go(shop: Shop) -> None:
    """Each refusal points at the destination and says why; nothing is held."""
    _, key = await shop.merchant_and_key()
    for method, destination, code in DESTINATIONS:
        answer = await ask(
            shop, key, payment_method=method, amount="1", destination=destination
        )
        assert answer.status_code == 422, destination
        [fault] = answer.json()["errors"]
        assert (fault["pointer"], fault["code"]) == ("/destination", code), destination
    assert await shop.rows("SELECT 1 FROM withdrawal") == []


async def test_an_application_wallet_is_our_own_too(shop: Shop) -> None:
    """The hot wallet does not pay itself."""
    _, key = await shop.merchant_and_key()
    await shop.run(
        "INSERT INTO application_wallet (id, network_id, purpose, address, path, created_at)"
        " VALUES ('awl_1', 'ethereum', 'hot', :address, 'm', now())",
        address=OUTSIDE.lower(),
    )
    answer = await ask(shop, key)
    assert answer.json()["code"] == "own_address"


FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"payment_method": "X-Y"}, "/payment_method"),
    ({"payment_method": "ETH-MAINNET"}, "/payment_method"),
    ({"amount": "0"}, "/amount"),
    ({"amount": "-1"}, "/amount"),
    ({"amount": "1e3"}, "/amount"),
    ({"amount": 1}, "/amount"),
    ({"amount": "0.0000001"}, "/amount"),
    ({"amount": "\u0661"}, "/amount"),
    ({"destination": ""}, "/destination"),
    ({"reference": ""}, "/reference"),
    ({"metadata": {"a": None}}, "/metadata"),
    ({"fee": "0"}, "/fee"),
]


async def test_every_bad_field(shop: Shop) -> None:
    """Pointers, and nothing held."""
    merchant, key = await shop.merchant_and_key()
    await shop.fund(merchant, "USDC-ETHEREUM", 100_000_000)
    for change, pointer in FIELDS:
        answer = await ask(shop, key, **change)
        assert answer.status_code == 422, change
        assert answer.json()["errors"][0]["pointer"].startswith(pointer), change
    assert await balance(shop, key) == ("100.000000", "0.000000")
