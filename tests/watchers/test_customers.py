"""Money that comes to a customer's permanent address, on a chain that may change its mind."""

import pytest
from sqlalchemy import event, select, text

from gateway.db import CROSS_TENANT, Database
from gateway.deposits.announcements import DEPOSITS_TOLD
from gateway.models import Stray
from tests.conftest import FreshDatabase
from tests.fakes.chain import JUNK, Move
from tests.watchers.customer_world import CUSTOMER, customer_world, resign
from tests.watchers.explaining import explained
from tests.watchers.world import DUE_UNITS, ETH, NETWORK, USDC, World
from watchers.reconcile import books

pytestmark = pytest.mark.anyio
MINIMUM = DUE_UNITS // 10


async def test_it_is_credited_at_finality_without_an_invoice(database: FreshDatabase) -> None:
    """Every listed asset of the network, again and again; the books and the identity hold."""
    async with customer_world(database) as made:
        w = made.w
        await w.pay(made.home, DUE_UNITS, final=False)
        [seen] = await w.deposits()
        assert (seen.purpose, seen.customer_id, seen.merchant_id, seen.invoice_id) == (
            "customer",
            CUSTOMER,
            "mer_1",
            None,
        )
        assert await w.wallet(CUSTOMER) == (0, 0), "nothing is credited before finality"
        await w.chain.mine(w.chain.final_lag)
        await w.scan()
        await w.pay(made.home, 5, w.chain.token)
        await w.pay(made.home, 7)
        await w.pay(w.assigned, 11)
        assert await w.wallet(CUSTOMER) == (DUE_UNITS + 7, 0)
        assert await w.wallet(CUSTOMER, USDC) == (5, 0)
        assert await w.wallet("mer_1") == (11, 0)
        assert await w.events(seen.id) == ["deposit.detected", "deposit.confirmed"]
        assert await w.events(f"{CUSTOMER}:{ETH}") == ["customer.balance_changed"] * 2
        assert await w.sum_is_zero()
        assert await w.wallet("custody") == (-(DUE_UNITS + 18), 0)
        assert await _identity_holds(w)


async def test_an_orphaned_payment_is_taken_back_and_counted_once_again(
    database: FreshDatabase,
) -> None:
    """Pending, reorged, pending in another block, credited once."""
    async with customer_world(database) as made:
        w = made.w
        w.chain.final_lag = 5
        await w.pay(made.home, DUE_UNITS, final=False)
        kept = w.chain.blocks[-1].transactions
        w.chain.fork(1, keep=[])
        await w.chain.mine(2)
        for _ in range(2):
            await w.scan()
        [deposit] = await w.deposits()
        assert (deposit.status, deposit.customer_id) == ("reorged", CUSTOMER)
        assert await w.wallet(CUSTOMER) == (0, 0)
        assert kept
        w.chain.submit([Move(made.home, 3)])
        await w.chain.mine(8)
        await w.scan()
        assert await w.wallet(CUSTOMER) == (3, 0)
        assert await w.events(deposit.id) == ["deposit.detected", "deposit.reorged"]
        await w.restart()
        await w.scan()
        assert await w.wallet(CUSTOMER) == (3, 0)


async def test_dust_waits_in_suspense_until_the_total_reaches_the_minimum(
    database: FreshDatabase,
) -> None:
    """It is at the desk until then, and the customer's afterwards; nobody is told of dust."""
    async with customer_world(database, minimum=MINIMUM) as made:
        w = made.w
        small = MINIMUM * 6 // 10
        tx = await w.pay(made.home, small)
        [first] = await w.deposits()
        assert (first.purpose, first.reason) == ("unattributed", "below_minimum")
        assert (await w.wallet("suspense"), await w.wallet(CUSTOMER)) == ((small, 0), (0, 0))
        found = await explained(w, tx, "mer_1")
        assert (found["verdict"], found["answers"]["customer"]) == ("unattributed", "no")
        assert "below the minimum" in found["reason"]
        await w.pay(made.home, small)
        assert {each.customer_id for each in await w.deposits()} == {CUSTOMER}
        assert await w.wallet(CUSTOMER) == (2 * small, 0)
        assert await w.wallet("suspense") == (0, 0)
        assert await w.wallet("mer_1") == (0, 0)
        assert await w.events(f"{CUSTOMER}:{ETH}") == ["customer.balance_changed"]
        assert await w.sum_is_zero()


async def test_two_pieces_that_become_final_apart(database: FreshDatabase) -> None:
    """The first is final a block before the second: it waits in suspense, and goes on from there."""
    async with customer_world(database, minimum=DUE_UNITS) as made:
        w, half = made.w, DUE_UNITS // 2
        await w.chain.pay(made.home, half)
        await w.chain.pay(made.home, half)
        await w.scan()
        assert {each.customer_id for each in await w.deposits()} == {CUSTOMER}
        await w.chain.mine()
        await w.scan()
        assert (await w.wallet("suspense"), await w.wallet(CUSTOMER)) == ((half, 0), (0, 0))
        await w.chain.mine()
        await w.scan()
        assert (await w.wallet("suspense"), await w.wallet(CUSTOMER)) == (
            (0, 0),
            (DUE_UNITS, 0),
        )


