"""The same POST many times at once is one change."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.contract.makers import CHAT
from tests.contract.objects import (
    CATALOGUE,
    OPERATORS,
    acceptable,
    caller,
    of_operators,
    of_people,
    operations,
    parameters,
    with_ids,
)
from tests.contract.sides import ADDRESS, METHOD, Stage

pytestmark = pytest.mark.anyio

AT_ONCE, AT_ONCE_ELSEWHERE, CHANGES = 50, 10, 5
CROWDED = frozenset(
    {"/v1/customers", "/v1/invoices", "/v1/webhook_endpoints", "/v1/withdrawals"}
)
PAYOUT = {"payment_method": METHOD, "amount": "0.01", "destination": ADDRESS}
CREATED: dict[str, tuple[str, dict[str, Any]]] = {
    "/v1/address_book": (
        "address_book_entry",
        {
            "network": "ethereum",
            "address": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
            "label": "second",
        },
    ),
    "/v1/api_keys": ("api_key", {"name": "till", "scopes": ["invoices:read"]}),
    "/v1/invoices": (
        "invoice",
        {"amount": "5", "currency": "USD", "payment_methods": [METHOD]},
    ),
    "/v1/customers": ("customer", {"reference": "b-2"}),
    "/v1/house/referral_schedules": ("referral_schedule", {"rates": [100]}),
    "/v1/merchants": ("merchant", {"name": "Third"}),
    "/v1/notification_targets": ("notification_target", {"name": "b", "address": CHAT}),
    "/v1/operators/invitations": (
        "invitation",
        {"email": "fourth@house.example", "role": "OPERATOR"},
    ),
    "/v1/packages": (
        "package",
        {"name": "B", "price": "5", "currency": "USD", "period": "month"},
    ),
    "/v1/subscriptions": (
        "subscription",
        {"customer_id": "{customer_id}", "package_id": "{package_id}"},
    ),
    "/v1/pauses": ("pause", {"network": "tron", "reason": "trouble"}),
    "/v1/payout_rules": (
        "payout_rule",
        {
            "payment_method": "USDC-ETHEREUM",
            "threshold": "5",
            "address_book_entry": "{entry_id}",
        },
    ),
    "/v1/referral_codes": ("referral_code", {"customer": "{customer_id}"}),
    "/v1/referral_schedules": (
        "referral_schedule",
        {"rates": [100], "share_basis_points": 100},
    ),
    "/v1/team/invitations": (
        "invitation",
        {"email": "fourth@shop.example", "team_role": "viewer"},
    ),
    "/v1/webhook_endpoints": ("webhook_endpoint", {"url": "https://shop.example/second"}),
    "/v1/withdrawals": ("withdrawal", PAYOUT),
    "/v1/withdrawals/batch": ("withdrawal_batch", {"items": [PAYOUT]}),
}
"""What each POST makes: the table, and a body that is accepted."""
MAKES_NOTHING = (
    "/v1/withdrawals/estimate",  # reads
    "/v1/person",  # what is done with a password or a factor proves itself each time
    "/v1/sessions",
    "/v1/factors",
    "/v1/email_proofs",  # without a key there is nobody to keep an answer for
    "/v1/invitations/accept",
    "/v1/password_resets",
)
"""POSTs that are not made once by a key, and why."""


async def _at_once(
    stage: Stage, path: str, key: str | None, body: Any, count: int
) -> list[httpx.Response]:
    """Send the same request several times together; ask again where the first is in flight."""
    headers = {"Idempotency-Key": f"once {path}"}

    async def sent() -> httpx.Response:
        return await stage.shop.call("POST", path, key, json=body, headers=headers)

    answers: list[httpx.Response] = []
    while len(answers) < count:
        some = await asyncio.gather(*(sent() for _ in range(count - len(answers))))
        answers.extend(answer for answer in some if not _in_flight(answer))
    return answers


def _in_flight(answer: httpx.Response) -> bool:
    if answer.status_code != 409 or answer.json()["code"] != "idempotency_key_in_flight":
        return False
    assert int(answer.headers["retry-after"]) > 0
    return True


async def test_fifty_at_once_make_one_object(stage: Stage) -> None:
    """Every POST that creates: one row more, all answers equal, one of them fresh."""
    made = set()
    # A customer has one subscription, and the one of the stage has it.
    second = await stage.mine.made("/v1/customers", reference="second")
    stage.mine.ids["customer_id"] = second["id"]
    for method, path, operation in operations(stage):
        if method != "POST" or "{" in path or path.startswith(MAKES_NOTHING):
            continue
        assert path in CREATED, f"say in CREATED what {path} makes"
        table, body = CREATED[path]
        body = with_ids(body, stage.mine)
        key = caller(stage, operation, path)
        [before] = await stage.shop.rows(f"SELECT count(*) AS n FROM {table}")
        count = AT_ONCE if path in CROWDED else AT_ONCE_ELSEWHERE
        answers = await _at_once(stage, path, key, body, count)
        [after] = await stage.shop.rows(f"SELECT count(*) AS n FROM {table}")
        assert {each.status_code for each in answers} == {201}, (path, answers[0].text)
        assert len({each.content for each in answers}) == 1, path
        fresh = [each for each in answers if "idempotent-replayed" not in each.headers]
        assert (len(fresh), after.n - before.n) == (1, 1), path
        made.add(path)
    assert made == CREATED.keys()


async def test_a_change_sent_five_times_is_one_change(stage: Stage) -> None:
    """Every POST on an object: equal answers where it is done, and one change on record."""
    done = Counter[str]()
    for method, path, operation in operations(stage):
        names = set(parameters(operation, "path")) - CATALOGUE.keys()
        personal = of_people(operation, path) or of_operators(operation)
        if method != "POST" or not names or names & OPERATORS or personal:
            continue
        real = path.format(**CATALOGUE, **stage.theirs.ids)
        body = acceptable(stage, operation, stage.theirs)
        count = "SELECT count(DISTINCT request_id) AS n FROM audit_log"
        [before] = await stage.shop.rows(count)
        answers = await _at_once(stage, real, stage.theirs.key, body, CHANGES)
        [after] = await stage.shop.rows(count)
        assert {each.status_code for each in answers} <= {200, 201, 202, 403, 409, 422}, path
        good = [each for each in answers if each.is_success]
        if good:
            assert len({each.content for each in answers}) == 1, path
            assert [each.headers.get("idempotent-replayed") for each in good].count(None) == 1
        assert after.n - before.n <= 1, path
        done[path] = len(good)
    assert sum(done.values()) >= 5 * CHANGES
