"""Networks of one family have the same addresses: they are given, and refused, together."""

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from gateway.addresses import repository as addresses
from keystore.client import KeystoreClient
from tests.conftest import FreshDatabase
from tests.fakes.chain import FakeChain
from tests.keystore.house import NETWORKS, build, init, serving
from tests.watchers.siblings_world import (
    BASE,
    MINE,
    REAL,
    THEIRS,
    Siblings,
    letters_of,
    siblings,
)
from tests.watchers.test_pool import SETTINGS
from tests.watchers.world import DUE_UNITS, NETWORK
from watchers.addresses import AddressBook
from watchers.pool import Pool

pytestmark = pytest.mark.anyio
LETTERS = [f"0x{n:040x}" for n in range(0xA0, 0xE0)]
FREE = ("AVAILABLE", None, None)


async def two_sales(s: Siblings) -> None:
    """Write an invoice on `ethereum` and another merchant's on `base`; both pools are stocked."""
    for network in (NETWORK, BASE):
        await s.stock(network, LETTERS[:3])
    await s.invoice(MINE, "inv_a", NETWORK)
    await s.invoice(THEIRS, "inv_b", BASE)


async def test_who_pays_on_the_wrong_network_pays_no_stranger(database: FreshDatabase) -> None:
    """What comes to the address of an invoice on a network that it does not take is kept for it."""
    async with siblings(database) as s:
        await two_sales(s)
        mine = await s.claim(NETWORK, MINE, "inv_a")
        theirs = await s.claim(BASE, THEIRS, "inv_b")
        assert mine is not None
        assert theirs not in (None, mine)
        chain = FakeChain(seed=1, chain_id=8453)
        scanner = await s.scanner(chain)
        await chain.pay(mine, DUE_UNITS, "native")
        await chain.mine(chain.final_lag)
        while await scanner.step():
            pass
        [deposit] = await s.w.deposits()
        assert (deposit.network_id, deposit.address) == (BASE, mine)
        assert (deposit.purpose, deposit.reason) == ("unattributed", "wrong_asset")
        assert await s.w.wallet("suspense", "ETH-BASE") == (DUE_UNITS, 0)
        assert await s.w.wallet(THEIRS, "ETH-BASE") == (0, 0)
        assert (await s.w.invoice("inv_b")).status == "pending"
        assert await s.w.events("inv_b") == []
        told = await s.rows("SELECT merchant_id, type FROM event")
        assert told == [(MINE, "deposit.unmatched")]


async def test_an_invoice_has_one_address_on_all_networks_of_a_mode(
    database: FreshDatabase,
) -> None:
    """The second option finds it; on a network of the other mode it is nobody's for good."""
    async with siblings(database) as s:
        for network in (NETWORK, BASE, REAL):
            await s.stock(network, LETTERS[:2])
        await s.invoice(MINE, "inv_a", NETWORK, BASE)
        await s.invoice(THEIRS, "inv_b", NETWORK)
        mine = await s.claim(NETWORK, MINE, "inv_a")
        assert await s.claim(BASE, MINE, "inv_a") == mine
        assert await s.row(BASE, mine) == ("ASSIGNED", "inv_a", None)
        assert await s.row(REAL, mine) == FREE
        async with s.api.unit_of_work(THEIRS) as session:
            real = letters_of(await addresses.claim(session, REAL, "inv_b", datetime.now(UTC)))
            assert real == LETTERS[1]
            await session.rollback()
        assert await s.claim(NETWORK, THEIRS, "inv_b") == LETTERS[1]
        assert await s.rows("SELECT * FROM free_address") == []


async def test_a_customer_has_one_address_on_all_networks_of_a_mode(
    database: FreshDatabase,
) -> None:
    """Asked for later it is the same one; who has another there already keeps that."""
    async with siblings(database) as s:
        await s.customer(MINE, "cus_a")
        await s.customer(THEIRS, "cus_b")
        await s.stock(BASE, LETTERS[3:4], first=700)
        settled = await s.give(BASE, THEIRS, "cus_b")
        for network in (NETWORK, BASE):
            await s.stock(network, LETTERS[:2])
        mine = await s.give(NETWORK, MINE, "cus_a")
        assert await s.give(BASE, MINE, "cus_a") == mine
        theirs = await s.give(NETWORK, THEIRS, "cus_b")
        assert theirs not in (None, mine, settled)
        assert await s.give(BASE, THEIRS, "cus_b") == settled
        assert await s.row(BASE, theirs) == FREE
        assert await s.rows("SELECT * FROM free_address") == []


