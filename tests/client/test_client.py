"""The client against the real application, and against servers that misbehave."""

import runpy
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_type_hints

import httpx
import msgspec
import pytest
from anyio import to_thread
from cryptic_gateway import (
    AsyncClient,
    Client,
    Conflict,
    Forbidden,
    Invalid,
    NoAnswer,
    NotFound,
    Retrying,
    Signer,
    TooMany,
    Unavailable,
    Unintelligible,
    WebhookRefused,
    Webhooks,
    documents,
)
from cryptic_gateway.aio import resources
from cryptic_gateway.policy import IN_FLIGHT, query
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.webhooks.feed import place_events
from tests.client.conftest import Served
from tests.gateway.shop import Shop, pool_address

pytestmark = pytest.mark.anyio

HOME = Path(__file__).parents[2] / "clients" / "python"
AT_ONCE = Retrying(first_pause=0.0)
KEY = "gw_test_" + "s3cret" * 7
COMPONENTS = {
    "Balance": "BalanceDocument",
    "BalanceEntry": "EntryDocument",
    "Customer": "CustomerDocument",
    "Deposit": "DepositDocument",
    "DepositAddress": "DepositAddressDocument",
    "Destination": "DestinationDocument",
    "Estimate": "EstimateDocument",
    "Event": "EventDocument",
    "Invoice": "InvoiceDocument",
    "Movement": "MovementDocument",
    "NetworkFee": "NetworkFeeDocument",
    "PaymentMethod": "MethodDocument",
    "PaymentOption": "PaymentOptionDocument",
    "Refund": "RefundDocument",
    "WalletLink": "WalletLinkDocument",
    "WebhookEndpoint": "EndpointDocument",
    "Withdrawal": "WithdrawalDocument",
    "WithdrawalBatch": "BatchSummaryDocument",
}
"""The client's documents, and what the gateway calls them."""
FILTERS = {
    "BatchFilter": "/v1/withdrawal_batches",
    "CustomerFilter": "/v1/customers",
    "DepositFilter": "/v1/deposits",
    "EntryFilter": "/v1/balance_entries",
    "EventFilter": "/v1/events",
    "InvoiceFilter": "/v1/invoices",
    "WithdrawalFilter": "/v1/withdrawals",
}
"""What the client's lists are narrowed by: one that the gateway does not know finds everything."""
BODIES = {
    "NewCustomer": "CreateCustomer",
    "NewInvoice": "CreateInvoice",
    "NewRefund": "CreateRefund",
}


def answering(*answers: httpx.Response | Exception) -> tuple[AsyncClient, list[httpx.Request]]:
    """Return a client of a server that gives these answers in turn, and what it was asked."""
    asked: list[httpx.Request] = []
    given = iter(answers)

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        answer = next(given)
        if isinstance(answer, Exception):
            raise answer
        return answer

    http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    return AsyncClient("https://gw.example", KEY, retrying=AT_ONCE, http=http), asked


def problem(status: int, code: str = "x", **headers: str) -> httpx.Response:
    """Return a refusal."""
    document = {"status": status, "code": code, "detail": "no", "errors": []}
    return httpx.Response(status, json=document, headers=headers)


def empty() -> httpx.Response:
    """Return an empty list."""
    return httpx.Response(200, json={"object": "list", "data": [], "has_more": False})


def test_plain_is_made_from_aio() -> None:
    """The blocking modules are what generate.py makes now."""
    made: dict[Path, str] = runpy.run_path(str(HOME / "generate.py"))["generated"]()
    assert len(made) == 3
    for path, text in made.items():
        assert path.read_text() == text, f"run python {HOME / 'generate.py'}"
        assert "async" not in text.replace("asyncio", "")


