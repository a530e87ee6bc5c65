"""What a payout would cost and who would decide, read from what watchers publish."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from gateway.models import FeeQuote, PolicySnapshot
from tests.gateway.customers.conftest import customer, rich
from tests.gateway.shop import Shop, pool_address
from tests.gateway.withdrawals.test_request import DESTINATIONS, OUTSIDE, ask, balance

pytestmark = pytest.mark.anyio
ANYBODY: dict[str, Any] = {
    "assets": [], "destinations": [], "destinations_count": 0, "sources": [], "units_max": None,
    "window": None, "fee_max": None, "approvals": 0, "approvers": [],
}  # fmt: skip
USDC = "0x5fbdb2315678afecb367f032d93f642f64180aa3"
RULES = [
    {**ANYBODY, "name": "small", "kind": "automatic", "assets": [USDC], "units_max": "5000000"},
    {**ANYBODY, "name": "two people", "kind": "approved", "assets": [USDC], "approvals": 2},
    {**ANYBODY, "name": "nobody", "kind": "block"},
]


async def estimate(shop: Shop, key: str, **fields: Any) -> httpx.Response:
    """Ask what 12.5 USDC would cost."""
    body = {"payment_method": "USDC-ETHEREUM", "amount": "12.5", **fields}
    return await shop.call("POST", "/v1/withdrawals/estimate", key, json=body)


async def published(shop: Shop, *rows: Any) -> None:
    """Write rows as a network's watcher does."""
    async with shop.watcher.unit_of_work(None) as session:
        for row in rows:
            await session.merge(row)


def quote(shop: Shop, age: timedelta = timedelta()) -> FeeQuote:
    """Return a quote of this age."""
    return FeeQuote(
        currency_id="USDC-ETHEREUM",
        network_id="ethereum",
        typical_units=60_000 * 10**9,
        ceiling_units=150_000 * 10**9,
        parts={"gas": "60000"},
        published_at=shop.at() - age,
    )


def policy(shop: Shop, rules: list[Any], fingerprint: str = "ab" * 32) -> PolicySnapshot:
    """Return a published policy."""
    return PolicySnapshot(
        network_id="ethereum",
        fingerprint=fingerprint,
        rules=rules,
        approvers=[],
        published_at=shop.at(),
    )


async def test_amount_fee_total_and_what_there_is(shop: Shop) -> None:
    """The fee is the merchant's, the network's is not; nothing is held."""
    merchant, key = await shop.merchant_and_key()
    await published(shop, quote(shop))
    for units, enough in ((13_499_999, False), (1, True)):
        await shop.fund(merchant, "USDC-ETHEREUM", units)
        answer = await estimate(shop, key)
        assert answer.status_code == 200, answer.text
        assert answer.json()["sufficient"] is enough
    told = answer.json()
    assert (told["amount"], told["fee_charged"], told["total"], told["available"]) == (
        "12.500000",
        "1.000000",
        "13.500000",
        "13.500000",
    )
    fee = told["network_fee"]
    assert (fee["currency"], fee["typical"], fee["ceiling"]) == (
        "ETH",
        "0.000060000000000000",
        "0.000150000000000000",
    )
    assert fee["parts"] == {"gas": "60000"}
    assert told["destination"] is None
    assert await balance(shop, key) == ("13.500000", "0.000000")


async def test_an_old_quote_is_none(shop: Shop) -> None:
    """After five minutes of silence nobody knows what a payment costs."""
    _, key = await shop.merchant_and_key()
    await published(shop, quote(shop, timedelta(minutes=5)))
    assert (await estimate(shop, key)).json()["network_fee"] is None


async def test_every_bad_destination_says_why(shop: Shop) -> None:
    """The same words as a request would have, in the document instead of a problem."""
    _, key = await shop.merchant_and_key()
    for method, destination, code in DESTINATIONS:
        answer = await estimate(
            shop, key, payment_method=method, amount="1", destination=destination
        )
        told = answer.json()["destination"]
        assert (told["status"], told["code"]) == ("refused", code), destination
        assert told["detail"]
    good = (await estimate(shop, key, destination=OUTSIDE)).json()["destination"]
    assert (good["status"], good["address"]) == ("unknown", OUTSIDE)