async def test_two_claims_at_once_take_no_address_twice_and_never_wait(
    database: FreshDatabase,
) -> None:
    """Each passes by what the other has in its hands; whoever gives up leaves it free."""
    async with siblings(database) as s:
        await two_sales(s)
        at = datetime.now(UTC)
        async with s.api.unit_of_work(MINE) as one:
            mine = letters_of(await addresses.claim(one, NETWORK, "inv_a", at))
            assert await asyncio.wait_for(s.claim(BASE, THEIRS, "inv_b"), 10) == LETTERS[1]
            assert mine == LETTERS[0]
            await one.rollback()
        assert await s.row(BASE, mine) == FREE
        assert await s.claim(NETWORK, MINE, "inv_a") == mine
        for network in (NETWORK, BASE):
            await s.stock(network, LETTERS[10:60], first=500)
        names = [
            (f"inv_{network}{n}", network) for n in range(25) for network in (NETWORK, BASE)
        ]
        for name, network in names:
            await s.invoice(MINE, name, network)
        given = await asyncio.gather(*(s.claim(network, MINE, name) for name, network in names))
        assert None not in given
        assert len(set(given)) == len(names)
        torn = """SELECT address FROM address_pool WHERE index >= 100 AND invoice_id IS NOT NULL
            GROUP BY address HAVING count(DISTINCT invoice_id) > 1 OR count(*) <> 2"""
        assert await s.rows(torn) == []


async def test_a_pool_that_grows_later_follows_the_others(database: FreshDatabase) -> None:
    """The keystore makes the same rows; what is somebody's elsewhere is theirs, and not free."""
    listed = NETWORKS + '\n[networks.base]\nfamily = "ethereum"\nchain_id = 8453\ntest = true\n'
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        house = build(Path(folder), networks=listed)
        init(house)
        with serving(house):
            async with siblings(database) as s, KeystoreClient(house.socket) as keystore:
                made = [
                    r.address for r in await keystore.derive_pool(NETWORK, 0, 6, issue=True)
                ]
                await s.stock(NETWORK, made[:5])
                await s.stock(NETWORK, made[5:], first=900, free=False)
                await s.invoice(MINE, "inv_a", NETWORK)
                await s.customer(THEIRS, "cus_b")
                assert await s.claim(NETWORK, MINE, "inv_a") == made[0]
                assert await s.give(NETWORK, THEIRS, "cus_b") == made[1]
                scanner = await s.scanner(FakeChain(seed=1, chain_id=8453))
                settings = msgspec.structs.replace(SETTINGS, identity="8453")
                pool = Pool(
                    BASE, settings, s.w.database, keystore, AddressBook(""), scanner.position
                )
                while await pool.round():
                    pass
                assert await s.row(BASE, made[0]) == ("ASSIGNED", "inv_a", None)
                assert await s.row(BASE, made[1]) == ("ASSIGNED", None, "cus_b")
                assert await s.row(BASE, made[5]) == FREE
                assert await s.give(BASE, THEIRS, "cus_b") == made[1]
                await s.invoice(MINE, "inv_c", BASE)
                assert await s.claim(BASE, MINE, "inv_c") == made[2]
                queued = """SELECT p.address FROM free_address f JOIN address_pool p ON p.id = f.address_id
                    WHERE f.network_id = 'base' ORDER BY p.index"""
                free = [row.address for row in await s.rows(queued)]
                assert free[:2] == made[3:5]
                assert made[5] not in free


async def test_a_row_that_slipped_into_the_queue_is_its_owners(database: FreshDatabase) -> None:
    """A pool grows while the address is being claimed elsewhere: the next claim sees to it, once."""
    async with siblings(database) as s:
        await two_sales(s)
        await s.stock(NETWORK, LETTERS[8:9], first=300)
        await s.stock(BASE, LETTERS[8:9], first=300, free=False)
        mine = await s.claim(NETWORK, MINE, "inv_a")
        undo = """UPDATE address_pool SET status = 'AVAILABLE', invoice_id = NULL, merchant_id = NULL
            WHERE network_id = 'base' AND address = :a RETURNING 1"""
        await s.rows(undo, a=mine)
        again = """INSERT INTO free_address SELECT network_id, id FROM address_pool
            WHERE network_id = 'base' AND address = :a RETURNING 1"""
        await s.rows(again, a=mine)
        assert await s.claim(BASE, THEIRS, "inv_b") == LETTERS[1]
        assert await s.row(BASE, mine) == ("ASSIGNED", "inv_a", None)
        await s.invoice(MINE, "inv_c", NETWORK)
        await s.invoice(MINE, "inv_d", NETWORK)
        assert await s.claim(NETWORK, MINE, "inv_c") == LETTERS[2]
        assert await s.claim(NETWORK, MINE, "inv_d") is None, "some payer may know the last one"
        assert await s.rows("SELECT * FROM free_address") == []


async def test_no_payout_goes_to_an_address_of_ours_on_another_network(
    database: FreshDatabase,
) -> None:
    """Issued there alone, it is ours here as well; on another family the letters are a stranger's."""
    async with siblings(database) as s:
        await s.stock(BASE, LETTERS[:1])
        async with s.api.unit_of_work(MINE) as session:
            for network in (NETWORK, BASE, REAL):
                assert await addresses.is_own(session, network, LETTERS[0])
                assert await addresses.is_own(session, network, s.w.hot)
                assert not await addresses.is_own(session, network, LETTERS[1])
            assert not await addresses.is_own(session, "tron", LETTERS[0])
