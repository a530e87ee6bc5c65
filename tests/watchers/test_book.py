"""The address book: eight bytes an address, nothing missed, nobody taken for ours."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, text

from gateway.db import CROSS_TENANT
from gateway.models import FreeAddress
from tests.conftest import FreshDatabase
from tests.fakes.chain import GENESIS_TIME
from tests.watchers.world import DUE_UNITS, NETWORK, PUBLIC_KEY, pool_row, world
from watchers import addresses as addresses_module
from watchers.addresses import AddressBook
from watchers.book import AddressKeys
from watchers.network import NATIVE, Block, BlockRef, Transfer

TEXTS = st.text(min_size=1, max_size=44)


@given(st.lists(st.lists(TEXTS)))
def test_keys_find_whatever_was_added(batches: list[list[str]]) -> None:
    """A "no" is certain, whatever the batches."""
    keys, added = AddressKeys(), set[str]()
    for batch in batches:
        keys.update(batch)
        added.update(batch)
        assert keys.perhaps(added) == added


@pytest.mark.parametrize("count", [1_000, 300_000])
def test_strangers_are_rarely_looked_up_in_vain(count: int) -> None:
    """Fewer than one in a thousand, with room for as many as there are."""
    source, keys = random.Random(1), AddressKeys()
    keys.reserve(count)
    keys.update(f"0x{source.getrandbits(160):040x}" for _ in range(count))
    strangers = [f"0x{source.getrandbits(160):040x}" for _ in range(100_000)]
    assert len(keys.perhaps(strangers)) < 100


def test_room_is_made_for_as_many_as_there_are() -> None:
    """Sixteen bytes an address at most: ten million fit into 128 MiB, and the next doubling bears more."""
    for count, size in ((0, 1 << 23), (10**6, 1 << 23), (10**7, 1 << 27), (10**9, 1 << 29)):
        keys = AddressKeys()
        keys.reserve(count)
        assert len(keys._bits) == size
        assert keys.perhaps(["anybody"]) == set()


def test_a_filter_never_grows_over_what_it_holds() -> None:
    """Emptied silently it would miss deposits."""
    keys = AddressKeys()
    keys.update(["somebody"])
    keys.reserve(1)
    with pytest.raises(ValueError, match="cannot grow"):
        keys.reserve(10**7)
    assert keys.perhaps(["somebody"]) == {"somebody"}


@pytest.mark.parametrize("count", [40_000, 10**6])
def test_what_is_held_is_found_whatever_room_is_asked_for_later(count: int) -> None:
    """Also where only the smaller of its two tables would grow."""
    keys = AddressKeys()
    keys.update(["somebody"])
    keys.reserve(count)
    assert keys.perhaps(["somebody", "nobody"]) == {"somebody"}


def test_ten_million_addresses_have_one_table_for_both_bits() -> None:
    """A second one as large would not fit."""
    keys = AddressKeys()
    keys.reserve(10**7)
    assert keys._near is keys._bits


def test_our_own_transaction_into_our_own_wallet_is_no_arrival() -> None:
    """It is known by its hash; whoever else pays a wallet brings capital, pool rows always count."""
    book = AddressBook(PUBLIC_KEY, wallets={"hot"})
    book.pool.update(["pooled"])
    ref = BlockRef(1, "0x1", "0x0", GENESIS_TIME)
    block = Block(
        ref,
        tuple(
            Transfer(tx_hash, "native", 0, NATIVE, "hot", to, 1)
            for tx_hash in ("ours", "theirs")
            for to in ("hot", "pooled", "stranger")
        ),
    )
    hits = [(hit.tx_hash, hit.recipient) for hit in book.hits(block, frozenset({"ours"}))]
    assert hits == [("ours", "pooled"), ("theirs", "hot"), ("theirs", "pooled")]


@pytest.mark.anyio
async def test_a_stranger_with_the_key_of_an_address_of_ours_is_no_arrival(
    database: FreshDatabase,
) -> None:
    """The keys say "perhaps"; without a row there is no deposit, not even an unattributed one."""
    async with world(database) as w:
        stranger = await w.chain.fresh_address()
        w.scanner.book.pool.update([stranger])
        await w.pay(stranger, DUE_UNITS)
        assert await w.deposits() == []
        assert await w.journals() == []


@pytest.mark.anyio
async def test_the_book_is_read_in_slices_and_goes_on_where_it_stopped(
    database: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slices lose no row at their edges; a second load reads only what is new."""
    monkeypatch.setattr(addresses_module, "LOAD_ROWS", 3)
    async with world(database) as w:
        wanted = {w.assigned, w.free}
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            for index in range(2, 9):
                wanted.add(address := await w.chain.fresh_address())
                await session.execute(pool_row(index, address))
        book = AddressBook(PUBLIC_KEY)
        async with w.database.unit_of_work(CROSS_TENANT) as session:
            await book.load(session, NETWORK)
        assert book.pool.perhaps(wanted) == wanted
        assert book.wallets == {w.hot}

        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            # What the second load must not read again, it could not read any more.
            await session.execute(text("DELETE FROM address_pool WHERE index > 1"))
            late = await w.chain.fresh_address()
            await session.execute(pool_row(9, late))
        async with w.database.unit_of_work(CROSS_TENANT) as session:
            await book.load(session, NETWORK)
        assert book.pool.perhaps({*wanted, late}) == {*wanted, late}
        assert book.count == len(wanted) + 1


@pytest.mark.anyio
async def test_an_address_that_is_added_while_watching_is_watched_at_once(
    database: FreshDatabase,
) -> None:
    """The pool tells the book before the row can be shown; no load happens in between."""
    async with world(database) as w:
        address = await w.chain.fresh_address()
        w.scanner.book.pool.update([address])
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            id_ = await session.scalar(pool_row(2, address))
            await session.execute(
                insert(FreeAddress).values(network_id=NETWORK, address_id=id_)
            )
        await w.pay(address, 5)
        [deposit] = await w.deposits()
        assert (deposit.address, deposit.reason) == (address, "address_not_assigned")