async def test_documents_name_what_the_gateway_answers(served: Served) -> None:
    """Every field of the client exists there, and may be null where the gateway's may."""
    described = (await served.shop.call("GET", "/schema/openapi.json")).json()
    schemas = described["components"]["schemas"]
    for name, component in COMPONENTS.items():
        properties = schemas[component]["properties"]
        kind: type[msgspec.Struct] = getattr(documents, name)
        for field in msgspec.structs.fields(kind):
            shape = properties[field.name]
            nullable = {"type": "null"} in shape.get("anyOf", []) or not field.required
            assert (type(None) in getattr(field.type, "__args__", ())) <= nullable, (
                name,
                field,
            )
            if {"type": "null"} in shape.get("anyOf", []):
                assert type(None) in field.type.__args__, (name, field.name)
    for name, component in BODIES.items():
        assert set(get_type_hints(getattr(documents, name))) <= set(
            schemas[component]["properties"]
        ), name
    for name, path in FILTERS.items():
        known = {each["name"] for each in described["paths"][path]["get"]["parameters"]}
        given = query(dict.fromkeys(get_type_hints(getattr(documents, name)), "x"))
        assert set(given) <= known, name


async def test_a_merchants_day(served: Served) -> None:
    """Invoices, payments, balances, payouts, customers, endpoints and events, typed."""
    shop = served.shop
    async with AsyncClient(served.url, served.key) as gateway:
        made = [
            await gateway.invoices.create(
                amount=Decimal(10), currency="USD", payment_methods=["ETH-ETHEREUM"]
            )
            for _ in range(3)
        ]
        listed = [each.id async for each in gateway.invoices.all(status="pending")]
        assert listed == [each.id for each in reversed(made)]
        [option] = made[0].payment_options
        assert option.amount == Decimal("0.004")
        await shop.pay(str(option.address), "ETH-ETHEREUM", 4 * 10**15, final=True)
        settled = await gateway.invoices.get(made[0].id)
        assert (settled.status, settled.amount_paid) == ("settled", Decimal(10))
        [deposit] = [each async for each in gateway.deposits.all(invoice_id=settled.id)]
        assert await gateway.deposits.get(deposit.id) == deposit
        balances = {each.payment_method: each for each in await gateway.catalog.balances()}
        assert balances["ETH-ETHEREUM"].available == Decimal("0.004")
        payout = await gateway.withdrawals.create(
            payment_method="ETH-ETHEREUM",
            amount=Decimal("1E-3"),
            destination=pool_address("ethereum", 500),
            idempotency_key="payout-1",
        )
        assert (payout.status, payout.amount) == ("pending", Decimal("0.001"))
        assert (await gateway.withdrawals.cancel(payout.id)).status == "canceled"
        with pytest.raises(Conflict):
            await gateway.withdrawals.cancel(payout.id)
        endpoint = await gateway.webhook_endpoints.create(url="https://shop.example/hook")
        assert endpoint.secret is not None
        assert endpoint.secret not in repr(endpoint)
        assert {each.id for each in await gateway.webhook_endpoints.all()} == {endpoint.id}
        customer = await gateway.customers.create(reference="a-1")
        address = await gateway.customers.address(customer.id, "ethereum")
        assert (address.customer_id, address.network) == (customer.id, "ethereum")
        assert [each.id async for each in gateway.customers.all(reference="a-1")] == [
            customer.id
        ]
        kinds = {each.type async for each in gateway.events.all(subject=settled.id)}
        assert {"invoice.created", "invoice.settled"} <= kinds
        assert "data" in await gateway.request("GET", "/networks")


async def test_amounts_of_every_kind_and_a_customers_payout(served: Served) -> None:
    """A decimal whose own text has an exponent, a whole number, and money of a customer."""
    shop = served.shop
    async with AsyncClient(served.url, served.key) as gateway:
        made = await gateway.invoices.create(amount=10, currency="USD")
        assert made.amount == Decimal(10)
        customer = await gateway.customers.create(reference="payout")
        home = await gateway.customers.address(customer.id, "ethereum")
        await shop.pay(home.address, "ETH-ETHEREUM", 10**16, tx="0xcafe", final=True)
        payout = await gateway.withdrawals.create(
            payment_method="ETH-ETHEREUM",
            amount=Decimal("0.00000001"),
            destination=pool_address("ethereum", 501),
            customer_id=customer.id,
            idempotency_key="payout-2",
        )
        assert payout.amount == Decimal("1E-8")
        found = [each.id async for each in gateway.withdrawals.all(customer_id=customer.id)]
        assert found == [payout.id]


