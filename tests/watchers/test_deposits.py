"""Money in: what a block brings is recorded at once, credited at finality, and only once."""

from decimal import Decimal

import pytest
from sqlalchemy import delete, insert, update

from gateway.db import CROSS_TENANT
from gateway.domain.moment import Moment
from gateway.models import AddressPool, AssetHold, Cursor
from gateway.prices import service as prices
from tests.conftest import FreshDatabase
from tests.fakes.chain import GENESIS_TIME, Move
from tests.watchers.world import DUE_UNITS, ETH, NETWORK, USDC, currency_row, world
from watchers.clock import now
from watchers.network import Incomplete
from watchers.scan.reorg import FinalityBroken
from watchers.store import CatalogChanged, LeaseLost

pytestmark = pytest.mark.anyio


async def test_payment_is_seen_at_once_and_credited_only_when_final(
    database: FreshDatabase,
) -> None:
    """A deposit moves the invoice to processing; the balance waits for finality."""
    async with world(database) as w:
        await w.pay(w.assigned, DUE_UNITS, final=False)
        assert (await w.invoice()).status == "processing"
        assert await w.wallet("mer_1") == (0, 0)

        await w.chain.mine(2)
        await w.scan()

        assert (await w.invoice()).status == "settled"
        assert (await w.invoice()).final
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        assert await w.wallet("custody") == (-DUE_UNITS, 0)
        assert await w.events() == [
            "invoice.payment_detected",
            "invoice.processing",
            "invoice.payment_confirmed",
            "invoice.settled",
        ]


async def test_scanning_the_same_blocks_again_credits_nothing_twice(
    database: FreshDatabase,
) -> None:
    """A cursor set back (a restored database) finds the same identities and journals."""
    async with world(database) as w:
        await w.pay(w.assigned, DUE_UNITS)
        before = await w.journals()
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            start = w.chain.blocks[0].ref
            await session.execute(
                update(Cursor).values(height=start.height, hash=start.hash, final_height=0)
            )
        await w.restart()
        await w.scan()
        assert await w.journals() == before
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        assert len(await w.deposits()) == 1


