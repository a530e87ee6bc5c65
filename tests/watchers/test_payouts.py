"""Money out: one payment per withdrawal, whatever the node says and wherever we die."""

import itertools
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, text, update

from gateway.db import CROSS_TENANT
from gateway.domain import posting
from gateway.ledger.service import post
from gateway.models import ApplicationWallet, Attempt, Signature, Withdrawal
from gateway.settings import AssetSettings, NetworkSettings
from keystore.client import KeystoreClient
from tests.conftest import FreshDatabase
from tests.fakes.chain import GENESIS_TIME, FakeChain
from tests.fakes.network import Broadcast, FakeReader, FakeWriter
from tests.keystore.house import House, build, init, serving
from tests.watchers.world import ETH, NETWORK, USDC, World, world
from watchers.chain import Chain
from watchers.clock import now
from watchers.network import ChainReader, NodeUnavailable, WrongChain
from watchers.pay import holds
from watchers.pay.adoption import looked_up
from watchers.pay.payouts import Payouts
from watchers.pool import register_wallets
from watchers.rpc import Endpoints

pytestmark = pytest.mark.anyio
DESTINATION = "0x" + "ab" * 20
BALANCE, AMOUNT = 10**20, 10**18
first_nonces = itertools.count(step=100)
"""The keystore remembers every nonce it signed, so each test begins at another one."""


@pytest.fixture(scope="module")
def keystore_house() -> Iterator[House]:
    """One keystore process for the module."""
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        house = build(Path(folder))
        init(house)
        with serving(house):
            yield house


@dataclass
class Desk:
    """A world whose hot wallet is the keystore's and whose merchant has a balance."""

    world: World
    payouts: Payouts
    writer: FakeWriter
    first_nonce: int

    async def request(
        self,
        number: int = 1,
        currency: str = ETH,
        units: int = AMOUNT,
        *,
        destination: str = DESTINATION,
        held: bool = True,
    ) -> str:
        """Put an approved withdrawal with its hold."""
        id_ = f"wdr_{self.first_nonce + number}"
        async with self.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                insert(Withdrawal).values(
                    id=id_,
                    merchant_id="mer_1",
                    livemode=False,
                    currency_id=currency,
                    network_id=NETWORK,
                    units=units,
                    fee_units=0,
                    destination=destination,
                    metadata_={},
                    status="approved",
                    created_by="key_1",
                    created_at=datetime.now(UTC),
                    approved_at=datetime.now(UTC),
                    updated_at=datetime.now(UTC),
                )
            )
            if held:
                await post(session, posting.hold(id_, "mer_1", currency, units), now())
        return id_

    async def withdrawal(self, id_: str) -> Withdrawal:
        """Return a withdrawal as it stands."""
        async with self.world.owner.unit_of_work(CROSS_TENANT) as session:
            return await session.get_one(Withdrawal, id_)

    async def attempts(self) -> list[Attempt]:
        """Return every attempt by nonce and place."""
        async with self.world.owner.unit_of_work(CROSS_TENANT) as session:
            return list(
                await session.scalars(
                    select(Attempt).order_by(Attempt.nonce, Attempt.place, Attempt.id)
                )
            )

    async def bury(self) -> None:
        """Mine what waits, make it final, and scan."""
        await self.world.chain.mine(4)
        await self.world.scan()

    def again(self) -> None:
        """Go on as a new process would."""
        old = self.payouts
        self.payouts = Payouts(
            old.name, old.settings, old.chain, old.database, old.keystore,
            self.world.scanner.position,
        )  # fmt: skip

    async def rest(self) -> None:
        """Let the pause before another broadcast pass."""
        async with self.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(update(Attempt).values(last_broadcast_at=None))


async def know_the_past(w: World, keystore: KeystoreClient) -> None:
    """Let this test's database know what the module's keystore signed for others."""
    known = 0
    while payments := await keystore.history(NETWORK, known):
        known = payments[-1].signed.number
    if known:
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            session.add(
                Signature(
                    network_id=NETWORK,
                    number=known,
                    withdrawal_id="-",
                    tx_hash="-",
                    noted_at=GENESIS_TIME,
                )
            )


