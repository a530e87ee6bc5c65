"""The stage, and what its OpenAPI document says of each operation: who may call it, with what.

A route whose parameter has no maker fails the tests that read the document: whoever adds a kind
of object says in `makers` how a merchant gets one.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from gateway.domain.actor import MERCHANT_SCOPES
from gateway.domain.roles import HOUSE_SCOPES, TEAM_SCOPES
from tests.conftest import FreshDatabase
from tests.contract.makers import ETHER, MAKERS, keep_passkey
from tests.contract.sides import ADDRESS, METHOD, Side, Stage
from tests.gateway.people.conftest import CHEAP, People
from tests.gateway.shop import Shop, opened

CATALOGUE = {"payment_method": METHOD}
"""Parameters that name what is the same for everybody."""
OPERATORS = frozenset({"merchant_id", "order_id", "pause_id", "resolution_id"})
"""Parameters of routes that no merchant may use at all."""
PERSONAL = ("/v1/person", "/v1/sessions", "/v1/factors")
"""What only people have."""

BODIES: dict[str, dict[str, Any]] = {
    "ChangeEntry": {"label": "x"},
    "ChangePlan": {"package_id": "{package_id}"},
    "CreateRefund": {"kind": "full", "destination": ADDRESS, "reason": "x"},
    "CreateTransfer": {"direction": "grant", "payment_method": METHOD, "amount": "0.01"},
    "GiveAddress": {"network": "ethereum"},
    "MarkInvoice": {"status": "invalid", "reason": "x"},
    "RenamePasskey": {"name": "x"},
    "ReplayEvents": {"since": "2026-11-20T00:00:00Z"},
    "Simulate": {"case": "paid"},
}
"""Bodies that would be accepted, by schema, where one must say something."""

Operation = tuple[str, str, dict[str, Any]]


def operations(stage: Stage) -> Iterator[Operation]:
    """Yield method, path template and description of every operation."""
    for path, methods in stage.document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def parameters(operation: dict[str, Any], place: str) -> list[str]:
    """Return the names of an operation's parameters in `path` or `query`."""
    found = operation.get("parameters", [])
    return [each["name"] for each in found if each["in"] == place]


def of_operators(operation: dict[str, Any]) -> bool:
    """Tell whether nobody of a merchant can have the operation's scope."""
    scope = operation.get("x-scope", "any")
    return scope not in MERCHANT_SCOPES | TEAM_SCOPES | {"any"}


def of_people(operation: dict[str, Any], path: str) -> bool:
    """Tell whether a merchant's person calls this, and no key can."""
    return operation.get("x-scope") in TEAM_SCOPES or path.startswith(PERSONAL)


def caller(stage: Stage, operation: dict[str, Any], path: str) -> str | None:
    """Return whose secret opens the operation on the stage's first side; None where it is public."""
    if "security" not in operation:
        return None
    if operation["x-scope"] in HOUSE_SCOPES:
        return stage.admin
    live = "x-live-key" in operation
    if of_operators(operation):
        return stage.live_operator if live else stage.operator
    if of_people(operation, path):
        return stage.mine.person
    return stage.mine.live_key if live else stage.mine.key


def body_schema(stage: Stage, operation: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return name and schema of the operation's body; two empty ones where it has none."""
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    options = [schema, *schema.get("anyOf", [])]
    for reference in (each["$ref"] for each in options if "$ref" in each):
        name = reference.rpartition("/")[2]
        return name, stage.document["components"]["schemas"][name]
    return "", {}


def acceptable(stage: Stage, operation: dict[str, Any], side: Side) -> dict[str, Any] | None:
    """Return a body that the operation would accept of a side, None where it takes none."""
    if "requestBody" not in operation:
        return None
    name, schema = body_schema(stage, operation)
    if name in BODIES:
        return with_ids(BODIES[name], side)
    assert not schema.get("required"), f"say in BODIES what {name} can hold"
    return {}


def with_ids(body: dict[str, Any], side: Side) -> dict[str, Any]:
    """Return a body in which `{invoice_id}` and the like are the side's own."""
    return {
        name: value.format(**side.ids) if isinstance(value, str) else value
        for name, value in body.items()
    }


async def side_of(shop: Shop, database: FreshDatabase) -> Side:
    """Open an account with a person and give it one of everything."""
    merchant_id = await shop.merchant()
    people = People(shop.api, shop.client, shop.settings, shop.database, shop.owner, shop.clock)
    email = f"owner.{merchant_id}@shop.example"
    side = Side(
        shop,
        people,
        database.url("worker"),
        merchant_id,
        await shop.key(merchant_id),
        await shop.key(merchant_id, livemode=True),
        email,
        await people.owner_of(merchant_id, email),
    )
    await shop.fund(merchant_id, METHOD, 10 * ETHER)
    for name, maker in MAKERS.items():
        side.ids[name] = await maker(side)
    return side


@asynccontextmanager
async def staged(database: FreshDatabase) -> AsyncIterator[Stage]:
    """Set the stage on an API that does not count requests, with cheap passwords."""
    async with opened(database) as shop:
        unlimited = msgspec.structs.replace(shop.settings.api, requests_per_minute=0)
        settings = msgspec.structs.replace(shop.settings, api=unlimited, people=CHEAP)
        async with shop.beside(settings) as open_shop:
            document = (await open_shop.call("GET", "/schema/openapi.json")).json()
            mine = await side_of(open_shop, database)
            theirs = await side_of(open_shop, database)
            admin = await mine.people.admin()
            await keep_passkey(open_shop, (await mine.people.me(admin))["id"], "pky_admin")
            operator = await open_shop.key(None)
            live = await open_shop.key(None, livemode=True)
            yield Stage(open_shop, mine, theirs, operator, live, admin, document)
