"""Durable-nonce lanes: made one after another, one payment each, and replaced when they stand still."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from gateway.db import CROSS_TENANT
from gateway.models import ApplicationWallet, Attempt
from keystore.api import Signed
from tests.conftest import FreshDatabase
from tests.fakes.network import FakeReader, FakeWriter
from tests.gateway.conftest import ETHEREUM
from tests.watchers.world import ETH, NETWORK, USDC, World, world
from watchers.chain import Chain
from watchers.clock import now
from watchers.network import Refused, Slot
from watchers.pay import holds
from watchers.pay.forgotten import Found, kept
from watchers.pay.lanes import LANES_MAX, Lanes
from watchers.pay.outbids import Outbids
from watchers.pay.slots import Slots, SlotTaken
from watchers.pay.transactions import HouseOrder, begin, of_order, replacement
from watchers.rpc import Endpoints

pytestmark = pytest.mark.anyio
RENT = 1_447_680


@dataclass
class Accounts:
    """The nonce accounts of a chain: address and value of those that stand."""

    values: dict[str, str] = field(default_factory=dict)

    def lane_address(self, hot: str, lane: int) -> str:
        """Return a lane's address."""
        return f"{hot}/{lane}"

    async def nonce_account_state(self, address: str) -> str | None:
        """Return the value that stands there."""
        return self.values.get(address)

    async def nonce_account_seen(self, address: str) -> tuple[str | None, int]:
        """Return it as it stands at the first block."""
        return self.values.get(address), 0

    async def nonce_setup(self, hot: str, lane: int) -> Mapping[str, Any] | None:
        """Return the facts of a set-up, or None where the lane stands."""
        if self.lane_address(hot, lane) in self.values:
            return None
        return {"network": NETWORK, "lane": lane, "blockhash": "b", "lamports": RENT}


@dataclass
class Desk:
    """A world with lanes in place of nonces."""

    world: World
    accounts: Accounts
    lanes: Lanes
    slots: Slots

    async def make(self, rounds: int) -> None:
        """Let set-ups be begun, and each stand at once."""
        for _ in range(rounds):
            await self.lanes.round()
            async with self.world.owner.unit_of_work(CROSS_TENANT) as session:
                begun = select(Attempt).where(Attempt.state == "prepared")
                for attempt in (await session.scalars(begun)).all():
                    attempt.state, attempt.raw, attempt.tx_hash = "succeeded", b"-", attempt.id
                    lane = attempt.nonce_account or ""
                    self.accounts.values[lane] = f"value of {lane}"

    async def setups(self) -> int:
        """Return how many set-ups were begun."""
        async with self.world.owner.unit_of_work(CROSS_TENANT) as session:
            query = select(func.count()).where(Attempt.purpose == "setup")
            return int(await session.scalar(query) or 0)

    async def begin(self, number: int, slot: Slot) -> None:
        """Begin a transaction on a lane."""
        lane = slot.nonce_account or ""
        id_ = f"hse_{number}"
        intent = {"withdrawal_id": id_, "nonce_value": self.accounts.values[lane]}
        order = HouseOrder(id_, "sweep", intent, self.world.hot, slot)
        async with self.world.database.unit_of_work(CROSS_TENANT) as session:
            await begin(session, NETWORK, order, now())

    async def order(self, order_id: str) -> Attempt:
        """Return the newest transaction of an order."""
        async with self.world.owner.unit_of_work(CROSS_TENANT) as session:
            return (await of_order(session, order_id))[-1]

    async def replace(self, newest: Attempt, purpose: str) -> None:
        """Put a transaction beside it."""
        async with self.world.database.unit_of_work(CROSS_TENANT) as session:
            await replacement(session, newest, newest.intent, now(), purpose=purpose)

    async def end(self, state: str) -> None:
        """End what is open."""
        async with self.world.owner.unit_of_work(CROSS_TENANT) as session:
            values = {"state": state, "raw": b"-", "tx_hash": Attempt.id}
            open_ones = update(Attempt).where(Attempt.state == "prepared")
            await session.execute(open_ones.values(values))


def replaced(attempt: Attempt, **changes: Any) -> Attempt:
    """Return a copy that no session knows."""
    kept = ("network_id", "withdrawal_id", "order_id", "place", "intent", "sender", "nonce")
    values = {name: getattr(attempt, name) for name in (*kept, "nonce_account", "nonce_value")}
    return Attempt(**{**values, **changes})


def laned(w: World, wanted: int) -> Desk:
    """Put lanes on a world."""
    accounts = Accounts()
    reader = FakeReader(w.chain, w.chain.chain_id, frozenset())
    writer = FakeWriter(w.chain, NETWORK)
    chain = Chain(reader, writer, Endpoints(["http://127.0.0.1:1"]), lanes=accounts)
    lanes = Lanes(NETWORK, chain, w.database, w.scanner.position, wanted)
    return Desk(w, accounts, lanes, Slots(NETWORK, chain, w.database))


