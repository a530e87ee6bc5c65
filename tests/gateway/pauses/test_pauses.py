"""Operators stop payouts of a network, an asset, a merchant; merchants cannot, nor another mode."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from gateway.db import CROSS_TENANT
from tests.gateway.shop import Shop
from watchers.pay.pauses import reason_against

pytestmark = pytest.mark.anyio
PAUSES = "/v1/pauses"


async def stop(shop: Shop, key: str, **body: Any) -> httpx.Response:
    """Ask for a pause."""
    return await shop.call("POST", PAUSES, key, json={"reason": "audit", **body})


async def against(shop: Shop, network: str, currency: str, merchant: str | None) -> str | None:
    """Return what the watcher finds against a payout."""
    async with shop.watcher.unit_of_work(CROSS_TENANT) as session:
        return await reason_against(session, network, currency, merchant)


async def test_what_is_paused_is_what_fits_everything_that_is_named(shop: Shop) -> None:
    """Each of the three alone, two together, and nothing named for all."""
    operator, merchant = await shop.key(None), await shop.merchant()
    other = await shop.merchant("Other")
    usdc, eth = ("ethereum", "USDC-ETHEREUM"), ("ethereum", "ETH-ETHEREUM")
    trx = ("tron", "TRX-TRON")
    scopes: list[tuple[dict[str, str], list[tuple[str, str, str | None]]]] = [
        ({"network": "ethereum"}, [(*usdc, merchant), (*eth, other), (*eth, None)]),
        ({"payment_method": "USDC-ETHEREUM"}, [(*usdc, merchant), (*usdc, None)]),
        ({"merchant_id": merchant}, [(*usdc, merchant), (*trx, merchant)]),
        ({"merchant_id": merchant, "network": "tron"}, [(*trx, merchant)]),
        ({}, [(*usdc, merchant), (*eth, other), (*trx, None)]),
    ]
    every = [(*method, who) for method in (usdc, eth, trx) for who in (merchant, other, None)]
    for scope, stopped in scopes:
        made = await stop(shop, operator, **scope)
        assert made.status_code == 201, made.text
        found = {each: await against(shop, *each) for each in every}
        for each, reason in found.items():
            if each in stopped:
                assert reason == "paused: audit", (scope, each)
        if scope:
            free = [each for each, reason in found.items() if reason is None]
            assert free, scope
        lifted = await shop.call("POST", f"{PAUSES}/{made.json()['id']}/lift", operator)
        assert (lifted.status_code, lifted.json()["active"]) == (200, False)
        assert not any([await against(shop, *each) for each in every])
    assert await against(shop, "mainnet", "ETH-MAINNET", merchant) is None


async def test_a_test_key_stops_no_real_money(shop: Shop) -> None:
    """And sees no pause of the other mode."""
    operator, live = await shop.key(None), await shop.key(None, livemode=True)
    assert (await stop(shop, operator)).status_code == 201
    assert await against(shop, "mainnet", "ETH-MAINNET", None) is None
    assert (await shop.call("GET", PAUSES, live)).json()["data"] == []
    made = (await stop(shop, live)).json()
    assert await against(shop, "mainnet", "ETH-MAINNET", None) == "paused: audit"
    assert (await shop.call("POST", f"{PAUSES}/{made['id']}/lift", operator)).status_code == 404


async def test_pauses_are_listed_and_on_record(shop: Shop) -> None:
    """Who, what, why and until when; lifted once."""
    operator, other = await shop.key(None), await shop.key(None)
    made = (await stop(shop, operator, network="tron", reason="node trouble")).json()
    assert (made["network"], made["active"], made["reason"]) == ("tron", True, "node trouble")
    assert [
        row["id"]
        for row in (await shop.call("GET", f"{PAUSES}?active=true", operator)).json()["data"]
    ] == [made["id"]]
    lifted = await shop.call("POST", f"{PAUSES}/{made['id']}/lift", other)
    assert lifted.json()["lifted_by"] not in {None, made["created_by"]}
    again = await shop.call("POST", f"{PAUSES}/{made['id']}/lift", other)
    assert (again.status_code, again.json()["code"]) == (409, "pause_not_active")
    assert (await shop.call("GET", f"{PAUSES}?active=true", operator)).json()["data"] == []
    [row] = (await shop.call("GET", f"{PAUSES}?active=false", operator)).json()["data"]
    assert row == lifted.json()
    rows = await shop.rows(
        "SELECT action, actor FROM audit_log WHERE subject = :id ORDER BY id", id=made["id"]
    )
    assert [(row.action, row.actor) for row in rows] == [
        ("pause.created", made["created_by"]),
        ("pause.lifted", row["lifted_by"]),
    ]


async def test_a_pause_that_would_stop_nothing_is_refused(shop: Shop) -> None:
    """A name that is none, one of the other mode, two that contradict each other."""
    operator = await shop.key(None)
    for scope, pointer in (
        ({"network": "ethereal"}, "/network"),
        ({"network": "mainnet"}, "/network"),
        ({"payment_method": "DOGE-TRON"}, "/payment_method"),
        ({"payment_method": "ETH-MAINNET"}, "/payment_method"),
        ({"payment_method": "TRX-TRON", "network": "ethereum"}, "/payment_method"),
        ({"merchant_id": "mer_nobody"}, "/merchant_id"),
    ):
        answer = await stop(shop, operator, **scope)
        assert answer.status_code == 422, scope
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert await shop.rows("SELECT 1 FROM pause") == []


async def test_only_operators_with_the_scope_pause(shop: Shop) -> None:
    """Neither a merchant's key nor one that may only read; the database says the same."""
    merchant, key = await shop.merchant_and_key()
    operator, reader = await shop.key(None), await shop.key(None, ["pauses:read"])
    assert (await stop(shop, key)).status_code == 403
    assert (await stop(shop, reader)).status_code == 403
    assert (await shop.call("GET", PAUSES, key)).status_code == 403
    made = (await stop(shop, operator)).json()
    assert len((await shop.call("GET", PAUSES, reader)).json()["data"]) == 1
    async with shop.database.unit_of_work(merchant) as session:
        assert (await session.execute(text("SELECT 1 FROM pause"))).all() == []
        changed = await session.execute(
            text("UPDATE pause SET lifted_at = now(), lifted_by = 'x' RETURNING id")
        )
        assert changed.all() == []
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with shop.database.unit_of_work(merchant) as session:
            await session.execute(
                text(
                    "INSERT INTO pause (id, livemode, reason, created_by, created_at)"
                    " VALUES ('x', true, 'x', 'x', now())"
                )
            )
    with pytest.raises(DBAPIError, match="nothing else changes"):
        await shop.run("UPDATE pause SET reason = 'other' WHERE id = :id", id=made["id"])


async def test_requests_are_taken_while_payouts_wait(shop: Shop) -> None:
    """The merchant asks and approves as ever; what is paused is the paying."""
    operator, (merchant, key) = await shop.key(None), await shop.merchant_and_key()
    await shop.fund(merchant, "USDC-ETHEREUM", 100_000_000)
    assert (await stop(shop, operator)).status_code == 201
    made = await shop.call(
        "POST", "/v1/withdrawals", key,
        json={
            "payment_method": "USDC-ETHEREUM", "amount": "1",
            "destination": "0x52908400098527886E0F7030069857D2E4169EE7",
        },
        headers={"Idempotency-Key": "a"},
    )  # fmt: skip
    assert made.status_code == 201
    invoice = await shop.invoice(key)
    assert invoice["status"] == "pending"
