"""How others lose or misdirect money between a transaction and an invoice, played again here."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from gateway.db import CROSS_TENANT
from tests.conftest import FreshDatabase
from tests.fakes.chain import Move
from tests.gateway.shop import Shop
from tests.watchers.world import DUE_UNITS, World, world

pytestmark = pytest.mark.anyio
LATER = datetime.now(UTC) + timedelta(hours=1)


async def second_invoice(w: World) -> str:
    """Give the free address to a second invoice just like the first; return the address."""
    statements = (
        "CREATE TEMP TABLE copy ON COMMIT DROP AS SELECT * FROM invoice WHERE id = 'inv_1'",
        "UPDATE copy SET id = 'inv_2'",
        "INSERT INTO invoice SELECT * FROM copy",
        "CREATE TEMP TABLE options ON COMMIT DROP AS SELECT * FROM payment_option",
        "UPDATE options SET invoice_id = 'inv_2', address = :free",
        "INSERT INTO payment_option SELECT * FROM options",
        """UPDATE address_pool SET status = 'ASSIGNED', invoice_id = 'inv_2', merchant_id = 'mer_1'
           WHERE address = :free""",
        "DELETE FROM free_address",
    )
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        for statement in statements:
            await session.execute(
                text(statement), {"free": w.free} if ":free" in statement else {}
            )
    return w.free


async def landed(w: World, *moves: Move) -> str:
    """Send one transaction with these transfers and let it become final."""
    tx_hash = w.chain.submit(moves)
    await w.chain.mine(1 + w.chain.final_lag)
    await w.scan()
    return tx_hash


async def test_peer_m1_two_transfers_to_one_address_in_one_transaction_both_count(
    database: FreshDatabase,
) -> None:
    """SHKeeper takes the second for a duplicate: PARTIAL 50, 50 lost."""
    async with world(database, expires_at=LATER) as w:
        half = Move(w.assigned, DUE_UNITS // 2)
        await landed(w, half, half)
        assert len(await w.deposits()) == 2
        assert (await w.invoice()).status == "settled"
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)


async def test_peer_m2_an_address_without_invoice_first_hides_no_invoice(
    database: FreshDatabase,
) -> None:
    """SHKeeper answers success at the first address and credits nobody: 100 lost, on retry too."""
    async with world(database, expires_at=LATER) as w:
        await landed(w, Move(w.free, 5), Move(w.assigned, DUE_UNITS))
        nobodys, paid = sorted(await w.deposits(), key=lambda deposit: deposit.ordinal)
        assert (nobodys.invoice_id, nobodys.reason) == (None, "address_not_assigned")
        assert paid.invoice_id == "inv_1"
        assert (await w.invoice()).status == "settled"
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        assert await w.wallet("suspense") == (5, 0)


async def test_peer_m3_seen_is_not_paid_and_what_vanishes_is_not_paid_for_ever(
    database: FreshDatabase,
) -> None:
    """SHKeeper says PAID at the first confirmation, and still when the transaction is gone."""
    async with world(database, expires_at=LATER, confirmations=3) as w:
        w.chain.final_lag = 20
        await w.pay(w.assigned, DUE_UNITS, final=False)
        assert (await w.invoice()).status == "processing"
        await w.chain.mine()
        await w.scan()
        assert (await w.invoice()).status == "processing"
        w.chain.fork(2, keep=[])
        await w.chain.mine()
        for _ in range(2):
            await w.scan()
        invoice = await w.invoice()
        assert (invoice.status, invoice.paid_at is None) == ("pending", False)
        assert await w.wallet("mer_1") == (0, 0)


async def test_peer_m7_an_order_created_again_leaves_the_paid_invoice_alone(shop: Shop) -> None:
    """SHKeeper: the paid invoice takes the new amount, 500, and stays PAID with 100."""
    _, key = await shop.merchant_and_key()
    body = {
        "amount": "100.00",
        "currency": "USD",
        "order_id": "1",
        "payment_methods": ["USDT-TRON"],
    }
    headers = {"Idempotency-Key": "order-1"}
    first = (await shop.call("POST", "/v1/invoices", key, json=body, headers=headers)).json()
    [option] = first["payment_options"]
    await shop.pay(option["address"], "USDT-TRON", 100 * 10**6, final=True)
    more = {**body, "amount": "500.00"}
    same = await shop.call("POST", "/v1/invoices", key, json=more, headers=headers)
    assert same.status_code == 422
    again = (await shop.call("POST", "/v1/invoices", key, json=more)).json()
    assert again["id"] != first["id"]
    assert (again["status"], again["amount_paid"]) == ("pending", "0.00")
    assert again["payment_options"][0]["address"] != option["address"]
    kept = (await shop.call("GET", f"/v1/invoices/{first['id']}", key)).json()
    assert (kept["status"], kept["amount"]) == ("settled", first["amount"])
    changed = await shop.call("PATCH", f"/v1/invoices/{first['id']}", key, json=more)
    assert changed.status_code == 422


async def test_peer_b4_one_payer_with_two_open_invoices_pays_the_one_he_pays(
    database: FreshDatabase,
) -> None:
    """Bitcart matches by the payer's address: the payment goes to the newer invoice."""
    async with world(database, expires_at=LATER) as w:
        await second_invoice(w)
        await w.pay(w.assigned, DUE_UNITS)
        assert (await w.invoice("inv_1")).status == "settled"
        assert (await w.invoice("inv_2")).status == "pending"
        await w.pay(w.free, DUE_UNITS)
        assert (await w.invoice("inv_2")).status == "settled"


