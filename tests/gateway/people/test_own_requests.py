"""Never the creator: a person and the keys that the person made are one at the merchant's gate."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from gateway.db import CROSS_TENANT, Database
from gateway.domain import posting
from gateway.ledger.service import post
from tests.conftest import FreshDatabase
from tests.gateway.people.conftest import PASSWORD, People
from tests.gateway.withdrawals.test_request import OUTSIDE

pytestmark = pytest.mark.anyio
EVERY = ["withdrawals:approve", "withdrawals:create", "withdrawals:read", "settings:write"]


@pytest.fixture
async def funded(people: People, shared: FreshDatabase) -> tuple[str, str]:
    """Open a merchant with an owner and 1000 USDC; return its id and the owner's session."""
    merchant_id = await people.merchant()
    watcher = Database(shared.url("watcher"), pool_size=1)
    async with watcher.unit_of_work(CROSS_TENANT) as session:
        entry = posting.deposit(
            people.clock().id("fund"), merchant_id, "USDC-ETHEREUM", 1_000_000_000
        )
        await post(session, entry, people.clock())
    await watcher.aclose()
    return merchant_id, await people.owner_of(merchant_id)


async def made_key(people: People, caller: str) -> str:
    """Make a key with another one or a session; return its secret."""
    body = {"name": "mine", "scopes": EVERY}
    answer = await people.call("POST", "/v1/api_keys", caller, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["key"])


async def asked(people: People, caller: str, reference: str) -> str:
    """Ask for a payout above the automatic limit; return its id."""
    body = {
        "payment_method": "USDC-ETHEREUM", "amount": "50", "destination": OUTSIDE,
        "reference": reference,
    }  # fmt: skip
    headers = {"Idempotency-Key": reference}
    answer = await people.call("POST", "/v1/withdrawals", caller, json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def approved(people: People, caller: str, withdrawal_id: str) -> Any:
    """Approve it; return status and code."""
    answer = await people.call("POST", f"/v1/withdrawals/{withdrawal_id}/approve", caller)
    return answer.status_code, answer.json().get("code")


async def test_whoever_repeats_another_ones_request_is_shown_no_key(
    people: People, funded: tuple[str, str]
) -> None:
    """The kept answer has the secret: a developer, and a lesser key, are asked for their own right."""
    _, owner = funded
    developer = await people.member(owner, "developer", "dev@shop.example")
    lesser = {"name": "lesser", "scopes": ["settings:write"]}
    little = (await people.call("POST", "/v1/api_keys", owner, json=lesser)).json()["key"]
    body, headers = {"name": "till", "scopes": EVERY}, {"Idempotency-Key": "1"}
    first = await people.call("POST", "/v1/api_keys", owner, json=body, headers=headers)
    again = await people.call("POST", "/v1/api_keys", owner, json=body, headers=headers)
    assert first.content == again.content
    roll = f"/v1/api_keys/{first.json()['id']}/roll"
    rolled = await people.call("POST", roll, owner, json={}, headers=headers)
    assert rolled.status_code == 201
    for caller in (developer, little):
        for path, sent in (("/v1/api_keys", body), (roll, {})):
            answer = await people.call("POST", path, caller, json=sent, headers=headers)
            assert answer.status_code == 403, answer.text


async def test_nobody_is_two_by_making_keys(people: People, funded: tuple[str, str]) -> None:
    """Session, key, and a key made with that key: one person, whichever way around."""
    merchant_id, owner = funded
    first = await made_key(people, owner)
    second = await made_key(people, owner)
    third = await made_key(people, first)
    hands = {"owner": owner, "first": first, "second": second, "third": third}
    for asker, secret in hands.items():
        withdrawal_id = await asked(people, secret, f"by {asker}")
        for approver in hands.values():
            assert await approved(people, approver, withdrawal_id) == (403, "own_request")
    manager = await people.member(owner, "manager", "man@shop.example")
    assert await approved(people, manager, withdrawal_id) == (200, None)
    [row] = await people.rows(
        "SELECT approved_by FROM withdrawal WHERE id = :id", id=withdrawal_id
    )
    assert row.approved_by == (await people.me(manager))["id"]
    house_key = await people.key(merchant_id)
    other = await asked(people, owner, "for the house's key")
    assert await approved(people, house_key, other) == (200, None)


async def test_an_operator_is_one_with_the_keys_it_makes_for_a_merchant(
    people: People, funded: tuple[str, str]
) -> None:
    """By key or as a person: nobody of the house asks with one key and approves with another."""
    merchant_id, owner = funded
    path = f"/v1/merchants/{merchant_id}/api_keys"
    hands: dict[str, list[str]] = {}
    for name, operator in (
        ("key", await people.key(None)),
        ("person", await people.admin()),
    ):
        made = []
        for _ in range(2):
            answer = await people.call(
                "POST", path, operator, json={"name": "mine", "scopes": EVERY}
            )
            assert answer.status_code == 201, answer.text
            assert answer.json()["outlives_maker"] is False
            made.append(answer.json()["key"])
        hands[name] = [*made, await made_key(people, made[0])]
    for name, keys in hands.items():
        withdrawal_id = await asked(people, keys[0], f"by the house's {name}")
        for approver in keys:
            assert await approved(people, approver, withdrawal_id) == (403, "own_request")
    listed = (await people.call("GET", "/v1/api_keys", owner)).json()["data"]
    assert [row["outlives_maker"] for row in listed] == [False] * 6
    assert await approved(people, hands["key"][0], withdrawal_id) == (200, None)
    other = await asked(people, hands["key"][0], "for the owner")
    assert await approved(people, owner, other) == (200, None)


async def test_the_database_holds_it_too(people: People, funded: tuple[str, str]) -> None:
    """Plain SQL as gw_api approves no own request above the limit."""
    merchant_id, owner = funded
    key = await made_key(people, owner)
    withdrawal_id = await asked(people, key, "plain")
    [row] = await people.rows(
        "SELECT created_by FROM withdrawal WHERE id = :id", id=withdrawal_id
    )
    statement = text(
        "UPDATE withdrawal SET status = 'approved', approved_by = :who, approved_at = now() "
        "WHERE id = :id"
    )
    for who in (row.created_by, (await people.me(owner))["id"], None):
        with pytest.raises(ProgrammingError, match="row-level security"):
            async with people.database.unit_of_work(merchant_id) as session:
                await session.execute(statement, {"who": who, "id": withdrawal_id})


async def test_a_password_does_for_no_approval(people: People, funded: tuple[str, str]) -> None:
    """Whoever stole it alone moves nothing: money asks for a factor, minutes ago."""
    merchant_id, owner = funded
    withdrawal_id = await asked(people, await people.key(merchant_id), "stolen")
    await people.me(owner)
    fresh = await people.signed_in("owner@shop.example", PASSWORD)
    assert await approved(people, fresh, withdrawal_id) == (403, "step_up_required")
