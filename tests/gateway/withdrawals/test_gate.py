"""The merchant's gate: approve, reject, cancel, and who may."""

import asyncio
from typing import Any

import httpx
import pytest

from gateway.db import CROSS_TENANT
from gateway.withdrawals.moves import move
from gateway.withdrawals.repository import locked
from tests.gateway.shop import Shop
from tests.gateway.withdrawals.test_request import ask, balance

pytestmark = pytest.mark.anyio


async def requested(shop: Shop, **fields: Any) -> tuple[dict[str, Any], str, str]:
    """Return a pending withdrawal, its creator's key, and another key of the merchant."""
    merchant, creator = await shop.merchant_and_key()
    await shop.fund(merchant, "USDC-ETHEREUM", 100_000_000)
    made = await ask(shop, creator, **fields)
    assert made.status_code == 201, made.text
    return made.json(), creator, await shop.key(merchant)


async def act(
    shop: Shop, key: str, made: dict[str, Any], action: str, **arguments: Any
) -> httpx.Response:
    """Call one of the three actions."""
    return await shop.call("POST", f"/v1/withdrawals/{made['id']}/{action}", key, **arguments)


async def heard(shop: Shop, key: str) -> list[str]:
    """Return the withdrawal's events, oldest first."""
    page = (await shop.call("GET", "/v1/events", key)).json()
    return [event["type"] for event in reversed(page["data"])]


async def test_another_key_approves(shop: Shop) -> None:
    """The hold stays; who approved is on the document, in the event and in the audit log."""
    made, _, approver = await requested(shop)
    answer = await act(shop, approver, made, "approve")
    assert answer.status_code == 200
    approved = answer.json()
    assert (approved["status"], approved["approvals"]["have"]) == ("approved", 1)
    assert approved["approved_by"] not in {None, approved["created_by"]}
    assert await balance(shop, approver) == ("86.500000", "13.500000")
    assert await heard(shop, approver) == ["withdrawal.created", "withdrawal.approved"]
    [row] = await shop.rows(
        "SELECT actor, before, after FROM audit_log WHERE action = 'withdrawal.approved'"
    )
    assert row.actor == approved["approved_by"]
    assert (row.before["status"], row.after["status"]) == ("pending", "approved")
    again = await act(shop, approver, made, "approve")
    assert (again.status_code, again.json()["code"]) == (409, "withdrawal_not_open")


async def test_the_creator_does_not_approve(shop: Shop) -> None:
    """Two people, or two keys: one that is stolen moves nothing."""
    made, creator, _ = await requested(shop)
    answer = await act(shop, creator, made, "approve")
    assert (answer.status_code, answer.json()["code"]) == (403, "own_request")
    now = (await shop.call("GET", f"/v1/withdrawals/{made['id']}", creator)).json()
    assert now == made


async def test_below_the_limit_the_creator_may(shop: Shop) -> None:
    """Less than 10 USDC here, and 10 is not less."""
    at_limit, creator, _ = await requested(shop, amount="10")
    assert (await act(shop, creator, at_limit, "approve")).status_code == 403
    small = (await ask(shop, creator, amount="9.999999")).json()
    assert (await act(shop, creator, small, "approve")).json()["status"] == "approved"


@pytest.mark.parametrize("approved_first", [False, True])
async def test_reject_releases_the_hold(shop: Shop, approved_first: bool) -> None:
    """With a reason that everybody can read; fee and amount are free again."""
    made, _, approver = await requested(shop)
    if approved_first:
        await act(shop, approver, made, "approve")
    answer = await act(shop, approver, made, "reject", json={"reason": "unknown payee"})
    rejected = answer.json()
    assert (answer.status_code, rejected["status"]) == (200, "rejected")
    assert (rejected["failure_reason"], rejected["rejected_by"][:4]) == (
        "unknown payee",
        "key_",
    )
    assert await balance(shop, approver) == ("100.000000", "0.000000")
    assert (await heard(shop, approver))[-1] == "withdrawal.rejected"
    assert (await act(shop, approver, made, "approve")).status_code == 409


