"""One description of an invoice: lists, single answers, events and exports say the same of it."""

from decimal import Decimal
from fractions import Fraction
from operator import itemgetter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select

from gateway.domain.money import rounded, rounded_down
from gateway.invoices.documents import STANDING, Option
from gateway.invoices.paid import paid_of
from gateway.invoices.rows import DEPOSITS, TIMELINE
from gateway.models import (
    Currency,
    Deposit,
    Invoice,
    InvoiceTimeline,
    Network,
    PaymentOption,
)
from tests.gateway.shop import PRICES, Shop, pool_address

pytestmark = pytest.mark.anyio
USDC = "USDC-ETHEREUM"
TAXED = (
    "INSERT INTO merchant_settings (merchant_id, tax_rate, tax_label, updated_at) "
    "VALUES (:merchant_id, 7.7, 'VAT', now())"
)


async def _paid(shop: Shop, key: str, units: int, method: str = USDC, **fields: Any) -> Any:
    invoice = await shop.invoice(key, payment_methods=[method], **fields)
    [option] = invoice["payment_options"]
    await shop.pay(option["address"], method, units, tx=f"tx{units}", final=True)
    return invoice


async def _every_kind(shop: Shop, merchant_id: str, key: str) -> None:
    """Make invoices: new, with a new rate, paid in part, refunded, overpaid, taxed, without amount."""
    await shop.invoice(key, order_id="new", metadata={"a": "b"}, description="d")
    fresh = await shop.invoice(key, payment_methods=["ETH-ETHEREUM"])
    await shop.prices({**PRICES, "ETH": Decimal(5000)})
    answer = await shop.call("POST", f"/v1/invoices/{fresh['id']}/refresh_rate", key)
    assert answer.status_code == 200, answer.text
    await _paid(shop, key, 7)
    await _paid(shop, key, 99_999_999)
    await _paid(shop, key, 12_345_678, "USDT-TRON", amount=None, currency="EUR")
    whole = await _paid(shop, key, 49_900_000)
    await shop.fund(merchant_id, USDC, 10**6)  # the fee
    body = {"kind": "full", "destination": pool_address("ethereum", 500), "reason": "back"}
    answer = await shop.call(
        "POST",
        f"/v1/invoices/{whole['id']}/refunds",
        key,
        json=body,
        headers={"Idempotency-Key": "once"},
    )
    assert answer.status_code == 201, answer.text
    await shop.run(TAXED, merchant_id=merchant_id)
    await shop.invoice(key)


async def test_an_invoice_is_described_alike_everywhere(shop: Shop) -> None:
    """In lists with and without deposits, alone, in the export and in its last event."""
    merchant_id, key = await shop.merchant_and_key()
    await _every_kind(shop, merchant_id, key)
    plain = (await shop.call("GET", "/v1/invoices", key)).json()["data"]
    expanded = (await shop.call("GET", "/v1/invoices?expand[]=deposits", key)).json()["data"]
    export = (await shop.call("GET", "/v1/invoices/export?format=ndjson", key)).text
    assert [msgspec.json.decode(line) for line in export.splitlines()] == expanded
    assert len(plain) == 7
    for listed, more in zip(plain, expanded, strict=True):
        path = f"/v1/invoices/{listed['id']}"
        assert (await shop.call("GET", path, key)).json() == listed
        assert (await shop.call("GET", f"{path}?expand[]=deposits", key)).json() == more
        assert {**listed, "deposits": more["deposits"]} == more
        events = await shop.call("GET", f"/v1/events?subject={listed['id']}", key)
        if listed["refunds"]:
            continue  # an event tells of the invoice as it was before
        last = max(events.json()["data"], key=itemgetter("sequence"))
        assert last["data"]["object"] == listed, last["type"]
    assert {len(each["refunds"]) for each in plain} == {0, 1}
    assert {len(each["deposits"]) for each in expanded} == {0, 1}
    assert [each["tax"] is None for each in plain] == [False, *[True] * 6]
    assert max(len(o["rate_history"]) for i in plain for o in i["payment_options"]) == 1
    assert "9.87" in {each["amount_paid"] for each in plain}  # in EUR, at the price of receipt


