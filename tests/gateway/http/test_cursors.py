"""A cursor is an id of the list that it continues: one of another list is refused, not answered."""

from typing import Any

import pytest

from tests.gateway.conftest import TestApi
from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio

ULID = "01kaj2c0000000000000000000"
FOREIGN = (f"zzz_{ULID}", f"in_{ULID}", "nonsense", ULID)
"""Names that begin no id of any list."""
FOR_PEOPLE = {"people:read", "team:read"}
"""No key has these scopes."""
PERIODS = "/v1/subscriptions/{subscription_id}/periods"
"""Its cursor is a time: tests/gateway/subscriptions/test_billing.py."""


async def _lists(api: TestApi, **ids: str) -> list[str]:
    """Return the path of every list that a key reads by pages, with these ids in it."""
    described = (await api.call("GET", "/schema/openapi.json")).json()["paths"]
    return [
        path.format(**ids)
        for path, operations in described.items()
        if any(
            each["name"] == "starting_after"
            for each in operations.get("get", {}).get("parameters", [])
        )
        and operations["get"]["x-scope"] not in FOR_PEOPLE
        and path != PERIODS
    ]


def _refused(answer: Any) -> tuple[int, str, list[str]]:
    problem = answer.json()
    faults = [fault["pointer"] for fault in problem.get("errors", ())]
    return answer.status_code, str(problem.get("code")), faults


async def test_no_list_continues_at_a_cursor_of_another_kind(api: TestApi) -> None:
    """Every list refuses it, in both directions, and names the parameter."""
    merchant_id, merchant = await api.merchant_and_key()
    operator = await api.key(None, livemode=True)
    made = await api.call("POST", "/v1/customers", merchant, json={"reference": "c-1"})
    lists = await _lists(api, merchant_id=merchant_id, customer_id=made.json()["id"])
    assert len(lists) > 25
    for path in lists:
        key = merchant
        if (await api.call("GET", path, key)).status_code == 403:
            key = operator
        assert (await api.call("GET", path, key)).status_code == 200, path
        for cursor in FOREIGN:
            for name in ("starting_after", "ending_before"):
                answer = await api.call("GET", path, key, params={name: cursor})
                expected = (422, "unknown_cursor", [f"/{name}"])
                assert _refused(answer) == expected, (path, name, cursor, answer.text)


async def test_an_id_of_the_list_is_its_cursor_whatever_became_of_it(shop: Shop) -> None:
    """Also where the row is not there any more, or was made by nobody: ids are places in time."""
    _, key = await shop.merchant_and_key()
    made = [(await shop.invoice(key))["id"] for _ in range(2)]
    answer = await shop.call(
        "GET", "/v1/invoices", key, params={"ending_before": f"inv_{ULID}"}
    )
    assert answer.status_code == 200, answer.text
    assert [each["id"] for each in answer.json()["data"]] == made[::-1]
    foreign = await shop.call("GET", "/v1/deposits", key, params={"starting_after": made[0]})
    assert _refused(foreign) == (422, "unknown_cursor", ["/starting_after"])