async def test_partial_payments_in_two_currencies_add_up_to_the_whole(
    database: FreshDatabase,
) -> None:
    """Half in ETH leaves it partly paid; half in USDC on the same address settles it."""
    async with world(database) as w:
        await w.pay(w.assigned, DUE_UNITS // 2)
        first = await w.invoice()
        # The clock of this machine is past the expiry; the block of the payment was not.
        assert (first.status, first.exception) == ("expired", "paid_partial")
        await w.pay(w.assigned, 1500 * 10**6, w.chain.token)
        assert (await w.invoice()).status == "settled"
        assert await w.wallet("mer_1", ETH) == (DUE_UNITS // 2, 0)
        assert await w.wallet("mer_1", USDC) == (1500 * 10**6, 0)
        assert await w.sum_is_zero()


async def test_overpayment_is_credited_whole_and_named(database: FreshDatabase) -> None:
    """One unit more than asked settles the invoice as overpaid and loses nothing."""
    async with world(database) as w:
        await w.pay(w.assigned, DUE_UNITS + 1)
        invoice = await w.invoice()
        assert (invoice.status, invoice.exception) == ("settled", "paid_over")
        assert await w.wallet("mer_1") == (DUE_UNITS + 1, 0)


@pytest.mark.parametrize(("price", "status"), [(3000, "settled"), (2900, "expired")])
async def test_late_payment_settles_only_at_the_price_of_its_receipt(
    database: FreshDatabase, price: int, status: str
) -> None:
    """Late money is always credited; it settles where it still covers the amount."""
    async with world(database, expires_at=GENESIS_TIME) as w:
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            moment = Moment(GENESIS_TIME, bytes)
            await prices.record(session, {"ETH": Decimal(price)}, source="t", moment=moment)
        await w.pay(w.assigned, DUE_UNITS)
        invoice = await w.invoice()
        assert invoice.status == status
        assert invoice.exception == ("paid_late" if status == "settled" else "paid_partial")
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        assert (await w.deposits())[0].late


async def test_payment_to_an_address_nobody_was_shown_waits_in_suspense(
    database: FreshDatabase,
) -> None:
    """It has a row with the reason and is on the books, under no merchant."""
    async with world(database) as w:
        await w.pay(w.free, 5)
        [deposit] = await w.deposits()
        assert (deposit.purpose, deposit.reason) == ("unattributed", "address_not_assigned")
        assert await w.wallet("suspense") == (5, 0)


async def test_dust_is_recorded_and_does_not_count_for_the_invoice(
    database: FreshDatabase,
) -> None:
    """Below the minimum it waits in suspense with the reason."""
    async with world(database, minimum=100) as w:
        await w.pay(w.assigned, 99)
        assert (await w.deposits())[0].reason == "below_minimum"
        assert (await w.invoice()).status == "pending"
        assert await w.wallet("suspense") == (99, 0)


async def test_funds_sent_to_the_hot_wallet_are_capital(database: FreshDatabase) -> None:
    """The operator's own money raises custody and external, no merchant."""
    async with world(database) as w:
        await w.pay(w.hot, 7)
        assert await w.wallet("external") == (7, 0)
        assert await w.wallet("custody") == (-7, 0)


async def test_failed_transaction_credits_nothing(database: FreshDatabase) -> None:
    """Only what succeeded on chain is a transfer."""
    async with world(database) as w:
        w.chain.submit([Move(w.assigned, DUE_UNITS)], doomed=True)
        await w.chain.mine(4)
        await w.scan()
        assert await w.deposits() == []


async def test_several_transfers_of_one_transaction_are_several_deposits(
    database: FreshDatabase,
) -> None:
    """Each has its own ordinal; their sum is credited."""
    async with world(database) as w:
        w.chain.submit([Move(w.assigned, 10), Move(w.free, 20), Move(w.assigned, 30)])
        await w.chain.mine(4)
        await w.scan()
        assert {d.ordinal: d.units for d in await w.deposits()} == {0: 10, 1: 20, 2: 30}
        assert await w.wallet("mer_1") == (40, 0)
        assert await w.wallet("suspense") == (20, 0)


async def test_orphaned_payment_steps_the_invoice_back(database: FreshDatabase) -> None:
    """A dropped transaction is no money: processing becomes expired or pending again."""
    async with world(database) as w:
        await w.pay(w.assigned, DUE_UNITS, final=False)
        w.chain.fork(1, keep=[])
        await w.chain.mine()
        await w.scan()
        await w.scan()
        assert (await w.deposits())[0].status == "reorged"
        assert (await w.invoice()).status == "expired"
        await w.chain.mine(4)
        await w.scan()
        assert await w.wallet("mer_1") == (0, 0)


async def test_payment_that_moves_to_another_block_is_the_same_deposit(
    database: FreshDatabase,
) -> None:
    """A reorganisation gives it another sighting, never another identity."""
    async with world(database) as w:
        await w.pay(w.assigned, DUE_UNITS, final=False)
        w.chain.fork(1)
        await w.chain.mine(4)
        await w.scan()
        await w.scan()
        [deposit] = await w.deposits()
        assert deposit.status == "confirmed"
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        assert await w.sum_is_zero()


async def test_a_changed_final_block_stops_the_network(database: FreshDatabase) -> None:
    """Below finality only a person may go on."""
    async with world(database) as w:
        await w.chain.mine(2)
        await w.pay(w.assigned, DUE_UNITS)
        w.chain.fork(4)
        await w.chain.mine()
        with pytest.raises(FinalityBroken):
            await w.scan()
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)


async def test_a_node_that_falls_behind_moves_nothing(database: FreshDatabase) -> None:
    """A shorter head is a lagging node, not a reorganisation."""
    async with world(database) as w:
        await w.pay(w.assigned, DUE_UNITS, final=False)
        height = w.scanner.position.height
        w.chain.rewind(1)
        await w.scan()
        assert w.scanner.position.height == height
        assert (await w.invoice()).status == "processing"


async def test_an_incomplete_block_is_waited_for_and_never_skipped(
    database: FreshDatabase,
) -> None:
    """The cursor stays below it until the node has it whole."""
    async with world(database) as w:
        w.chain.incomplete.add(1)
        await w.chain.pay(w.assigned, DUE_UNITS)
        await w.chain.mine(3)
        with pytest.raises(Incomplete):
            await w.scan()
        assert w.scanner.position.height == 0
        w.chain.incomplete.clear()
        await w.scan()
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)