async def test_a_payout_is_estimated_before_it_is_asked_for(served: Served) -> None:
    """Nothing is held by it; a destination that cannot be is said in the answer."""
    shop = served.shop
    async with AsyncClient(served.url, served.key) as gateway:
        await shop.fund(served.merchant_id, "USDC-ETHEREUM", 5_000_000)
        estimate = await gateway.withdrawals.estimate(
            payment_method="USDC-ETHEREUM", amount=Decimal("2.5")
        )
        assert (estimate.fee_charged, estimate.total) == (Decimal(1), Decimal("3.5"))
        assert (estimate.sufficient, estimate.destination) == (True, None)
        assert estimate.network_fee is None
        refused = await gateway.withdrawals.estimate(
            payment_method="USDC-ETHEREUM", amount="100", destination="T9yD14Nj9j7xAB4dbGeiX9"
        )
        assert not refused.sufficient
        assert refused.destination is not None
        assert refused.destination.status == "refused"
        balances = {each.payment_method: each for each in await gateway.catalog.balances()}
        assert balances["USDC-ETHEREUM"].locked == 0


async def test_batches_and_entries_are_listed(served: Served) -> None:
    """Those that were asked for at once, and how a balance came about."""
    shop = served.shop
    async with AsyncClient(served.url, served.key) as gateway:
        await shop.fund(served.merchant_id, "USDC-ETHEREUM", 9_000_000)
        ask = {
            "payment_method": "USDC-ETHEREUM",
            "amount": "1",
            "destination": pool_address("ethereum", 502),
        }
        made = [
            await gateway.request(
                "POST",
                "/withdrawals/batch",
                body={"items": [ask, {**ask, "destination": "x"}]},
                idempotency_key=f"batch-{number}",
            )
            for number in range(2)
        ]
        listed = [each async for each in gateway.withdrawal_batches.all()]
        assert [each.id for each in listed] == [made[1]["id"], made[0]["id"]]
        assert (listed[0].items, listed[0].statuses) == (2, {"pending": 1})
        assert await gateway.withdrawal_batches.get(listed[0].id) == listed[0]
        [only] = [each async for each in gateway.withdrawals.all(batch_id=listed[1].id)]
        holds = [each async for each in gateway.balance_entries.all(type="hold")]
        assert only.id in {each.journal["ref"] for each in holds}
        assert holds[0].confirmed.change == Decimal(-2)


async def test_the_feed_gives_every_event_once(served: Served) -> None:
    """From the first one on, in order; what comes later is behind the cursor."""
    async with AsyncClient(served.url, served.key) as gateway:
        made = await gateway.invoices.create(amount="1", currency="USD")
        await _placed(served.shop)
        page = await gateway.events.after(subject=made.id)
        assert [each.type for each in page.data] == ["invoice.created"]
        await gateway.invoices.cancel(made.id)
        await _placed(served.shop)
        page = await gateway.events.after(page.next_cursor, subject=made.id)
        assert [each.type for each in page.data] == ["invoice.canceled"]


async def _placed(shop: Shop) -> None:
    """Give events their places in the feed, as the worker does."""
    async with shop.owner.unit_of_work(None) as session:
        await place_events(session)


async def test_both_styles_answer_the_same(served: Served) -> None:
    """The blocking client in a thread sees what the other sees, and raises the same kinds."""

    def blocking() -> tuple[list[str], int]:
        with Client(served.url, served.key) as gateway:
            with pytest.raises(NotFound):
                gateway.invoices.get("inv_nobody/../x")
            return [each.id for each in gateway.invoices.all()], len(gateway.catalog.balances())

    found = await to_thread.run_sync(blocking)
    async with AsyncClient(served.url, served.key) as gateway:
        seen = [each.id async for each in gateway.invoices.all()]
        assert found == (seen, len(await gateway.catalog.balances()))