async def test_peer_b5_the_second_transfer_of_a_transaction_counts(
    database: FreshDatabase,
) -> None:
    """Bitcart ignores it: 0.5 is missing."""
    async with world(database, expires_at=LATER) as w:
        await landed(w, Move(w.assigned, DUE_UNITS // 2), Move(w.assigned, DUE_UNITS // 4))
        assert await w.wallet("mer_1") == (DUE_UNITS * 3 // 4, 0)
        assert (await w.invoice()).exception == "paid_partial"


async def test_peer_b6_a_payment_after_expiry_is_the_merchants(database: FreshDatabase) -> None:
    """Bitcart ignores it; here it is credited and called late."""
    async with world(database) as w:
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                text("UPDATE invoice SET expires_at = created_at - interval '1 second'")
            )
        await w.pay(w.assigned, DUE_UNITS)
        [deposit] = await w.deposits()
        assert (deposit.invoice_id, deposit.late) == ("inv_1", True)
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)


async def test_peer_oxygen_a_partial_second_payment_completes_the_invoice(
    database: FreshDatabase,
) -> None:
    """Oxygen calls it unexpected and credits its own system merchant."""
    async with world(database, expires_at=LATER) as w:
        await w.pay(w.assigned, DUE_UNITS * 3 // 5)
        await w.pay(w.assigned, DUE_UNITS * 2 // 5)
        assert (await w.invoice()).status == "settled"
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        assert await w.wallet("suspense") == (0, 0)


async def test_peer_plugin_log_index_two_transfers_of_one_transaction_pay_two_invoices(
    database: FreshDatabase,
) -> None:
    """The USDt plugin names payments by transaction index: one of the two is lost."""
    async with world(database, expires_at=LATER) as w:
        other = await second_invoice(w)
        token, due = w.chain.token, 3000 * 10**6
        tx_hash = await landed(w, Move(w.assigned, due, token), Move(other, due, token))
        assert {(d.tx_hash, d.ordinal) for d in await w.deposits()} == {
            (tx_hash, 0),
            (tx_hash, 1),
        }
        for invoice_id in ("inv_1", "inv_2"):
            assert (await w.invoice(invoice_id)).status == "settled"


async def test_peer_pool_reuse_late_money_of_one_invoice_never_pays_another(
    database: FreshDatabase,
) -> None:
    """The USDt plugin shows a freed address to the next customer: the first one's money pays it."""
    async with world(database) as w:
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                text(
                    "UPDATE invoice SET status = 'expired', final = true,"
                    " expires_at = created_at - interval '1 second',"
                    " monitoring_until = created_at"
                )
            )
        await second_invoice(w)
        await w.pay(w.assigned, DUE_UNITS)
        [deposit] = await w.deposits()
        assert (deposit.invoice_id, deposit.late) == ("inv_1", True)
        assert (await w.invoice("inv_2")).status == "expired"
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            claim = text("SELECT count(*) FROM claim_address('ethereum', 'inv_3', now())")
            assert await session.scalar(claim) == 0, "a used address is never offered again"