async def test_reject_needs_no_body(shop: Shop) -> None:
    """A reason is a courtesy."""
    made, _, approver = await requested(shop)
    rejected = (await act(shop, approver, made, "reject")).json()
    assert (rejected["status"], rejected["failure_reason"]) == ("rejected", None)


async def test_cancel_releases_the_hold(shop: Shop) -> None:
    """By whoever may ask, as long as nothing is signed."""
    made, creator, _ = await requested(shop)
    canceled = (await act(shop, creator, made, "cancel")).json()
    assert (canceled["status"], canceled["rejected_by"]) == ("canceled", None)
    assert await balance(shop, creator) == ("100.000000", "0.000000")
    assert (await heard(shop, creator))[-1] == "withdrawal.canceled"


async def test_what_is_being_signed_cannot_be_stopped(shop: Shop) -> None:
    """From there on only the chain decides."""
    made, creator, approver = await requested(shop)
    await act(shop, approver, made, "approve")
    async with shop.watcher.unit_of_work(CROSS_TENANT) as session:
        row = await locked(session, made["id"])
        assert row is not None
        await move(session, row, "signing", shop.clock())
    for key, action in ((creator, "cancel"), (approver, "reject")):
        answer = await act(shop, key, made, action)
        assert (answer.status_code, answer.json()["code"]) == (409, "withdrawal_not_open")
    assert await balance(shop, creator) == ("86.500000", "13.500000")


async def test_approve_and_cancel_at_once_have_one_winner(shop: Shop) -> None:
    """The row lock puts them in an order; the hold is released once or not at all."""
    made, creator, approver = await requested(shop)
    answers = await asyncio.gather(
        act(shop, creator, made, "cancel"),
        act(shop, creator, made, "cancel"),
        act(shop, approver, made, "reject"),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    assert await balance(shop, creator) == ("100.000000", "0.000000")


async def test_each_action_has_its_scope(shop: Shop) -> None:
    """Asking is not approving."""
    merchant, key = await shop.merchant_and_key()
    await shop.fund(merchant, "USDC-ETHEREUM", 100_000_000)
    made = (await ask(shop, key)).json()
    asker = await shop.key(merchant, ["withdrawals:create", "withdrawals:read"])
    approver = await shop.key(merchant, ["withdrawals:approve"])
    assert (await act(shop, asker, made, "approve")).status_code == 403
    assert (await act(shop, asker, made, "reject")).status_code == 403
    assert (await act(shop, approver, made, "cancel")).status_code == 403
    assert (await ask(shop, approver)).status_code == 403
    assert (await shop.call("GET", "/v1/withdrawals", approver)).status_code == 403
    assert (await act(shop, approver, made, "approve")).status_code == 200


async def test_another_merchants_withdrawal_does_not_exist(shop: Shop) -> None:
    """404 on every route, for the other mode too, and nothing in the list."""
    made, _, _ = await requested(shop)
    _, other = await shop.merchant_and_key()
    live = await shop.key(made["merchant_id"], livemode=True)
    for key in (other, live):
        answers = [await act(shop, key, made, a) for a in ("approve", "reject", "cancel")]
        answers.append(await shop.call("GET", f"/v1/withdrawals/{made['id']}", key))
        assert [answer.status_code for answer in answers] == [404] * 4
        assert (await shop.call("GET", "/v1/withdrawals", key)).json()["data"] == []


async def test_lists_are_filtered(shop: Shop) -> None:
    """By state, method and reference."""
    made, key, _ = await requested(shop, reference="r1")
    await ask(shop, key, amount="1")
    await act(shop, key, made, "cancel")

    async def listed(**query: str) -> list[str]:
        page = await shop.call("GET", "/v1/withdrawals", key, params=query)
        return [row["amount"] for row in page.json()["data"]]

    assert await listed() == ["1.000000", "12.500000"]
    assert await listed(status="canceled") == ["12.500000"]
    assert await listed(reference="r1") == ["12.500000"]
    assert await listed(payment_method="ETH-ETHEREUM") == []
