"""Why final money was not credited: what holds it, what refused it, what was missed."""

import pytest

from gateway.db import CROSS_TENANT
from gateway.models import Attempt
from tests.conftest import FreshDatabase
from tests.fakes.chain import GENESIS_TIME, Move
from tests.watchers.explaining import explained
from tests.watchers.test_explain import change
from tests.watchers.world import DUE_UNITS, ETH, NETWORK, World, world

pytestmark = pytest.mark.anyio
FINAL = "UPDATE cursor SET final_height = height"


async def pending(w: World) -> str:
    """Pay the invoice; the block is final, and nothing was credited yet."""
    tx_hash = await w.pay(w.assigned, DUE_UNITS, final=False)
    await change(w, FINAL)
    return tx_hash


async def test_a_suspended_asset_is_named(database: FreshDatabase) -> None:
    """The operator reads the reason of the hold; the merchant that there is one."""
    async with world(database) as w:
        await change(
            w,
            "INSERT INTO asset_hold VALUES (:currency, :network, 'changed', '', :why, now())",
            currency=ETH,
            network=NETWORK,
            why="its code is another one",
        )
        found = await explained(w, tx_hash := await w.pay(w.assigned, DUE_UNITS))
        assert found["verdict"] == "waiting"
        assert found["answers"]["final"] == "yes"
        assert found["reason"] == (
            "ledger_entry: its asset is suspended: its code is another one"
        )
        theirs = await explained(w, tx_hash, "mer_1")
        assert theirs["reason"] == "ledger_entry: its asset is suspended"


async def test_a_network_that_stands_still_is_named(database: FreshDatabase) -> None:
    """Nothing is credited while a node contradicts what was final."""
    async with world(database) as w:
        tx_hash = await pending(w)
        await change(w, "UPDATE cursor SET halted = 'another block 1 at a.example'")
        found = await explained(w, tx_hash)
        assert found["reason"] == (
            "ledger_entry: its network stands still: another block 1 at a.example"
        )
        theirs = await explained(w, tx_hash, "mer_1")
        assert theirs["reason"] == "ledger_entry: its network stands still"


async def test_what_no_second_node_shows_is_named(database: FreshDatabase) -> None:
    """The watcher's own sentence, and none where it has none."""
    async with world(database) as w:
        tx_hash = await pending(w)
        found = await explained(w, tx_hash)
        assert (
            found["reason"]
            == "ledger_entry: it is final, the network's watcher is about to post it"
        )
        [deposit] = await w.deposits()
        await change(
            w,
            "INSERT INTO network_health (network_id, head_height, scanned_height, final_height,"
            " trouble, troubles, updated_at) VALUES (:network, 1, 1, 1, :why, '{}', now())",
            network=NETWORK,
            why=f"deposit {deposit.id} is not credited: b.example shows another amount",
        )
        found = await explained(w, tx_hash)
        assert found["verdict"] == "waiting"
        assert found["reason"].startswith(
            "ledger_entry: it is held back by the network's watcher"
        )
        assert found["reason"].endswith("b.example shows another amount")
        theirs = await explained(w, tx_hash, "mer_1")
        assert theirs["reason"] == "ledger_entry: it is held back by the network's watcher"


async def test_what_may_be_our_own_is_named(database: FreshDatabase) -> None:
    """A wallet of ours sent it in a transaction that no row knows: a person decides."""
    async with world(database) as w:
        tx_hash = await w.pay(w.assigned, DUE_UNITS, final=False)
        await change(w, "UPDATE deposit SET sender = :hot", hot=w.hot)
        await w.chain.mine(w.chain.final_lag)
        await w.scan()
        found = await explained(w, tx_hash)
        assert (found["verdict"], found["answers"]["final"]) == ("waiting", "yes")
        assert "looks like a transaction of the operator's own" in found["reason"]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("counted_as_balance", "its money was credited before, as a difference of balances"),
        ("own_transaction", "the operator's own wallets made this transaction"),
    ],
)
async def test_what_was_refused_waits_for_nothing(
    database: FreshDatabase, reason: str, said: str
) -> None:
    """The refusal is the answer."""
    async with world(database) as w:
        to = w.hot if reason == "own_transaction" else w.assigned
        tx_hash = await w.pay(to, DUE_UNITS, final=False)
        await change(w, "UPDATE deposit SET status = 'rejected', reason = :why", why=reason)
        await w.chain.mine(w.chain.final_lag)
        await w.scan()
        found = await explained(w, tx_hash)
        assert (found["verdict"], found["reason"]) == ("not_credited", f"ledger_entry: {said}")


async def test_what_was_ours_before_credits_nobody(database: FreshDatabase) -> None:
    """Brought back from cold storage: it has a row, and it is nobody's to attribute."""
    async with world(database) as w:
        tx_hash = await w.pay(w.hot, 7, final=False)
        await change(w, "UPDATE deposit SET purpose = 'internal'")
        for _ in range(2):
            found = await explained(w, tx_hash)
            assert found["verdict"] == "internal"
            await w.chain.mine(w.chain.final_lag)
            await w.scan()
        assert found["reason"] == (
            "ledger_entry: it was the operator's before, in cold storage: nobody is credited"
        )


async def test_what_is_paid_back_is_refunded(database: FreshDatabase) -> None:
    """An operator's refund is under way or done: it is no longer open."""
    async with world(database) as w:
        tx_hash = await w.pay(w.free, 7)
        await change(w, "UPDATE deposit SET purpose = 'refund'")
        found = await explained(w, tx_hash)
        assert found["verdict"] == "refunded"
        assert found["reason"] == "invoice: an operator's refund pays it out"


async def test_a_final_payment_without_a_row_never_comes_by_itself(
    database: FreshDatabase,
) -> None:
    """Its block was scanned without it: the way out is named, and it is not called waiting."""
    async with world(database) as w:
        tx_hash = await w.pay(w.assigned, DUE_UNITS, final=False)
        await change(w, "DELETE FROM deposit_sighting")
        await change(w, "DELETE FROM deposit")
        found = await explained(w, tx_hash)
        assert found["verdict"] == "waiting"
        await w.chain.mine(w.chain.final_lag)
        await w.scan()
        for asker in (None, "mer_1"):
            found = await explained(w, tx_hash, asker)
            assert found["verdict"] == "not_credited"
            assert f"run `watchers rescan {NETWORK} --tx {tx_hash}`" in found["reason"]


async def test_our_own_transactions_are_not_missed(database: FreshDatabase) -> None:
    """A top-up of ours has no row by design: nothing is to be read again."""
    async with world(database) as w:
        ours = w.chain.submit([Move(w.hot, 5), Move(w.assigned, 5)])
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            session.add(
                Attempt(
                    id="att_1", order_id="att_1", network_id=NETWORK, purpose="top_up",
                    intent={"to": w.assigned, "units": "5"},
                    sender=w.hot, raw=b"-", tx_hash=ours, state="signed", broadcasts=1,
                    created_at=GENESIS_TIME,
                )
            )  # fmt: skip
        await w.chain.mine(1 + w.chain.final_lag)
        await w.scan()
        found = await explained(w, ours)
        assert {each["verdict"] for each in found["transfers"]} == {"internal"}
        assert "rescan" not in found["reason"]