async def test_the_published_policy_says_who_would_decide(shop: Shop) -> None:
    """The first rule that fits, as far as it is published; the keystore has the last word."""
    _, key = await shop.merchant_and_key()

    async def decided(**fields: Any) -> tuple[str, str | None, int]:
        told = (await estimate(shop, key, **fields)).json()["policy"]
        return told["decision"], told["rule"], told["approvals_needed"]

    assert await decided() == ("unknown", None, 0)
    await published(shop, policy(shop, RULES))
    assert await decided(amount="5") == ("automatic", "small", 0)
    assert await decided(amount="5.000001") == ("approvals", "two people", 2)
    assert await decided(payment_method="ETH-ETHEREUM") == ("blocked", "nobody", 0)
    await published(shop, policy(shop, [], ""))
    assert await decided() == ("automatic", None, 0)


async def test_a_list_that_is_cut_short_is_not_guessed_at(shop: Shop) -> None:
    """A hundred of many destinations are published: this one may be among the others."""
    _, key = await shop.merchant_and_key()
    listed = {"destinations": [pool_address("ethereum", 900)], "destinations_count": 101}
    rules = [{**RULES[0], **listed}, *RULES[1:]]
    await published(shop, policy(shop, rules))
    told = (await estimate(shop, key, amount="1", destination=OUTSIDE)).json()["policy"]
    assert told["decision"] == "unknown"


async def test_who_asks_may_approve_below_the_limit(shop: Shop) -> None:
    """Ten USDC, and ten is not below."""
    _, key = await shop.merchant_and_key()
    for amount, may in (("9.999999", True), ("10", False)):
        assert (await estimate(shop, key, amount=amount)).json()["creator_may_approve"] is may


async def test_every_bad_field(shop: Shop) -> None:
    """Method and amount cannot be estimated around."""
    _, key = await shop.merchant_and_key()
    for change, pointer in (
        ({"payment_method": "ETH-MAINNET"}, "/payment_method"),
        ({"amount": "0"}, "/amount"),
        ({"amount": "0.0000001"}, "/amount"),
        ({"destination": ""}, "/destination"),
        ({"require_answer": "yes"}, "/require_answer"),
        ({"fee": "0"}, "/fee"),
    ):
        answer = await estimate(shop, key, **change)
        assert answer.status_code == 422, change
        assert answer.json()["errors"][0]["pointer"] == pointer


async def test_what_a_customers_balance_would_pay(shop: Shop) -> None:
    """The body of a withdrawal as it is: the customer's money is what there is, not the merchant's."""
    merchant, key = await shop.merchant_and_key()
    await shop.fund(merchant, "ETH-ETHEREUM", 10**19)
    member = await rich(shop, key, 10**18)
    body: dict[str, Any] = {
        "payment_method": "ETH-ETHEREUM", "destination": OUTSIDE, "customer_id": member,
        "reference": "r1", "metadata": {"a": "b"},
    }  # fmt: skip
    for amount, enough in (("1.000000000000000001", False), ("1", True)):
        told = (await estimate(shop, key, amount=amount, **body)).json()
        assert (told["available"], told["sufficient"], told["customer_id"]) == (
            "1.000000000000000000",
            enough,
            member,
        )
        asked = await ask(shop, key, amount=amount, **body)
        assert asked.status_code == (201 if enough else 422), asked.text
    alone = (await estimate(shop, key, payment_method="ETH-ETHEREUM")).json()
    assert (alone["available"], alone["customer_id"]) == ("10.000000000000000000", None)


async def test_an_estimate_refuses_what_a_withdrawal_refuses(shop: Shop) -> None:
    """Somebody else's customer, and a reference that is used, in the same words."""
    merchant, key = await shop.merchant_and_key()
    await shop.fund(merchant, "USDC-ETHEREUM", 10**9)
    _, other = await shop.merchant_and_key()
    theirs = await customer(shop, other)
    assert (await ask(shop, key, reference="used")).status_code == 201
    for change in ({"customer_id": theirs}, {"customer_id": "cus_x"}, {"reference": "used"}):
        told = (await estimate(shop, key, destination=OUTSIDE, **change)).json()
        refused = (await ask(shop, key, **change)).json()
        for own in ("instance", "request_id"):
            del told[own], refused[own]
        assert told == refused, change