@asynccontextmanager
async def desk(
    database: FreshDatabase, house: House, *, bump_blocks: int = 1_000
) -> AsyncIterator[Desk]:
    """Build it, with a hot wallet of the keystore that holds coins and tokens."""
    async with world(database) as w, KeystoreClient(house.socket) as keystore:
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(delete(ApplicationWallet))
        writer = FakeWriter(w.chain, NETWORK)
        reader = FakeReader(w.chain, w.chain.chain_id, frozenset({w.chain.token}))
        chain = Chain(reader, writer, Endpoints(["http://127.0.0.1:1"]), numbered=True)
        first_nonce = next(first_nonces)
        [hot] = [
            wallet.address
            for wallet in await keystore.wallets(NETWORK)
            if wallet.purpose == "hot"
        ]
        w.chain.state.nonces[hot] = first_nonce
        await register_wallets(NETWORK, chain, w.database, keystore)
        await know_the_past(w, keystore)
        await w.restart()
        settings = NetworkSettings(
            family="ethereum", display_name="Ethereum", identity=w.chain.identity,
            rpc_urls=["http://127.0.0.1:1"], test=True, fee_ceiling="0.1", bump_blocks=bump_blocks,
            assets=[AssetSettings(code="ETH", decimals=18)],
        )  # fmt: skip
        w.hot = hot
        await w.chain.pay(hot, BALANCE)
        await w.chain.pay(hot, 10**9, w.chain.token)
        await w.pay(w.assigned, BALANCE)
        await w.pay(w.assigned, 10**9, w.chain.token)
        payouts = Payouts(NETWORK, settings, chain, w.database, keystore, w.scanner.position)
        yield Desk(w, payouts, writer, first_nonce)


@pytest.mark.parametrize(("currency", "units"), [(ETH, AMOUNT), (USDC, 5 * 10**6)])
async def test_payout_is_paid_exactly_and_settled_at_finality(
    database: FreshDatabase, keystore_house: House, currency: str, units: int
) -> None:
    """The destination gets the amount; the ledger pays it and the operator the network."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(1 if currency == ETH else 2, currency, units)
        await d.payouts.round()
        assert (await d.withdrawal(id_)).status == "broadcast"
        await d.bury()
        paid = await d.withdrawal(id_)
        assert paid.status == "completed"
        asset = "native" if currency == ETH else d.world.chain.token
        assert await d.world.chain.balance(DESTINATION, asset) == units
        expense = (await d.world.wallet("expense"))[0]
        assert paid.network_fee_units == -expense > 0
        assert (await d.world.wallet("mer_1", currency))[1] == 0
        assert await d.world.sum_is_zero()
        held = await d.world.chain.balance(d.world.hot)
        assert -(await d.world.wallet("custody"))[0] == held + BALANCE


@pytest.mark.parametrize("manner", list(Broadcast))
async def test_what_the_node_says_about_a_broadcast_decides_nothing(
    database: FreshDatabase, keystore_house: House, manner: Broadcast
) -> None:
    """Whether it lies, forgets or loses its answer: the same bytes, one payment."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(3)
        d.writer.manner = manner
        await d.payouts.round()
        await d.bury()
        d.writer.manner = Broadcast.TAKE
        await d.rest()
        await d.payouts.round()
        await d.bury()
        assert (await d.withdrawal(id_)).status == "completed"
        assert await d.world.chain.balance(DESTINATION) == AMOUNT
        assert len(d.world.chain.broadcasts) == 1


