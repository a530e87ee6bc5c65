"""Balances and their entries, and the wallets of the house."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from gateway.domain import posting
from gateway.domain.posting import JournalEntry
from gateway.ledger.service import post
from gateway.models import ApplicationWallet, ApplicationWalletBalance, Deposit
from tests.gateway.conftest import TestApi

pytestmark = pytest.mark.anyio

ETH, USDC = "ETH-ETHEREUM", "USDC-ETHEREUM"

_INVOICE = text(
    "INSERT INTO invoice (id, merchant_id, livemode, amount, currency, tolerance_basis_points,"
    " created_at, expires_at, monitoring_until)"
    " VALUES (:id, :merchant, false, 1, 'USD', 50, now(), now(), now())"
)


async def _post(api: TestApi, entry: JournalEntry) -> None:
    async with api.owner.unit_of_work(None) as session:
        await post(session, entry, api.clock())


async def _deposited(api: TestApi, merchant_id: str, currency: str, units: int) -> None:
    reference = api.clock().id("ref")
    await _post(api, posting.deposit(reference, merchant_id, currency, units))


def _seen(api: TestApi, currency: str, units: int, status: str = "pending") -> Deposit:
    """Insert a deposit row that no journal knows of."""
    moment = api.clock()
    return Deposit(
        id=moment.id("dep"),
        network_id="ethereum",
        tx_hash=moment.id("0x"),
        kind="token",
        ordinal=0,
        currency_id=currency,
        units=units,
        sender="0x1",
        address="0x2",
        purpose="invoice",
        merchant_id=None,
        invoice_id=None,
        status=status,
        reason=None,
        late=False,
        block_height=1,
        block_hash="0x3",
        block_time=moment.at,
        detected_at=moment.at,
        confirmed_at=None,
    )


async def _withdrawal(
    api: TestApi, merchant_id: str, currency: str, units: int, fee: int
) -> None:
    """Put the withdrawal that the journals of a hold and a settlement name."""
    async with api.owner.unit_of_work(None) as session:
        await session.execute(
            text(
                "INSERT INTO withdrawal (id, merchant_id, livemode, currency_id, network_id, units,"
                " fee_units, destination, created_by, created_at, updated_at, status) VALUES"
                " ('wdr_1', :merchant, false, :currency, 'ethereum', :units, :fee, '0xaa', 'k',"
                " now(), now(), 'completed')"
            ),
            {"merchant": merchant_id, "currency": currency, "units": units, "fee": fee},
        )


async def _balances(api: TestApi, key: str) -> dict[str, Any]:
    rows = (await api.call("GET", "/v1/balances", key)).json()["data"]
    return {row["payment_method"]: row for row in rows}


async def test_a_balance_is_what_the_postings_say(api: TestApi) -> None:
    """Decimal strings with all digits, and the same in base units."""
    merchant_id, key = await api.merchant_and_key()
    await _deposited(api, merchant_id, ETH, 10**18 + 1)
    await _withdrawal(api, merchant_id, ETH, 4 * 10**17, 0)
    await _post(api, posting.hold("wdr_1", merchant_id, ETH, 4 * 10**17))
    row = (await _balances(api, key))[ETH]
    assert row["confirmed"] == row["available"] == "0.600000000000000001"
    assert row["confirmed_atomic"] == row["available_atomic"] == "600000000000000001"
    assert row["locked"] == "0.400000000000000000"
    assert row["pending"] == "0.000000000000000000"
    assert (await _balances(api, key))[USDC]["confirmed"] == "0.000000"


async def test_pending_is_a_view_of_deposits_that_are_not_final(api: TestApi) -> None:
    """Only pending ones, only one's own; nothing is posted for them."""
    merchant_id, key = await api.merchant_and_key()
    _, other = await api.merchant_and_key()
    invoice = "inv_1"
    async with api.owner.unit_of_work(None) as session:
        await session.execute(_INVOICE, {"id": invoice, "merchant": merchant_id})
        for units, status in [
            (5, "pending"),
            (7, "pending"),
            (9, "confirmed"),
            (11, "reorged"),
        ]:
            deposit = _seen(api, USDC, units, status)
            deposit.merchant_id, deposit.invoice_id = merchant_id, invoice
            session.add(deposit)
    row = (await _balances(api, key))[USDC]
    assert (row["pending"], row["pending_atomic"]) == ("0.000012", "12")
    assert row["confirmed"] == "0.000000"
    assert (await _balances(api, other))[USDC]["pending"] == "0.000000"
    assert await api.rows("SELECT 1 FROM balance_history") == []


