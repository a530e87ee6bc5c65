"""Another merchant's objects do not exist: every route of the OpenAPI document, and no trace.

The document names the routes; `objects` has a real object for every parameter. What is compared
is the answer for the foreign id with the answer for one that nobody has, and every row of the
database before and after.
"""

from typing import Any

import msgspec
import pytest

from tests.contract.makers import MAKERS
from tests.contract.objects import (
    CATALOGUE,
    OPERATORS,
    Operation,
    acceptable,
    body_schema,
    caller,
    of_operators,
    of_people,
    operations,
    parameters,
    with_ids,
)
from tests.contract.sides import ADDRESS, METHOD, Side, Stage

pytestmark = pytest.mark.anyio

NOBODY = "nobody_01m7wm3j43gh2sm96gnk5m00f2"
COUNTED_BY_KEY = frozenset({"rate_window"})
"""Tables that count requests, whatever they ask for."""
COUNTED_COLUMNS = ("last_used_at", "last_used_address", "last_seen_at")
TABLES = (
    "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace "
    "ORDER BY relname"
)

REFERENCES: dict[str, str] = {
    "address_book_entry": "entry_id",
    "batch_id": "batch_id",
    "customer": "customer_id",
    "customer_id": "customer_id",
    "deposit_id": "deposit_id",
    "endpoint_id": "endpoint_id",
    "event_id": "event_id",
    "invoice_id": "invoice_id",
    "package_id": "package_id",
    "subject": "invoice_id",
}
"""Fields of bodies and query parameters that hold an object's id: the kind of object."""
NO_IDS = frozenset({"order_id", "tax_id"})
"""Names that end in `_id` and are the merchant's own words."""

BOTH_MODES = frozenset({"code_id", "target_id"})
"""Parameters of objects that are a merchant's in both modes: referral codes, people's chats."""

LIVE = {"network": "mainnet", "payment_method": "ETH-MAINNET"}
"""What a body names where a live key sends it."""

CREATED_WITH: dict[str, dict[str, Any]] = {
    "POST /v1/invoices": {"amount": "5", "currency": "USD"},
    "POST /v1/subscriptions": {"customer_id": "{customer_id}", "package_id": "{package_id}"},
    "POST /v1/subscriptions/{subscription_id}/change_plan": {},
    "POST /v1/withdrawals": {
        "payment_method": METHOD,
        "amount": "0.01",
        "destination": ADDRESS,
    },
    "POST /v1/withdrawals/estimate": {"payment_method": METHOD, "amount": "0.01"},
    "POST /v1/payout_rules": {
        "payment_method": METHOD,
        "threshold": "5",
        "address_book_entry": "{entry_id}",
    },
}
"""Bodies of requests that name other objects, here the caller's own; one at a time is replaced."""


async def fingerprint(stage: Stage) -> dict[str, tuple[int, Any]]:
    """Return how many rows each table has, and a sum over what they hold."""
    names = [row.relname for row in await stage.shop.rows(TABLES)]
    minus = "".join(f" - '{column}'" for column in COUNTED_COLUMNS)
    parts = [
        f"SELECT '{name}' AS name, count(*) AS n,"
        f" coalesce(sum(hashtextextended((to_jsonb(t){minus})::text, 0)), 0) AS hash"
        f" FROM {name} t"
        for name in names
        if name not in COUNTED_BY_KEY
    ]
    rows = await stage.shop.rows(" UNION ALL ".join(parts))
    return {row.name: (row.n, row.hash) for row in rows}


def told(answer: Any, object_id: str) -> tuple[int, Any]:
    """Return status and problem without what is different at every request."""
    problem = msgspec.json.decode(answer.content.replace(object_id.encode(), b"ID"))
    problem.pop("request_id", None)
    return answer.status_code, problem


async def asked(
    stage: Stage, operation: Operation, key: str, ids: dict[str, str]
) -> tuple[Any, str]:
    """Send one request with these ids in its path; return the answer and the id that matters."""
    method, template, described = operation
    path = template.format(**CATALOGUE, **ids)
    body = acceptable(stage, described, stage.mine)
    if body is not None and key == stage.theirs.live_key:
        body = {name: LIVE.get(name, value) for name, value in body.items()}
    headers = {"Idempotency-Key": stage.shop.clock().id("idk")}
    answer = await stage.shop.call(method, path, key, json=body, headers=headers)
    return answer, next(ids[name] for name in parameters(described, "path") if name in ids)


async def refused(stage: Stage, operation: Operation, key: str, foreign: Side) -> None:
    """Ask for a foreign object and for one that nobody has: the same 404 twice, and no trace."""
    names = [name for name in parameters(operation[2], "path") if name not in CATALOGUE]
    before = await fingerprint(stage)
    real = await asked(stage, operation, key, {name: foreign.ids[name] for name in names})
    none = await asked(stage, operation, key, dict.fromkeys(names, NOBODY))
    assert real[0].status_code == 404, (operation[:2], real[0].text)
    assert told(*real) == told(*none), operation[:2]
    assert await fingerprint(stage) == before, operation[:2]