async def test_lists_turn_their_pages() -> None:
    """The cursor of a page asks for the next one, with the same filters."""
    event = {
        "id": "evt_1", "type": "x", "timestamp": "2026-11-20T14:00:00Z", "livemode": False,
        "subject": "inv_1", "sequence": 1, "data": {}, "a_new_field": [1],
    }  # fmt: skip
    pages = [
        {"data": [event], "has_more": True, "next_cursor": "c1"},
        {"data": [event], "has_more": False, "next_cursor": None},
    ]
    client, asked = answering(*(httpx.Response(200, json=page) for page in pages))
    assert len([each async for each in client.events.all(type="x")]) == 2
    assert asked[0].url.params == httpx.QueryParams(limit="100", type="x")
    assert asked[1].url.params["starting_after"] == "c1"


async def test_a_post_is_tried_again_under_one_key() -> None:
    """Lost connections, 503, 429 and a request in flight: four attempts, the same key."""
    client, asked = answering(
        httpx.ReadError("gone"), problem(503), problem(409, IN_FLIGHT), problem(422)
    )
    with pytest.raises(Invalid):
        await client.customers.create(reference="a")
    assert len({each.headers["Idempotency-Key"] for each in asked}) == 1
    assert len(asked) == 4
    other, asked_again = answering(problem(422))
    with pytest.raises(Invalid):
        await other.customers.create(reference="a")
    assert asked_again[0].headers["Idempotency-Key"] != asked[0].headers["Idempotency-Key"]


async def test_it_gives_up() -> None:
    """After four attempts, at once on what no retry mends, and before a pause that is too long."""
    cases: list[tuple[list[httpx.Response | Exception], type[Exception], int]] = [
        ([httpx.ConnectError("x")] * 4, NoAnswer, 4),
        ([problem(503)] * 4, Unavailable, 4),
        ([problem(403)], Forbidden, 1),
        ([problem(409)], Conflict, 1),
        ([problem(429, **{"Retry-After": "3600"})], TooMany, 1),
        ([httpx.Response(502, text="<html>")] * 4, Unintelligible, 4),
    ]
    for answers, kind, attempts in cases:
        client, asked = answering(*answers)
        with pytest.raises(kind) as refused:
            await client.catalog.balances()
        assert len(asked) == attempts
        assert KEY not in repr(refused.value)


async def test_a_change_without_a_key_is_not_sent_twice() -> None:
    """A PATCH whose answer was lost may have been done: the caller has to look."""
    client, asked = answering(httpx.ReadTimeout("late"))
    with pytest.raises(NoAnswer):
        await client.request("PATCH", "/merchant", body={"name": "x"})
    assert len(asked) == 1


def test_pauses_grow_and_respect_the_gateway() -> None:
    """Half a second, doubled, spread by chance; Retry-After is the least."""
    pause: Callable[..., float | None] = Retrying().pause
    lost = NoAnswer("x")
    assert [pause(lost, "GET", n, 1.0) for n in (1, 2, 3, 4)] == [0.5, 1.0, 2.0, None]
    assert pause(lost, "GET", 1, 0.0) == 0.25
    assert pause(lost, "DELETE", 1, 0.0) is None


async def test_a_redirect_takes_the_key_nowhere() -> None:
    """Nobody who answers for the gateway can send the key elsewhere."""
    elsewhere = httpx.Response(302, headers={"Location": "https://evil.example/"})
    client, asked = answering(*[elsewhere] * 4)
    with pytest.raises(Unintelligible):
        await client.catalog.balances()
    assert {each.url.host for each in asked} == {"gw.example"}