async def test_restart_after_the_intent_was_kept_signs_the_same_bytes(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Dying between the keystore's answer and our commit makes no second transaction."""
    async with desk(database, keystore_house) as d:
        await d.request(4)
        await d.payouts.adoption.round()
        assert await d.payouts.claims.claim()
        [prepared] = await d.attempts()
        lost = await d.payouts.hands.signed(prepared)
        d.again()
        await d.payouts.round()
        [attempt] = await d.attempts()
        assert attempt.tx_hash == lost.tx_hash
        await d.bury()
        assert await d.world.chain.balance(DESTINATION) == AMOUNT


async def test_payouts_take_consecutive_nonces(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Several in one round leave no gap and are all paid."""
    async with desk(database, keystore_house) as d:
        for number in range(5, 9):
            await d.request(number, units=AMOUNT + number)
        await d.payouts.round()
        nonces = [attempt.nonce for attempt in await d.attempts()]
        assert nonces == [d.first_nonce + step for step in range(4)]
        await d.bury()
        assert await d.world.chain.balance(DESTINATION) == 4 * AMOUNT + 5 + 6 + 7 + 8


async def test_payout_that_failed_on_chain_gives_the_hold_back(
    database: FreshDatabase, keystore_house: House
) -> None:
    """The fee is spent, the merchant has its money again, nothing is paid twice."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(10)
        before = await d.world.wallet("mer_1")
        await d.payouts.round()
        d.world.chain.pool = {
            tx_hash: replace(tx, doomed=True) for tx_hash, tx in d.world.chain.pool.items()
        }
        await d.bury()
        failed = await d.withdrawal(id_)
        assert (failed.status, failed.failure_reason) == (
            "failed",
            "the transaction failed on chain",
        )
        assert await d.world.wallet("mer_1") == (before[0] + AMOUNT, 0)
        assert await d.world.chain.balance(DESTINATION) == 0
        await d.payouts.round()
        assert len(await d.attempts()) == 1


async def test_a_wallet_without_funds_keeps_the_withdrawal_waiting_with_the_reason(
    database: FreshDatabase, keystore_house: House
) -> None:
    """It stays approved, takes no nonce, and says why."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(11, units=BALANCE)
        await d.payouts.round()
        waiting = await d.withdrawal(id_)
        assert waiting.status == "approved"
        assert "holds less" in (waiting.blocked_reason or "")
        assert await d.attempts() == []


async def test_reorganised_payout_is_sent_again_and_paid_once(
    database: FreshDatabase, keystore_house: House
) -> None:
    """An orphaned payout goes back to broadcast; the same nonce lands once."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(12)
        await d.payouts.round()
        await d.world.chain.mine()
        await d.world.scan()
        assert (await d.withdrawal(id_)).status == "confirming"
        d.world.chain.fork(1, keep=[])
        await d.world.chain.mine()
        await d.world.scan()
        assert (await d.withdrawal(id_)).status == "broadcast"
        await d.rest()
        d.again()
        await d.payouts.round()
        await d.bury()
        assert (await d.withdrawal(id_)).status == "completed"
        assert await d.world.chain.balance(DESTINATION) == AMOUNT


async def test_success_on_chain_without_the_transfer_we_know_releases_nothing(
    database: FreshDatabase, keystore_house: House
) -> None:
    """A token that this watcher does not read may have been paid: a person decides."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(13, USDC, 5 * 10**6)
        await d.payouts.round()
        d.world.scanner.reader = FakeReader(d.world.chain, d.world.chain.chain_id, frozenset())
        await d.bury()
        waiting = await d.withdrawal(id_)
        assert waiting.status == "confirming"
        assert "needs a person" in (waiting.blocked_reason or "")
        assert (await d.world.wallet("mer_1", USDC))[1] == 5 * 10**6


async def test_intent_that_the_keystore_refuses_for_good_leaves_no_gap(
    database: FreshDatabase, keystore_house: House
) -> None:
    """It fails with the reason, its hold is free, and the next payout takes its nonce."""
    async with desk(database, keystore_house) as d:
        hopeless = await d.request(14, destination=d.world.hot)
        sound = await d.request(15)
        before = (await d.world.wallet("mer_1"))[0]
        await d.payouts.round()
        await d.bury()
        failed = await d.withdrawal(hopeless)
        assert failed.status == "failed"
        assert "own_destination" in (failed.failure_reason or "")
        assert (await d.withdrawal(sound)).status == "completed"
        assert (await d.world.wallet("mer_1"))[0] == before + AMOUNT
        assert [a.nonce for a in await d.attempts() if a.nonce is not None] == [d.first_nonce]


async def test_funds_of_the_hot_wallet_are_not_promised_twice(
    database: FreshDatabase, keystore_house: House
) -> None:
    """The second of two payouts that only fit singly waits and says why."""
    async with desk(database, keystore_house) as d:
        first = await d.request(16, units=BALANCE * 6 // 10)
        await d.world.pay(d.world.assigned, BALANCE)
        second = await d.request(17, units=BALANCE * 6 // 10)
        await d.payouts.round()
        assert (await d.withdrawal(first)).status == "broadcast"
        waiting = await d.withdrawal(second)
        assert waiting.status == "approved"
        assert "promised" in (waiting.blocked_reason or "")


async def test_a_blocked_withdrawal_does_not_hold_up_the_next(
    database: FreshDatabase, keystore_house: House
) -> None:
    """One that the hot wallet cannot cover waits; a payable one behind it is paid."""
    async with desk(database, keystore_house) as d:
        await d.request(18, units=BALANCE)
        await d.world.pay(d.world.assigned, BALANCE)
        payable = await d.request(19)
        await d.payouts.round()
        assert (await d.withdrawal(payable)).status == "broadcast"


async def test_an_approved_row_without_a_hold_is_never_paid(
    database: FreshDatabase, keystore_house: House
) -> None:
    """A row written around the API has no money behind it."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request(20, held=False)
        await d.payouts.round()
        assert "does not hold" in ((await d.withdrawal(id_)).blocked_reason or "")
        assert await d.attempts() == []


async def restored(d: Desk, id_: str, status: str) -> None:
    """Put the rows of one withdrawal back to what an older copy of the database says."""
    async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(text("ALTER TABLE withdrawal DISABLE TRIGGER withdrawal_guard"))
        await session.execute(delete(Signature).where(Signature.withdrawal_id == id_))
        await session.execute(delete(Attempt))
        values = {"status": status, "tx_hash": None, "approved_at": None}
        await session.execute(update(Withdrawal).where(Withdrawal.id == id_).values(**values))
        await session.execute(
            update(ApplicationWallet)
            .where(ApplicationWallet.address == d.world.hot)
            .values(next_nonce=d.first_nonce)
        )
        await session.execute(
            text("ALTER TABLE withdrawal ENABLE ALWAYS TRIGGER withdrawal_guard")
        )


@pytest.mark.parametrize("status", ["approved", "pending"])
@pytest.mark.parametrize("landed", [False, True], ids=["still waiting", "landed meanwhile"])
async def test_case_73_a_database_put_back_to_an_older_copy_pays_nothing_twice(
    database: FreshDatabase, keystore_house: House, status: str, *, landed: bool
) -> None:
    """What was signed comes back from the keystore's journal, and the next one goes behind it."""
    async with desk(database, keystore_house) as d:
        paid = await d.request(30)
        await d.payouts.round()
        signed = (await d.withdrawal(paid)).tx_hash
        if landed:
            await d.world.chain.mine()
        await restored(d, paid, status)
        other = await d.request(31)
        d.again()
        await d.payouts.round()
        assert (await d.withdrawal(paid)).tx_hash == signed
        await d.bury()
        assert (await d.withdrawal(paid)).status == "completed"
        assert (await d.withdrawal(other)).status == "completed"
        assert await d.world.chain.balance(DESTINATION) == 2 * AMOUNT
        assert await d.world.sum_is_zero()


async def test_a_payment_in_a_block_that_was_scanned_before_it_was_known_is_settled(
    database: FreshDatabase, keystore_house: House
) -> None:
    """The scan passed its block while the database knew nothing of it."""
    async with desk(database, keystore_house) as d:
        paid = await d.request(32)
        await d.payouts.round()
        await restored(d, paid, "approved")
        await d.bury()
        tx_hash = next(iter(d.world.chain.broadcasts))

        async def locate(tx: str) -> int | None:
            for block in d.world.chain.blocks:
                if any(each.tx_hash == tx for each, _ in block.transactions):
                    return block.ref.height
            return None

        d.again()
        d.payouts.adoption.locate = locate
        await d.payouts.round()
        await d.bury()
        assert (await d.withdrawal(paid)).status == "completed"
        assert (await d.withdrawal(paid)).tx_hash == tx_hash
        assert await d.world.chain.balance(DESTINATION) == AMOUNT


async def test_a_forgotten_payment_is_looked_for_until_a_node_answers(
    database: FreshDatabase, keystore_house: House
) -> None:
    """A node that fails at that moment costs a round, not the payment's trace."""
    async with desk(database, keystore_house) as d:
        paid = await d.request(36)
        await d.payouts.round()
        await restored(d, paid, "approved")
        await d.bury()

        async def silent(tx: str) -> int | None:
            raise NodeUnavailable(f"nobody says where {tx} is")

        async def locate(tx: str) -> int | None:
            for block in d.world.chain.blocks:
                if any(each.tx_hash == tx for each, _ in block.transactions):
                    return block.ref.height
            return None

        d.again()
        d.payouts.adoption.locate = silent
        with pytest.raises(NodeUnavailable):
            await d.payouts.round()
        assert (await d.withdrawal(paid)).status == "approved"
        d.again()
        d.payouts.adoption.locate = locate
        await d.payouts.round()
        await d.bury()
        assert (await d.withdrawal(paid)).status == "completed"
        assert await d.world.chain.balance(DESTINATION) == AMOUNT


async def test_a_payment_is_missing_only_where_every_node_says_so() -> None:
    """One that knows is enough; one that is silent might know."""
    readers = [FakeReader(FakeChain(), 1, frozenset()) for _ in range(3)]
    said: dict[int, int | None] = {}

    async def find(reader: ChainReader, _tx: str) -> int | None:
        at = next(at for at, each in enumerate(readers) if each is reader)
        if at not in said:
            raise NodeUnavailable("silent")
        return said[at]

    said |= {0: None, 2: 7}
    assert await looked_up(find, readers, "tx") == 7
    said[2] = None
    with pytest.raises(NodeUnavailable):
        await looked_up(find, readers, "tx")
    said[1] = None
    assert await looked_up(find, readers, "tx") is None


async def test_a_node_of_another_chain_has_no_say_about_a_payment() -> None:
    """The others' word stands; where all are such, the chain is the wrong one."""
    readers = [FakeReader(FakeChain(), 1, frozenset()) for _ in range(2)]
    strangers = {0}

    async def find(reader: ChainReader, _tx: str) -> int | None:
        if next(at for at, each in enumerate(readers) if each is reader) in strangers:
            raise WrongChain("another chain")
        return None

    assert await looked_up(find, readers, "tx") is None
    strangers.add(1)
    with pytest.raises(WrongChain):
        await looked_up(find, readers, "tx")


async def test_an_unsigned_intent_of_an_older_copy_makes_room_for_what_was_signed(
    database: FreshDatabase, keystore_house: House
) -> None:
    """It was refused after the copy was made, and its nonce went to the next payment.

    Whether it is paid now is decided anew, in another place.
    """
    async with desk(database, keystore_house) as d:
        paid = await d.request(37)
        await d.payouts.round()
        [signed] = await d.attempts()
        await restored(d, paid, "approved")
        refused = await d.request(38)
        intent = {**signed.intent, "withdrawal_id": refused}
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            session.add(
                Attempt(
                    id="att_1",
                    order_id=refused,
                    network_id=NETWORK,
                    purpose="payout",
                    withdrawal_id=refused,
                    intent=intent,
                    sender=signed.sender,
                    nonce=signed.nonce,
                    state="prepared",
                    broadcasts=0,
                    created_at=datetime.now(UTC),
                )
            )
            signing = update(Withdrawal).where(Withdrawal.id == refused)
            await session.execute(signing.values(status="signing"))
        d.again()
        await d.payouts.round()
        await d.bury()
        assert (await d.withdrawal(paid)).status == "completed"
        again = [a for a in await d.attempts() if a.order_id == refused]
        assert [(a.nonce, a.state) for a in again] == [
            (d.first_nonce + 1, "succeeded"),
            (None, "refused"),
        ]
        assert (await d.withdrawal(refused)).status == "completed"
        assert await d.world.chain.balance(DESTINATION) == 2 * AMOUNT
        assert await d.world.sum_is_zero()


async def release(d: Desk, currency: str = ETH) -> None:
    """End the hold for lost payments as an operator does, and let what waits be tried again."""
    async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
        assert await holds.lift(session, currency, holds.LOST)
        await session.execute(update(Withdrawal).values(blocked_reason=None))


async def test_a_signed_payment_that_no_row_asks_for_is_told_and_its_nonce_kept(
    database: FreshDatabase, keystore_house: House
) -> None:
    """The withdrawal itself was made after the copy: a person must look, nobody reuses its slot."""
    async with desk(database, keystore_house) as d:
        lost = await d.request(33)
        await d.payouts.round()
        await restored(d, lost, "approved")
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(delete(Withdrawal).where(Withdrawal.id == lost))
        next_one = await d.request(34)
        d.again()
        await d.payouts.round()
        waiting = await d.withdrawal(next_one)
        assert "is held (lost)" in (waiting.blocked_reason or "")
        await release(d)
        await d.payouts.round()
        kept, attempt = [a for a in await d.attempts() if a.place == 1]
        assert (kept.purpose, kept.withdrawal_id, kept.order_id) == ("lost", None, lost)
        assert (attempt.withdrawal_id, attempt.nonce) == (next_one, d.first_nonce + 1)