async def test_lanes_are_made_one_after_another_and_each_once(database: FreshDatabase) -> None:
    """While one set-up waits no other is begun; with all of them standing nothing is."""
    async with world(database) as w:
        d = laned(w, 3)
        await d.lanes.round()
        assert await d.setups() == 0, "the hot wallet cannot pay for it"
        await w.chain.pay(w.hot, 10**9)
        await d.lanes.round()
        await d.lanes.round()
        assert await d.setups() == 1
        await d.make(6)
        assert await d.setups() == 3
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            query = select(ApplicationWallet.address).where(
                ApplicationWallet.purpose == "nonce"
            )
            assert set(await session.scalars(query)) == set(d.accounts.values)


async def test_payments_spread_over_the_lanes_and_each_takes_one_at_a_time(
    database: FreshDatabase,
) -> None:
    """Two lanes carry two; the third waits; an ended one frees its lane when its value moved."""
    async with world(database) as w:
        await w.chain.pay(w.hot, 10**9)
        d = laned(w, 2)
        await d.make(4)
        taken = []
        for number in (1, 2):
            slot = await d.slots.next(w.hot)
            assert slot is not None
            await d.begin(number, slot)
            taken.append(slot.nonce_account)
        assert set(taken) == set(d.accounts.values)
        assert await d.slots.next(w.hot) is None
        with pytest.raises(SlotTaken):
            await d.begin(3, Slot(nonce_account=taken[0]))
        await d.end("succeeded")
        assert await d.slots.next(w.hot) is None, "the node still shows the spent values"
        with pytest.raises(Refused, match="used before"):
            await d.begin(3, Slot(nonce_account=taken[0]))
        d.accounts.values[taken[1] or ""] = "moved"
        assert await d.slots.next(w.hot) == Slot(nonce_account=taken[1])


@pytest.mark.parametrize("purpose", ["sweep", "cancel"])
async def test_a_lane_is_free_when_what_stood_on_it_is_final_whoever_has_to_judge_its_end(
    database: FreshDatabase, purpose: str
) -> None:
    """One node's word gives no hold back; its value was spent all the same, and others may pass."""
    async with world(database) as w:
        w.scanner.lone_word = False
        await w.chain.pay(w.hot, 10**9)
        d = laned(w, 1)
        await d.make(2)
        slot = await d.slots.next(w.hot)
        assert slot is not None
        await d.begin(1, slot)
        await d.end("signed")
        if purpose == "cancel":
            await d.replace(await d.order("hse_1"), "cancel")
            await d.end("signed")
        landed = await d.order("hse_1")
        await w.chain.mine(w.chain.final_lag)
        await w.scan()
        height = w.scanner.position.final_height + 1
        failed = {"state": "included", "success": False, "block_hash": "0x"}
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            row = update(Attempt).where(Attempt.id == landed.id)
            await session.execute(row.values(block_height=height, **failed))
        d.accounts.values[slot.nonce_account or ""] = "moved"
        assert await d.slots.next(w.hot) is None, "its block may be given up"
        await w.chain.mine()
        await w.scan()
        assert (await d.order("hse_1")).state == "included", "it waits for a person"
        assert await d.slots.next(w.hot) == slot
        await d.begin(2, slot)
        assert await d.slots.next(w.hot) is None, "the second one stands there"


async def test_a_set_up_that_one_node_calls_failed_is_over_and_the_next_is_begun(
    database: FreshDatabase,
) -> None:
    """It held nothing that could be given back; waiting for a person no lane would be made."""
    async with world(database) as w:
        w.scanner.lone_word = False
        await w.chain.pay(w.hot, 10**9)
        d = laned(w, 1)
        await d.lanes.round()
        await w.chain.mine(w.chain.final_lag)
        await w.scan()
        height = w.scanner.position.final_height + 1
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            row = update(Attempt).where(Attempt.purpose == "setup")
            signed = {"state": "signed", "raw": b"-", "tx_hash": "hash"}
            await session.execute(row.values(**signed))
            landed = {"state": "included", "success": False, "block_hash": "0x"}
            await session.execute(row.values(block_height=height, **landed))
        for _ in range(2):
            await w.chain.mine()
            await w.scan()
        assert w.scanner.unsettled is None
        await d.make(1)
        assert await d.setups() == 2
        assert d.accounts.values