async def test_a_longer_list_asks_no_more(shop: Shop) -> None:
    """The statements of a list are as many for one invoice as for all of them."""
    merchant_id, key = await shop.merchant_and_key()
    await _every_kind(shop, merchant_id, key)
    asked: list[str] = []

    def note(*heard: Any) -> None:
        asked.append(heard[2])

    event.listen(shop.database.engine.sync_engine, "before_cursor_execute", note)
    counts = []
    for limit in (1, 7):
        asked.clear()
        answer = await shop.call("GET", f"/v1/invoices?limit={limit}&expand[]=deposits", key)
        assert len(answer.json()["data"]) == limit
        counts.append(sum("payment_option o" in each or " r " in each for each in asked))
    event.remove(shop.database.engine.sync_engine, "before_cursor_execute", note)
    # Options, their methods, deposits, steps; for all of them rates and receipts too. Refunds are
    # in another form.
    assert counts == [4, 6]


async def test_a_list_that_was_shown_does_not_show_an_address_changed_since(shop: Shop) -> None:
    """What is remembered of a signature is remembered for that very row."""
    _, key = await shop.merchant_and_key()
    invoice = await shop.invoice(key, payment_methods=["ETH-ETHEREUM"])
    assert (await shop.call("GET", "/v1/invoices", key)).status_code == 200
    changed = "UPDATE payment_option SET address = :address WHERE invoice_id = :id"
    genuine = invoice["payment_options"][0]["address"].lower()
    for address, status in (("0x" + "66" * 20, 503), (genuine, 200)):
        await shop.run(changed, address=address, id=invoice["id"])
        answer = await shop.call("GET", "/v1/invoices", key)
        assert answer.status_code == status, answer.text


async def test_rows_for_reading_are_the_models_rows_and_see_what_is_pending(shop: Shop) -> None:
    """Every attribute is the entity's, in its type; nothing can be written to them."""
    _, key = await shop.merchant_and_key()
    invoice = await _paid(shop, key, 7)
    async with shop.watcher.unit_of_work(None) as session:
        entity = (await session.scalars(select(Deposit))).one()
        [row] = (await DEPOSITS.of(session, [invoice["id"]]))[invoice["id"]]
        for attribute in Deposit.__mapper__.column_attrs:
            mine, its = getattr(row, attribute.key), getattr(entity, attribute.key)
            assert (mine, type(mine)) == (its, type(its)), attribute.key
        with pytest.raises(AttributeError):
            row.status = "orphaned"
        steps = (await TIMELINE.of(session, [invoice["id"]]))[invoice["id"]]
        step = {"status": "pending", "exception": "none", "reason": "why", "at": shop.at()}
        session.add(
            InvoiceTimeline(
                invoice_id=invoice["id"], merchant_id=invoice["merchant_id"], **step
            )
        )
        after = (await TIMELINE.of(session, [invoice["id"]]))[invoice["id"]]
        assert [each.reason for each in after] == [*(each.reason for each in steps), "why"]
        assert await DEPOSITS.of(session, []) == {}


def _option(number: int, units: int) -> Option:
    currency = Currency(id=f"C{number}", decimals=6, network_id="n")
    return Option(PaymentOption(amount_units=units), currency, Network(id="n"))


@given(
    st.decimals(Decimal("0.01"), Decimal(10**12), places=2),
    st.lists(st.tuples(st.integers(1, 10**30), st.integers(0, 10**30)), min_size=1, max_size=3),
)
def test_what_was_paid_is_exact(amount: Decimal, options: list[tuple[int, int]]) -> None:
    """Whatever was paid in how many currencies: as fractions say, due up and the others down."""
    invoice = Invoice(amount=amount, currency="USD")
    made = [_option(number, whole) for number, (whole, _) in enumerate(options)]
    standing = [
        Deposit(currency_id=f"C{number}", units=units, status=STANDING[0])
        for number, (_, units) in enumerate(options)
        if units
    ]
    part = sum((Fraction(units, whole) for whole, units in options), Fraction(0))
    left, over = max(1 - part, Fraction(0)), max(part - 1, Fraction(0))
    found = paid_of(invoice, made, standing, [], [])
    assert found.remainder == left
    assert (found.amount, found.paid, found.due, found.over) == (
        f"{amount:.2f}",
        f"{rounded_down(Fraction(amount) * part, 2):f}",
        f"{rounded(Fraction(amount) * left, 2):f}",
        f"{rounded_down(Fraction(amount) * over, 2):f}",
    )