async def test_a_watcher_that_lost_its_lease_writes_nothing(database: FreshDatabase) -> None:
    """The compare-and-swap on the epoch fails its whole transaction."""
    async with world(database) as w:
        old = w.scanner
        await w.restart()
        await w.chain.pay(w.assigned, DUE_UNITS)
        with pytest.raises(LeaseLost):
            await old.step()
        assert await w.deposits() == []


async def test_confirmations_of_the_merchant_settle_before_finality(
    database: FreshDatabase,
) -> None:
    """The invoice settles with final=false; the balance still waits."""
    async with world(database, confirmations=2) as w:
        w.chain.final_lag = 10
        await w.pay(w.assigned, DUE_UNITS, final=False)
        assert (await w.invoice()).status == "processing"
        await w.chain.mine()
        await w.scan()
        invoice = await w.invoice()
        assert (invoice.status, invoice.final) == ("settled", False)
        assert await w.wallet("mer_1") == (0, 0)
        await w.chain.mine(12)
        await w.scan()
        assert (await w.invoice()).final
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)


async def test_invoice_settled_by_confirmations_whose_block_is_orphaned_says_so(
    database: FreshDatabase,
) -> None:
    """Never silent: it becomes invalid and reorged, and settles again if the payment returns."""
    async with world(database, confirmations=1) as w:
        w.chain.final_lag = 10
        tx_hash = await w.pay(w.assigned, DUE_UNITS, final=False)
        assert (await w.invoice()).status == "settled"
        w.chain.fork(1, keep=[])
        await w.chain.mine()
        await w.scan()
        await w.scan()
        invoice = await w.invoice()
        assert (invoice.status, invoice.exception) == ("invalid", "reorged")
        assert (await w.events())[-1] == "invoice.invalid"
        assert tx_hash
        assert await w.wallet("mer_1") == (0, 0)


async def test_a_currency_listed_while_watching_stops_the_cursor(
    database: FreshDatabase,
) -> None:
    """A block must not pass unread for a currency that invoices already offer."""
    async with world(database) as w:
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(currency_row("NEW-ETHEREUM", "0x" + "11" * 20, 6))
        await w.chain.mine()
        with pytest.raises(CatalogChanged):
            await w.scan()
        assert w.scanner.position.height == 0


async def test_payment_to_a_pool_row_edited_by_hand_credits_nobody(
    database: FreshDatabase,
) -> None:
    """An address that the keystore did not sign is on the books, under no merchant."""
    async with world(database) as w:
        stranger = await w.chain.fresh_address()
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                update(AddressPool).where(AddressPool.index == 0).values(address=stranger)
            )
        await w.restart()
        await w.pay(stranger, DUE_UNITS)
        [deposit] = await w.deposits()
        assert (deposit.purpose, deposit.reason) == ("unattributed", "address_unverified")
        assert await w.wallet("mer_1") == (0, 0)
        assert (await w.invoice()).status == "pending"


async def test_deposits_of_a_suspended_asset_wait_until_somebody_looked(
    database: FreshDatabase,
) -> None:
    """They are recorded and credit nobody; when the hold is gone the next final block posts them."""
    async with world(database) as w:
        hold = {"currency_id": ETH, "network_id": NETWORK, "cause": "changed", "address": ""}
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                insert(AssetHold).values(**hold, reason="new code", since=now().at)
            )
        await w.pay(w.assigned, DUE_UNITS)
        [waiting] = await w.deposits()
        assert waiting.status == "pending"
        assert await w.wallet("mer_1") == (0, 0)
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(delete(AssetHold))
        await w.chain.mine()
        await w.scan()
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        assert (await w.invoice()).status == "settled"