async def test_entries_tell_the_whole_way(api: TestApi) -> None:
    """Newest first: what changed, before and after, and the event behind it."""
    merchant_id, key = await api.merchant_and_key()
    await _deposited(api, merchant_id, USDC, 100_000_000)
    await _withdrawal(api, merchant_id, USDC, 40_000_000, 1_000_000)
    await _post(api, posting.hold("wdr_1", merchant_id, USDC, 41_000_000))
    await _post(api, posting.settle("wdr_1", merchant_id, USDC, 40_000_000, 1_000_000))
    entries = (await api.call("GET", "/v1/balance_entries", key)).json()["data"]
    kinds = [(entry["type"], entry["journal"]["kind"]) for entry in entries]
    assert sorted(kinds[:2]) == [("fee", "settle"), ("withdrawal", "settle")]
    assert kinds[2:] == [("hold", "hold"), ("deposit", "deposit")]
    hold = entries[2]
    assert hold["journal"]["ref"] == "wdr_1"
    assert hold["confirmed"] == {
        "change": "-41.000000",
        "change_atomic": "-41000000",
        "before": "100.000000",
        "after": "59.000000",
    }
    assert (hold["locked"]["before"], hold["locked"]["after"]) == ("0.000000", "41.000000")
    assert entries[0]["locked"]["after"] == "0.000000"


async def test_entries_are_read_page_by_page(api: TestApi) -> None:
    """Seven entries of two currencies, some of one instant, in pages of three, both ways."""
    merchant_id, key = await api.merchant_and_key()
    for number in range(7):
        await _deposited(api, merchant_id, ETH if number % 2 else USDC, number + 1)
        if number % 3:
            api.clock.at -= timedelta(milliseconds=3)
    path = "/v1/balance_entries"
    every = (await api.call("GET", f"{path}?limit=100", key)).json()["data"]
    ids = [entry["id"] for entry in every]
    assert len(set(ids)) == 7
    read: list[str] = []
    query = "limit=3"
    while query:
        page = (await api.call("GET", f"{path}?{query}", key)).json()
        read += [entry["id"] for entry in page["data"]]
        query = f"limit=3&starting_after={page['next_cursor']}" if page["has_more"] else ""
    assert read == ids
    back = (await api.call("GET", f"{path}?limit=2&ending_before={ids[4]}", key)).json()
    assert [entry["id"] for entry in back["data"]] == ids[2:4]


async def test_entries_belong_to_their_merchant(api: TestApi) -> None:
    """Another merchant's entry is no cursor, and none of its rows is listed."""
    merchant_id, key = await api.merchant_and_key()
    _, other = await api.merchant_and_key()
    await _deposited(api, merchant_id, ETH, 1)
    (entry,) = (await api.call("GET", "/v1/balance_entries", key)).json()["data"]
    path = f"/v1/balance_entries?starting_after={entry['id']}"
    refused = await api.call("GET", path, other)
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_cursor")
    assert (await api.call("GET", path, key)).json()["data"] == []
    for cursor in ("bal_", "x", "bal_ETH-ETHEREUM_99999999999999999999", "bal_ETH-ETHEREUM_-1"):
        refused = await api.call("GET", f"/v1/balance_entries?starting_after={cursor}", key)
        assert refused.status_code == 422
    assert (await api.call("GET", "/v1/balance_entries", other)).json()["data"] == []


