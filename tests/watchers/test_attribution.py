"""Whose a deposit is: wrong asset, too small, nobody's address, and what becomes of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from gateway.db import CROSS_TENANT
from gateway.deposits.announcements import DEPOSITS_TOLD
from gateway.deposits.attribution import purpose
from tests.conftest import FreshDatabase
from tests.fakes.chain import Move
from tests.watchers.world import DUE_UNITS, ETH, USDC, World, world

pytestmark = pytest.mark.anyio
MINIMUM = DUE_UNITS // 10


async def not_payable_in(w: World, currency: str) -> None:
    """Make the invoice one that does not take this currency."""
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(
            text("DELETE FROM payment_option WHERE currency_id = :id"), {"id": currency}
        )


async def test_case_71_a_listed_asset_that_the_invoice_does_not_take(
    database: FreshDatabase,
) -> None:
    """It is `wrong_asset`: a row, in suspense, and the invoice stays as it is."""
    async with world(database) as w:
        await not_payable_in(w, USDC)
        await w.pay(w.assigned, 3000 * 10**6, w.chain.token)
        [deposit] = await w.deposits()
        assert (deposit.purpose, deposit.reason, deposit.status) == (
            "unattributed",
            "wrong_asset",
            "confirmed",
        )
        assert (deposit.merchant_id, deposit.invoice_id) == (None, None)
        assert await w.wallet("suspense", USDC) == (3000 * 10**6, 0)
        assert await w.wallet("mer_1", USDC) == (0, 0)
        assert (await w.invoice()).status == "pending"
        assert await w.events() == []
        assert await w.events(deposit.id) == ["deposit.unmatched"]


async def test_case_71_a_payment_before_any_assignment_is_nobodys(
    database: FreshDatabase,
) -> None:
    """Seen because the whole pool is watched; credited to suspense; later sightings keep it so."""
    async with world(database) as w:
        await w.pay(w.free, DUE_UNITS)
        [deposit] = await w.deposits()
        assert (deposit.reason, deposit.merchant_id) == ("address_not_assigned", None)
        assert await w.wallet("suspense") == (DUE_UNITS, 0)


async def test_case_71_late_over_under_and_second_payments_are_all_credited(
    database: FreshDatabase,
) -> None:
    """Under, then the rest and more, then once again: three rows, every unit the merchant's."""
    async with world(database, expires_at=datetime.now(UTC) + timedelta(hours=1)) as w:
        for share in (4, 8, 5):
            await w.pay(w.assigned, DUE_UNITS * share // 10)
        assert len(await w.deposits()) == 3
        assert await w.wallet("mer_1") == (DUE_UNITS * 17 // 10, 0)
        invoice = await w.invoice()
        assert (invoice.status, invoice.exception) == ("settled", "paid_over")
        events = await w.events()
        assert "invoice.partially_paid" in events
        assert "invoice.overpaid" in events


async def test_case_71_a_payment_after_expiry_is_late_and_credited(
    database: FreshDatabase,
) -> None:
    """The row says `late`, the money is the merchant's, the invoice does not settle without a price."""
    async with world(database) as w:
        invoice = await w.invoice()
        past = invoice.created_at - timedelta(seconds=1)
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(text("UPDATE invoice SET expires_at = :at"), {"at": past})
        await w.pay(w.assigned, DUE_UNITS)
        [deposit] = await w.deposits()
        assert (deposit.late, deposit.invoice_id) == (True, "inv_1")
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)


async def test_case_08_dust_waits_until_the_total_reaches_the_minimum(
    database: FreshDatabase,
) -> None:
    """Two payments of 0.6 of the minimum: the first is in suspense, the second brings both in."""
    async with world(database, minimum=MINIMUM) as w:
        small = MINIMUM * 6 // 10
        await w.pay(w.assigned, small)
        [first] = await w.deposits()
        assert (first.reason, first.status) == ("below_minimum", "confirmed")
        assert await w.wallet("suspense") == (small, 0)
        assert await w.events() == []
        await w.pay(w.assigned, small, final=False)
        assert [d.invoice_id for d in await w.deposits()] == ["inv_1", "inv_1"]
        assert (await w.invoice()).exception == "paid_partial"
        assert await w.wallet("mer_1") == (0, 0), "nothing is credited before finality"
        await w.chain.mine(w.chain.final_lag)
        await w.scan()
        assert await w.wallet("mer_1") == (2 * small, 0)
        assert await w.wallet("suspense") == (0, 0)
        assert [kind for kind, _ in await w.journals()] == ["deposit", "assign", "deposit"]
        assert await w.sum_is_zero()


async def test_case_08_dust_whose_complement_is_orphaned_steps_back(
    database: FreshDatabase,
) -> None:
    """The first was final and in suspense: it stays there, and is nobody's again."""
    async with world(database, minimum=MINIMUM) as w:
        small = MINIMUM * 6 // 10
        await w.pay(w.assigned, small)
        w.chain.final_lag = 5
        await w.pay(w.assigned, small, final=False)
        assert (await w.deposits())[0].invoice_id == "inv_1"
        w.chain.fork(1, keep=[])
        await w.chain.mine(7)
        for _ in range(2):
            await w.scan()
        first, second = await w.deposits()
        assert (first.invoice_id, first.reason) == (None, "below_minimum")
        assert second.status == "reorged"
        assert await w.wallet("suspense") == (small, 0)
        assert await w.wallet("mer_1") == (0, 0)
        assert (await w.invoice()).exception == "none"


async def test_case_08_two_pieces_that_become_final_apart(database: FreshDatabase) -> None:
    """The first is final a block before the second: it waits in suspense, its invoice does not flicker."""
    async with world(database, minimum=DUE_UNITS) as w:
        half = DUE_UNITS // 2
        await w.chain.pay(w.assigned, half)
        await w.chain.pay(w.assigned, half)
        await w.scan()
        assert (await w.invoice()).status == "processing"
        await w.chain.mine()
        await w.scan()
        assert await w.wallet("suspense") == (half, 0)
        assert (await w.invoice()).status == "processing"
        await w.chain.mine()
        await w.scan()
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        assert (await w.invoice()).status == "settled"
        assert "invoice.invalid" not in await w.events()


async def test_case_77_a_flood_of_dust_is_rows_and_no_webhooks(
    database: FreshDatabase,
) -> None:
    """Hundreds of transfers below the minimum: every unit has its row, nobody is told."""
    async with world(database, minimum=MINIMUM) as w:
        w.chain.submit([Move(w.assigned, 1)] * 300)
        w.chain.submit([Move(w.free, 1)] * 300)
        await w.chain.mine(1 + w.chain.final_lag)
        await w.scan()
        deposits = await w.deposits()
        assert len(deposits) == 600
        assert {d.reason for d in deposits} == {"below_minimum", "address_not_assigned"}
        assert await w.wallet("suspense") == (600, 0)
        assert await w.events() == []


async def test_case_77_a_flood_above_the_minimum_is_told_by_the_invoice(
    database: FreshDatabase,
) -> None:
    """Some deposits are told one by one, the rest in the events of their invoice; all are credited."""
    async with world(database) as w:
        w.chain.submit([Move(w.assigned, 1)] * (DEPOSITS_TOLD + 30))
        await w.chain.mine(1 + w.chain.final_lag)
        await w.scan()
        told = [d for d in await w.deposits() if await w.events(d.id)]
        assert len(told) == DEPOSITS_TOLD
        assert await w.events(told[0].id) == ["deposit.detected", "deposit.confirmed"]
        assert await w.wallet("mer_1") == (DEPOSITS_TOLD + 30, 0)


async def test_a_big_payment_brings_earlier_dust_with_it(database: FreshDatabase) -> None:
    """Whatever stands at the address counts once the total does."""
    async with world(database, minimum=MINIMUM) as w:
        await w.pay(w.assigned, 1)
        await w.pay(w.assigned, DUE_UNITS - 1)
        assert await w.wallet("mer_1", ETH) == (DUE_UNITS, 0)
        assert (await w.invoice()).status == "settled"


def test_the_first_reason_that_applies_is_named() -> None:
    """An address that the keystore did not sign is worse than one that nobody was shown."""
    facts: dict[str, Any] = {"capital": False, "genuine": True, "assigned": True}
    facts["accepted"] = True
    assert purpose(**facts, small=False) == ("invoice", None)
    assert purpose(**facts, small=False, theirs="customer") == ("customer", None)
    assert purpose(**facts, small=True) == ("unattributed", "below_minimum")
    facts["accepted"] = False
    assert purpose(**facts, small=True) == ("unattributed", "wrong_asset")
    facts["assigned"] = False
    assert purpose(**facts, small=True) == ("unattributed", "address_not_assigned")
    facts["genuine"] = False
    assert purpose(**facts, small=True) == ("unattributed", "address_unverified")
    facts["capital"] = True
    assert purpose(**facts, small=True) == ("capital", None)
