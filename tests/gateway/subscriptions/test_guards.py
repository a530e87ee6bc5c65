"""What the database refuses of payment options, whoever took over the worker or the API."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.db import CROSS_TENANT, Database
from tests.gateway.customers.conftest import address, customer
from tests.gateway.subscriptions.conftest import Club

pytestmark = pytest.mark.anyio
ETH = "ETH-ETHEREUM"

_ADD = """
INSERT INTO payment_option (invoice_id, currency_id, merchant_id, network_id, amount_units, rate,
    rate_source, rate_at, address)
VALUES (:invoice, 'USDC-ETHEREUM', :merchant, 'ethereum', 1, 1, 'x', now(), :address)
"""


async def does(database: Database, tenant: str | None, statement: str, **values: Any) -> None:
    """Run one statement as a role that was taken over."""
    async with database.unit_of_work(tenant) as session:
        await session.execute(text(statement), values)


async def test_nobody_pays_to_an_address_that_is_not_the_invoices(club: Club) -> None:
    """A genuine address of somebody else's is refused to the worker and to the API."""
    thief, stolen = await club.shop.merchant_and_key()
    theirs = (await address(club.shop, stolen, await customer(club.shop, stolen))).lower()
    invoice = await club.shop.invoice(club.key, payment_methods=[ETH])
    shown = await club.shop.rows(
        "SELECT address, address_index, address_path, address_signature FROM payment_option"
        " WHERE invoice_id = :id",
        id=invoice["id"],
    )
    set_to = "UPDATE payment_option SET address = :address WHERE invoice_id = :invoice"
    for database, tenant in ((club.worker, CROSS_TENANT), (club.shop.database, club.merchant)):
        with pytest.raises(DBAPIError, match=r"not its invoice's|permission denied"):
            await does(database, tenant, set_to, address=theirs, invoice=invoice["id"])
    await does(
        club.shop.database,
        club.merchant,
        set_to,
        address=shown[0].address,
        invoice=invoice["id"],
    )
    added = {"invoice": invoice["id"], "merchant": club.merchant}
    with pytest.raises(DBAPIError, match="not its invoice's"):
        await does(club.shop.database, club.merchant, _ADD, address=theirs, **added)
    assert thief != club.merchant
    assert shown == await club.shop.rows(
        "SELECT address, address_index, address_path, address_signature FROM payment_option"
        " WHERE invoice_id = :id",
        id=invoice["id"],
    )


async def test_the_worker_adds_no_way_to_pay_to_somebody_elses_invoice(club: Club) -> None:
    """An option for a unit would settle any invoice of the house; only bills may have new ones."""
    invoice = await club.shop.invoice(club.key, payment_methods=[ETH])
    added = {"invoice": invoice["id"], "merchant": club.merchant, "address": None}
    with pytest.raises(DBAPIError, match="no bill"):
        await does(club.worker, CROSS_TENANT, _ADD, **added)
    await club.subscribe(await club.package())
    await club.bill()
    assert len(await club.shop.rows("SELECT id FROM invoice")) == 2


async def test_an_address_is_claimed_for_an_invoice_of_ones_own(club: Club) -> None:
    """Whoever claimed one for another's invoice would settle it with a payment to himself."""
    thief, _ = await club.shop.merchant_and_key()
    invoice = await club.shop.invoice(club.key, payment_methods=[ETH])
    claim = "SELECT claim_address('ethereum', :invoice, now())"
    for database in (club.shop.database, club.worker):
        with pytest.raises(DBAPIError, match="another merchant's"):
            await does(database, thief, claim, invoice=invoice["id"])
    await does(club.shop.database, club.merchant, claim, invoice=invoice["id"])


async def test_who_may_not_move_money_has_no_balance_charged(club: Club) -> None:
    """Charging a customer's balance needs the scope of transfers, by a subscription as well."""
    package = await club.package()
    everything, club.key = club.key, await club.shop.key(club.merchant, ["subscriptions:write"])
    body: dict[str, Any] = {"customer_id": club.member, "package_id": package}
    refused = await club.post("/subscriptions", 403, **body, auto_charge=ETH)
    assert "transfers:create" in refused["detail"]
    mine = (await club.post("/subscriptions", **body))["id"]
    await club.post(f"/subscriptions/{mine}/cancel", 200)
    club.key = everything
    mine = (await club.post("/subscriptions", **body, auto_charge=ETH))["id"]
    dear = await club.package(price="9999")
    club.key = await club.shop.key(club.merchant, ["subscriptions:write"])
    await club.post(f"/subscriptions/{mine}/change_plan", 403, package_id=dear)


async def test_a_price_that_no_invoice_can_carry_is_refused(club: Club) -> None:
    """As an invoice of that amount would be, and not later, by the worker or the database."""
    body = {"name": "Gold", "price": f"1{'0' * 20}", "currency": "USD", "period": "month"}
    answer = await club.shop.call("POST", "/v1/packages", club.key, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_amount"), answer.text