async def test_a_lane_that_stands_still_is_replaced_by_another_up_to_the_last(
    database: FreshDatabase,
) -> None:
    """Its value was signed for by what will not land: it moves no more, and the rest goes on."""
    async with world(database) as w:
        await w.chain.pay(w.hot, 10**9)
        d = laned(w, 1)
        for number in range(LANES_MAX):
            d.lanes = Lanes(NETWORK, d.lanes.chain, w.database, w.scanner.position, 1)
            await d.make(2)
            slot = await d.slots.next(w.hot)
            assert slot is not None, number
            await d.begin(number, slot)
            await d.end("failed")
        d.lanes = Lanes(NETWORK, d.lanes.chain, w.database, w.scanner.position, 1)
        await d.make(2)
        assert len(d.accounts.values) == LANES_MAX
        assert await d.slots.next(w.hot) is None


async def test_a_cancel_alone_stands_beside_a_payment_on_its_lane_and_no_fee_is_raised(
    database: FreshDatabase,
) -> None:
    """The database takes nothing else there, nor on another value; nobody asked, nothing is written."""
    async with world(database) as w:
        await w.chain.pay(w.hot, 10**9)
        d = laned(w, 1)
        await d.make(2)
        slot = await d.slots.next(w.hot)
        assert slot is not None
        await d.begin(1, slot)
        first = await d.order("hse_1")
        for purpose, value in (("sweep", first.nonce_value), ("cancel", "another value")):
            twin = replaced(first, nonce_value=value)
            with pytest.raises(IntegrityError, match="replaces nothing"):
                await d.replace(twin, purpose)
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            mine = update(Attempt).where(Attempt.order_id == "hse_1")
            await session.execute(mine.values(state="signed", raw=b"-", tx_hash="hash"))
        outbids = Outbids(NETWORK, ETHEREUM, d.lanes.chain, w.database, w.scanner.position)
        await outbids.round()
        assert (await d.order("hse_1")).place == 1
        await d.replace(first, "cancel")
        assert (await d.order("hse_1")).purpose == "cancel"
        assert await d.slots.next(w.hot) is None


async def test_a_lane_that_a_stranger_moved_is_an_alarm_once_our_scan_has_come_so_far(
    database: FreshDatabase,
) -> None:
    """Our own transaction may have moved it until then; what stands in a block is no alarm."""
    async with world(database) as w:
        await w.chain.pay(w.hot, 10**9)
        d = laned(w, 1)
        await d.make(2)
        slot = await d.slots.next(w.hot)
        assert slot is not None
        await d.begin(1, slot)
        mine = update(Attempt).where(Attempt.order_id == "hse_1")
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(mine.values(state="signed", raw=b"-", tx_hash="hash"))
        await w.chain.mine()
        await w.scan()
        look = d.lanes.estranged.look
        assert await look(d.accounts) == []
        d.accounts.values[slot.nonce_account or ""] = "moved"
        assert await look(d.accounts) == [], "our scan is not final up to here"
        await w.chain.mine(w.chain.final_lag)
        await w.scan()
        [reason] = await look(d.accounts)
        assert "watchers settle ethereum hse_1 --taken-by" in reason
        w.chain.final_lag = 0
        await w.scan()
        lanes = Lanes(NETWORK, d.lanes.chain, w.database, w.scanner.position, 1)
        for _ in range(2):
            with pytest.raises(Refused, match="key was used elsewhere"):
                await lanes.round()
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                mine.values(state="included", block_height=1, block_hash="0x", success=True)
            )
        assert await look(d.accounts) == []


class Reading(FakeWriter):
    """Takes every bytes for what they are said to be: real ones are read in test_sweep_bytes."""

    def verify(self, intent: Mapping[str, Any], raw: bytes) -> str:
        """Return the hash."""
        del intent
        return raw.hex()


async def test_a_forgotten_cancel_on_a_lane_whose_order_no_row_knows_is_lost(
    database: FreshDatabase,
) -> None:
    """It pays nobody, so it names nobody: it is kept, and its assets wait for a person."""
    async with world(database) as w:
        await w.chain.pay(w.hot, 10**9)
        d = laned(w, 1)
        await d.make(1)
        chain = replace(d.lanes.chain, writer=Reading(w.chain, NETWORK))
        [lane] = d.accounts.values
        intent = {
            "family": "solana_advance", "withdrawal_id": "wdr_gone", "network": NETWORK,
            "nonce_account": lane, "nonce_value": d.accounts.values[lane],
        }  # fmt: skip
        found = Found(NETWORK, intent, Signed("aa", "aa", w.hot, 1))
        async with w.database.unit_of_work(CROSS_TENANT) as session:
            attempt = await kept(session, chain, found, now())
        assert attempt is not None
        assert (attempt.purpose, attempt.state) == ("lost", "signed")
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            held = await holds.everywhere(session)
        assert {(each.currency_id, each.cause) for each in held} == {
            (ETH, "lost"), (USDC, "lost"),
        }  # fmt: skip