def with_objects(stage: Stage) -> list[Operation]:
    """Return the operations on one object that merchants may call."""
    return [
        each
        for each in operations(stage)
        if set(parameters(each[2], "path")) - CATALOGUE.keys() and not of_operators(each[2])
    ]


async def test_another_merchants_objects_do_not_exist(stage: Stage) -> None:
    """Every route with an id: the same 404 as for nobody's id, and not one row is different."""
    for operation in with_objects(stage):
        mine = caller(stage, operation[2], operation[1])
        assert mine is not None, operation[:2]
        await refused(stage, operation, mine, stage.theirs)


async def test_the_other_mode_of_the_same_merchant_does_not_exist(stage: Stage) -> None:
    """A live key asks for what its own merchant made with a test key."""
    for operation in with_objects(stage):
        if (
            not of_people(operation[2], operation[1])
            and not set(parameters(operation[2], "path")) & BOTH_MODES
        ):
            await refused(stage, operation, stage.theirs.live_key, stage.theirs)


async def test_every_parameter_has_an_object(stage: Stage) -> None:
    """Nothing is left out: each path parameter is made, of the catalogue, or the operator's."""
    for method, path, operation in operations(stage):
        names = set(parameters(operation, "path")) - CATALOGUE.keys()
        if of_operators(operation):
            assert names <= OPERATORS | MAKERS.keys(), (method, path)
        else:
            assert names <= MAKERS.keys(), (method, path)
    assert len(with_objects(stage)) >= 29


async def test_what_is_the_operators_is_closed_to_merchants(stage: Stage) -> None:
    """403 before any id is looked at, and no trace."""
    before = await fingerprint(stage)
    for method, path, operation in operations(stage):
        if of_operators(operation):
            ids = {**dict.fromkeys(OPERATORS, NOBODY), **stage.theirs.ids}
            ids["merchant_id"] = stage.theirs.merchant_id
            answer = await stage.shop.call(method, path.format(**ids), stage.mine.key, json={})
            assert answer.status_code == 403, (method, path)
            assert answer.json()["code"] == "insufficient_scope"
    assert await fingerprint(stage) == before


async def test_filters_by_a_foreign_id_find_nothing(stage: Stage) -> None:
    """A list filtered by another merchant's object is that of an object nobody has."""
    tried = 0
    for method, path, operation in operations(stage):
        if method != "GET" or of_operators(operation) or "{" in path:
            continue
        names = [name for name in parameters(operation, "query") if is_reference(name)]
        for name in names:
            foreign = stage.theirs.ids[REFERENCES[name]]
            own = stage.mine.ids[REFERENCES[name]]
            key = caller(stage, operation, path)
            found = {
                who: await stage.shop.call("GET", path, key, params={name: object_id})
                for who, object_id in (("theirs", foreign), ("nobody", NOBODY), ("mine", own))
            }
            assert {answer.status_code for answer in found.values()} == {200}, (path, name)
            assert found["theirs"].content == found["nobody"].content, (path, name)
            assert foreign not in found["theirs"].text, (path, name)
            tried += 1
    assert tried >= 5


async def test_bodies_with_a_foreign_id_are_refused(stage: Stage) -> None:
    """A field that names another merchant's object is refused as one that names nobody's."""
    tried = set()
    before = await fingerprint(stage)
    for method, path, operation in operations(stage):
        if of_operators(operation):
            continue
        _, schema = body_schema(stage, operation)
        names = [name for name in schema.get("properties", {}) if is_reference(name)]
        for name in names:
            answers = []
            for object_id in (stage.theirs.ids[REFERENCES[name]], NOBODY):
                own = {**body_with(method, path, schema)}
                body = {**with_ids(own, stage.mine), name: object_id}
                place = path.format(**CATALOGUE, **stage.mine.ids)
                headers = {"Idempotency-Key": stage.shop.clock().id("idk")}
                answer = await stage.shop.call(
                    method, place, stage.mine.key, json=body, headers=headers
                )
                assert answer.status_code in {404, 422}, (method, path, name, answer.text)
                answers.append(told(answer, object_id))
            assert answers[0] == answers[1], (method, path, name)
            tried.add((method, path, name))
    assert await fingerprint(stage) == before
    assert ("POST", "/v1/payout_rules", "address_book_entry") in tried


def body_with(method: str, path: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return what the body holds beside the foreign id."""
    label = f"{method} {path}"
    if label in CREATED_WITH:
        return CREATED_WITH[label]
    assert not schema.get("required"), f"say in CREATED_WITH what {label} can hold"
    return {}


def is_reference(name: str) -> bool:
    """Tell whether a field holds an object's id; a new one must be named."""
    if name in REFERENCES:
        return True
    assert name in NO_IDS or not name.endswith("_id"), f"say in REFERENCES what {name} is"
    return False