def test_secrets_stay_inside() -> None:
    """Neither the key nor the signing key is in a text form; http is for this machine only."""
    signer = Signer("key_1", Ed25519PrivateKey.from_private_bytes(bytes(32)))
    with Client("https://gw.example", KEY, signer=signer) as client:
        for part in (client, client.invoices, client._transport, client._transport._access):
            assert KEY not in repr(part)
            assert "PrivateKey" not in repr(part)
    with pytest.raises(ValueError, match="https"):
        Client("http://gw.example", KEY)
    with pytest.raises(ValueError, match="https"):
        Client("ftp://127.0.0.1", KEY)


@pytest.mark.parametrize(
    ("signature", "body"),
    [("v1", b"{}"), ("v1,a,b", b"{}"), ("v1,é", b"{}"), ("v1,a", b"{}"), ("v1,AAAA", b"\xff")],
)
def test_a_delivery_that_cannot_be_read_is_refused(signature: str, body: bytes) -> None:
    """Whoever knows the address of an endpoint can send anything: that is a 401, never a fault."""
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(time.time())),
        "webhook-signature": signature,
    }
    with pytest.raises(WebhookRefused):
        Webhooks("whsec_" + "A" * 32).verified(headers, body)


async def test_a_query_in_a_path_arrives(served: Served) -> None:
    """As it stands, or as filters; both at once would lose one of them."""
    async with AsyncClient(served.url, served.key) as gateway:
        await gateway.invoices.create(amount="7.00", currency="USD", order_id="in a path")
        await gateway.invoices.create(amount="7.00", currency="USD")
        for path, filters in (
            ("/invoices?order_id=in+a+path", None),
            ("/invoices", {"order_id": "in a path"}),
        ):
            [found] = (await gateway.request("GET", path, filters=filters))["data"]
            assert found["order_id"] == "in a path"
        with pytest.raises(ValueError, match="not both"):
            await gateway.request("GET", "/invoices?limit=1", filters={"q": "a"})


@pytest.mark.parametrize("key", ["", "ord\u00e9r-1", "a\nb", "x" * 256])
async def test_what_is_no_idempotency_key_is_not_replaced(key: str) -> None:
    """A payout under a key of nobody's choice would be paid again by the retry."""
    client, asked = answering()
    with pytest.raises(ValueError, match="printable ASCII"):
        await client.withdrawals.create(
            payment_method="ETH-ETHEREUM", amount="1", destination="0x1", idempotency_key=key
        )
    assert asked == []


@pytest.mark.parametrize("made_up", ["", ".", ".."])
async def test_an_id_leads_nowhere_else(made_up: str) -> None:
    """The balances of the customer `..` would be the merchant's own."""
    client, asked = answering()
    with pytest.raises(ValueError, match="an id is"):
        await client.customers.balances(made_up)
    assert asked == []


async def test_an_answer_without_a_body_is_none() -> None:
    """What was removed is removed: 204 is no fault."""
    client, asked = answering(httpx.Response(204))
    assert await client.request("DELETE", "/webhook_endpoints/whe_1") is None
    assert len(asked) == 1


async def test_a_float_is_no_amount() -> None:
    """Refused before anything is sent, however deep it lies."""
    client, asked = answering()
    wrong: Any = 0.1
    with pytest.raises(TypeError, match="exact"):
        await client.invoices.create(currency="USD", amount=wrong)
    with pytest.raises(TypeError, match="exact"):
        await client.withdrawals.create(
            payment_method="X", amount=wrong, destination="x", idempotency_key="1"
        )
    assert asked == []


def test_every_list_is_narrowed_by_a_filter_of_its_own() -> None:
    """Not by the fields of a new object: the gateway would pass over what it does not filter by."""
    kinds = set()
    for part in resources.AsyncResource.__subclasses__():
        if "all" in vars(part) and "filters" in (hints := get_type_hints(vars(part)["all"])):
            kinds.add(get_args(hints["filters"])[0].__name__)
    assert kinds == set(FILTERS)