async def test_operators_see_the_wallets_of_the_house(api: TestApi) -> None:
    """With what each holds; merchants do not."""
    _, key = await api.merchant_and_key()
    operator = await api.key(None)
    at = api.clock().at
    async with api.owner.unit_of_work(None) as session:
        for number, purpose in enumerate(("hot", "gas")):
            session.add(
                ApplicationWallet(
                    id=f"wal_{number}",
                    network_id="ethereum",
                    purpose=purpose,
                    address=f"0x{number}",
                    path="m/0",
                    next_nonce=0,
                    created_at=at,
                )
            )
        await session.flush()
        for currency, units in ((ETH, 10**18), (USDC, 2_500_000)):
            session.add(
                ApplicationWalletBalance(
                    wallet_id="wal_0", currency_id=currency, units=units, updated_at=at
                )
            )
    hot, gas = (await api.call("GET", "/v1/application_wallets", operator)).json()["data"]
    assert (hot["purpose"], hot["address"]) == ("hot", "0x0")
    held = {row["payment_method"]: row["amount"] for row in hot["balances"]}
    assert held == {ETH: "1.000000000000000000", USDC: "2.500000"}
    assert gas["balances"] == []
    live = await api.key(None, livemode=True)
    assert (await api.call("GET", "/v1/application_wallets", live)).json()["data"] == []
    assert (await api.call("GET", "/v1/application_wallets", key)).status_code == 403


async def test_entries_are_narrowed_like_other_lists(api: TestApi) -> None:
    """By method, coin, type and time; the file that is exported as well, and pages in it."""
    merchant_id, key = await api.merchant_and_key()
    await _deposited(api, merchant_id, ETH, 7)
    await _deposited(api, merchant_id, USDC, 100)
    api.clock.at += timedelta(hours=1)
    noon = api.clock.at
    await _withdrawal(api, merchant_id, USDC, 40, 0)
    await _post(api, posting.hold("wdr_1", merchant_id, USDC, 40))
    await _deposited(api, merchant_id, USDC, 1)

    async def found(**filters: str) -> list[tuple[str, str, str]]:
        read: list[dict[str, Any]] = []
        asked: dict[str, str] = {"limit": "1", **filters}
        while asked:
            answer = await api.call("GET", "/v1/balance_entries", key, params=asked)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            read += page["data"]
            more = page["next_cursor"]
            asked = {"limit": "1", **filters, "starting_after": more} if more else {}
        wanted = {"format": "ndjson", **filters}
        sent = await api.call("GET", "/v1/balance_entries/export", key, params=wanted)
        assert [json.loads(line)["id"] for line in sent.text.splitlines()] == [
            each["id"] for each in read
        ]
        return [
            (each["payment_method"], each["type"], each["confirmed"]["change_atomic"])
            for each in read
        ]

    last, hold = (USDC, "deposit", "1"), (USDC, "hold", "-40")
    first, ether = (USDC, "deposit", "100"), (ETH, "deposit", "7")
    assert await found() == [last, hold, first, ether]
    assert await found(payment_method=USDC) == [last, hold, first]
    assert await found(currency="ETH") == [ether]
    assert await found(type="hold") == [hold]
    assert await found(**{"created[gte]": noon.isoformat()}) == [last, hold]
    assert await found(**{"created[lt]": noon.isoformat()}) == [first, ether]
    assert await found(type="deposit", currency="USDC") == [last, first]
    for odd in ("type=HOLD", "wallet=1", "created[gte]=yesterday"):
        refused = await api.call("GET", f"/v1/balance_entries?{odd}", key)
        [fault] = refused.json()["errors"]
        assert (refused.status_code, fault["pointer"]) == (422, f"/{odd.partition('=')[0]}")