async def test_dust_whose_complement_is_orphaned_steps_back(database: FreshDatabase) -> None:
    """The first was final and in suspense: it is nobody's again."""
    async with customer_world(database, minimum=MINIMUM) as made:
        w = made.w
        small = MINIMUM * 6 // 10
        await w.pay(made.home, small)
        w.chain.final_lag = 5
        await w.pay(made.home, small, final=False)
        assert (await w.deposits())[0].customer_id == CUSTOMER
        w.chain.fork(1, keep=[])
        await w.chain.mine(7)
        for _ in range(2):
            await w.scan()
        first, second = await w.deposits()
        assert (first.customer_id, first.merchant_id, first.reason) == (
            None,
            None,
            "below_minimum",
        )
        assert second.status == "reorged"
        assert (await w.wallet("suspense"), await w.wallet(CUSTOMER)) == ((small, 0), (0, 0))


async def test_the_wrong_token_and_an_address_not_signed_go_to_the_desk(
    database: FreshDatabase,
) -> None:
    """An unlisted token is a stray; what comes to a row edited by hand is nobody's."""
    async with customer_world(database) as made:
        w = made.w
        tx = await w.pay(made.home, 9, JUNK)
        assert await w.deposits() == []
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            stray = await session.get_one(Stray, await _stray_id(w))
        assert (stray.address, stray.reason) == (made.home, "asset_not_listed")
        found = await explained(w, tx, "mer_1")
        assert found["answers"]["asset_listed"] == found["answers"]["customer"] == "no"
        await resign(made)
        await w.pay(made.home, DUE_UNITS)
        [deposit] = await w.deposits()
        assert (deposit.reason, deposit.customer_id) == ("address_unverified", None)
        assert (await w.wallet("suspense"), await w.wallet(CUSTOMER)) == (
            (DUE_UNITS, 0),
            (0, 0),
        )


async def test_the_explanation_names_the_customers_gate(database: FreshDatabase) -> None:
    """To its merchant and to nobody else."""
    async with customer_world(database) as made:
        w = made.w
        tx = await w.pay(made.home, DUE_UNITS)
        found = await explained(w, tx, "mer_1")
        assert (found["verdict"], found["reason"]) == ("credited", "every gate is open")
        [gate] = [gate for gate in found["gates"] if gate["gate"] == "customer"]
        assert (gate["answer"], gate["evidence"]["customer_id"]) == ("yes", CUSTOMER)
        stranger = await explained(w, tx, "mer_2")
        assert CUSTOMER not in str(stranger)
        w.chain.submit([Move(made.home, 1)])
        await w.chain.mine()
        waiting = w.chain.blocks[-1].transactions[0][0].tx_hash
        found = await explained(w, waiting, "mer_1")
        assert (found["answers"]["scanned"], found["answers"]["customer"]) == ("no", "unknown")


async def test_a_flood_is_told_by_the_balance_and_a_new_day_is_told_again(
    database: FreshDatabase,
) -> None:
    """Some deposits are told one by one, all are credited; the ration is a day's, not a life's."""
    async with customer_world(database) as made:
        w = made.w
        w.chain.submit([Move(made.home, 1)] * (DEPOSITS_TOLD + 10))
        await w.chain.mine(1 + w.chain.final_lag)
        await w.scan()
        told = [each for each in await w.deposits() if await w.events(each.id)]
        assert len(told) == DEPOSITS_TOLD
        assert await w.wallet(CUSTOMER) == (DEPOSITS_TOLD + 10, 0)
        assert await w.events(f"{CUSTOMER}:{ETH}") == ["customer.balance_changed"]
        await _age(w.owner)
        await w.pay(made.home, 2)
        assert await w.events((await w.deposits())[-1].id) != []


async def test_the_reconciler_looks_at_a_permanent_address_before_anything_came(
    database: FreshDatabase,
) -> None:
    """Money that came inside a contract call is found there, as at an invoice's address."""
    async with customer_world(database) as made:
        async with made.w.database.unit_of_work(CROSS_TENANT) as session:
            found = await books.live_addresses(session, NETWORK, 0, 100)
        assert made.home in {address for _, address in found}
        assert made.w.free not in {address for _, address in found}


async def test_customers_cost_the_way_of_an_invoices_payment_nothing(
    database: FreshDatabase,
) -> None:
    """A payment of an invoice asks the database as often as it did before there were customers."""
    async with customer_world(database) as made:
        w = made.w
        await w.pay(w.assigned, 1)
        asked: list[str] = []

        def note(*arguments: object) -> None:
            asked.append(str(arguments[2]))

        engine = w.database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", note)
        await w.pay(w.assigned, 1)
        event.remove(engine, "before_cursor_execute", note)
        assert not [
            each for each in asked if "FROM customer" in each or "balance_changed" in each
        ]


async def _identity_holds(w: World) -> bool:
    async with w.database.unit_of_work(CROSS_TENANT) as session:
        currencies = w.scanner.currencies
        totals = await books.totals(
            session, NETWORK, currencies, w.chain.head, fee_is_alone=False
        )
    return all(expected == owed for expected, owed in totals.values())


async def _stray_id(w: World) -> str:
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        return str((await session.scalars(select(Stray.id))).one())


async def _age(owner: Database) -> None:
    async with owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(
            text("UPDATE deposit SET detected_at = detected_at - interval '2 days'")
        )
