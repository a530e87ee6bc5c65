"""Why a transaction was or was not credited: each gate is opened and closed by what it names."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from gateway.db import CROSS_TENANT
from gateway.desk.beside import STAYS
from tests.conftest import FreshDatabase
from tests.fakes.chain import JUNK, FakeChain, Move
from tests.watchers.explaining import explained, explainer
from tests.watchers.world import DUE_UNITS, USDC, World, world
from watchers.explain.answer import table

pytestmark = pytest.mark.anyio
NOWHERE = "0x" + "ab" * 32
GATES = [
    "seen_by_provider",
    "block_complete",
    "success",
    "scanned",
    "asset_listed",
    "address_ours",
    "signature_genuine",
    "invoice",
    "confirmations",
    "final",
    "ledger_entry",
]


async def change(w: World, statement: str, **values: Any) -> None:
    """Change the database behind everybody's back."""
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(text(statement), values)


async def test_a_credited_payment_passes_every_gate(database: FreshDatabase) -> None:
    """Each gate says yes with its evidence; the ledger's journal is named."""
    async with world(database) as w:
        tx_hash = await w.pay(w.assigned, DUE_UNITS)
        found = await explained(w, tx_hash)
        assert [gate["gate"] for gate in found["gates"]] == GATES
        assert set(found["answers"].values()) == {"yes"}
        assert (found["verdict"], found["reason"]) == ("credited", "every gate is open")
        evidence = {gate["gate"]: gate["evidence"] for gate in found["gates"]}
        assert evidence["invoice"]["invoice_id"] == "inv_1"
        [entry] = evidence["ledger_entry"]["entries"]
        assert (entry["account"], entry["units"], entry["kind"]) == (
            "mer_1",
            str(DUE_UNITS),
            "deposit",
        )
        [provider] = evidence["seen_by_provider"]["providers"]
        assert (provider["provider"], provider["height"]) == ("a.example", found["height"])
        assert msgspec.json.decode(msgspec.json.encode(found)) == found


async def test_an_unknown_transaction_is_seen_by_nobody(database: FreshDatabase) -> None:
    """Every provider answered and has it not: that is a no, and the rest is unknown."""
    async with world(database) as w:
        found = await explained(w, NOWHERE)
        assert found["answers"]["seen_by_provider"] == "no"
        assert found["reason"].startswith("seen_by_provider: none of 1 providers")
        assert {found["answers"][name] for name in GATES[4:]} == {"unknown"}


async def test_a_silent_provider_is_no_evidence(database: FreshDatabase) -> None:
    """One does not answer, one does not have it: nobody may say that it does not exist."""
    async with world(database) as w:
        dead = FakeChain(seed=2)
        dead.down = True
        found = await explained(w, NOWHERE, alive=w.chain, dead=dead)
        assert found["answers"]["seen_by_provider"] == "unknown"
        assert found["verdict"] == "unknown"
        tx_hash = await w.pay(w.assigned, DUE_UNITS)
        found = await explained(w, tx_hash, alive=w.chain, dead=dead)
        assert found["verdict"] == "credited"
        assert "1 of 2 providers" in found["gates"][0]["detail"]


async def test_a_failed_transaction_moved_nothing(database: FreshDatabase) -> None:
    """The success gate is closed, and there is no transfer to explain."""
    async with world(database) as w:
        tx_hash = w.chain.submit([Move(w.assigned, 5)], doomed=True)
        await w.chain.mine()
        await w.scan()
        found = await explained(w, tx_hash)
        assert (found["answers"]["success"], found["verdict"]) == ("no", "not_credited")
        assert found["transfers"] == []


async def test_a_block_that_cannot_be_proved_is_named(database: FreshDatabase) -> None:
    """The provider has the transaction and not its whole block."""
    async with world(database) as w:
        tx_hash = await w.chain.pay(w.assigned, 5)
        w.chain.incomplete.add(w.chain.head)
        found = await explained(w, tx_hash)
        assert found["answers"]["seen_by_provider"] == "yes"
        assert found["answers"]["block_complete"] == "no"
        assert found["answers"]["success"] == "unknown"


async def test_what_we_have_not_scanned_yet_waits(database: FreshDatabase) -> None:
    """The node is ahead of us: everything is in order, and it is our turn."""
    async with world(database) as w:
        tx_hash = await w.chain.pay(w.assigned, DUE_UNITS)
        found = await explained(w, tx_hash)
        assert found["answers"]["scanned"] == "no"
        assert found["answers"]["address_ours"] == "yes"
        assert found["answers"]["ledger_entry"] == "no"
        await w.scan()
        found = await explained(w, tx_hash)
        assert (found["answers"]["scanned"], found["answers"]["final"]) == ("yes", "no")
        assert found["verdict"] == "waiting"
        assert (
            found["reason"] == "final: 1 blocks to go to finality" or "final" in found["reason"]
        )


async def test_providers_that_show_different_blocks_contradict(
    database: FreshDatabase,
) -> None:
    """Two chains hold the transaction in blocks of different hashes."""
    async with world(database) as w:
        other = FakeChain(seed=1)
        for _ in range(3):
            await other.fresh_address()
        tx_hash = await w.chain.pay(w.assigned, 5)
        waiting = w.chain.blocks[-1].transactions[0][0]
        for _ in range(2):
            other.mine_only([])
            other.blocks.pop()
        other.pool[tx_hash] = waiting
        await other.mine()
        found = await explained(w, tx_hash, one=w.chain, two=other)
        assert found["answers"]["block_complete"] == "no"
        assert "different blocks" in found["reason"]


async def test_an_unlisted_token_is_not_listed(database: FreshDatabase) -> None:
    """Its row is named with the reason."""
    async with world(database) as w:
        tx_hash = await w.pay(w.assigned, 5, JUNK)
        found = await explained(w, tx_hash)
        [transfer] = found["transfers"]
        assert found["answers"]["asset_listed"] == "no"
        assert (transfer["verdict"], transfer["reason"]) == ("unattributed", "asset_not_listed")
        assert transfer["deposit_id"] is not None


async def test_what_no_sweep_reaches_names_the_way_out(database: FreshDatabase) -> None:
    """Its asset is listed, and no gate says otherwise; `--gather` is for pool addresses alone."""
    async with world(database) as w:
        moves = [Move(each, 5, w.chain.token, "account") for each in (w.assigned, w.hot)]
        for move, named in zip(moves, (True, False), strict=True):
            tx_hash = w.chain.submit([move])
            await w.chain.mine(1 + w.chain.final_lag)
            await w.scan()
            found = await explained(w, tx_hash)
            details = {gate["gate"]: gate["detail"] for gate in found["gates"]}
            assert (found["verdict"], found["answers"]["asset_listed"]) == (
                "unattributed",
                "no",
            )
            assert found["reason"].startswith("asset_listed: it lies beside the canonical")
            assert ("`watchers sweeps NETWORK --gather ID`" in found["reason"]) is named
            assert (STAYS in found["reason"]) is not named
            assert "no sweep reaches" in details["ledger_entry"]


async def test_an_asset_that_the_invoice_does_not_take(database: FreshDatabase) -> None:
    """Listed and ours, and in suspense: the ledger gate names the account."""
    async with world(database) as w:
        await change(w, "DELETE FROM payment_option WHERE currency_id = :id", id=USDC)
        tx_hash = await w.pay(w.assigned, 7, w.chain.token)
        found = await explained(w, tx_hash)
        assert found["answers"]["invoice"] == "no"
        assert (
            found["reason"] == f"invoice: the invoice of this address is not payable in {USDC}"
        )
        assert found["verdict"] == "unattributed"
        assert found["gates"][-1]["evidence"]["entries"][0]["account"] == "suspense"


async def test_an_address_that_nobody_was_shown(database: FreshDatabase) -> None:
    """It belongs to no invoice."""
    async with world(database) as w:
        found = await explained(w, await w.pay(w.free, 7))
        assert found["reason"] == "invoice: the address belongs to no invoice"


async def test_an_address_that_the_keystore_did_not_sign(database: FreshDatabase) -> None:
    """A row that was edited by hand credits nobody, and that is said."""
    async with world(database) as w:
        await change(w, "UPDATE address_pool SET path = 'm/1' WHERE address = :a", a=w.assigned)
        found = await explained(w, await w.pay(w.assigned, 7))
        assert found["answers"]["signature_genuine"] == "no"
        assert found["verdict"] == "unattributed"


async def test_somebody_elses_payment_is_not_ours(database: FreshDatabase) -> None:
    """The address gate is closed; what was transferred is told."""
    async with world(database) as w:
        stranger = await w.chain.fresh_address()
        found = await explained(w, await w.pay(stranger, 7))
        assert found["answers"]["address_ours"] == "no"
        assert found["verdict"] == "not_credited"
        assert found["transfers"][0]["to"] == stranger


async def test_an_orphaned_payment_says_so(database: FreshDatabase) -> None:
    """No provider has it any more; our row of it remains, reorged."""
    async with world(database) as w:
        w.chain.final_lag = 5
        tx_hash = await w.pay(w.assigned, DUE_UNITS, final=False)
        w.chain.fork(1, keep=[])
        await w.chain.mine()
        await w.scan()
        found = await explained(w, tx_hash)
        assert found["answers"]["seen_by_provider"] == "no"
        assert (found["answers"]["final"], found["verdict"]) == ("no", "not_credited")


async def test_a_payment_that_its_block_does_not_hold_says_so(database: FreshDatabase) -> None:
    """One node invented it and a rescan refused it: it waits for nothing."""
    async with world(database) as w:
        tx_hash = await w.pay(w.assigned, DUE_UNITS, final=False)
        await change(w, "UPDATE deposit SET status = 'rejected', reason = 'not_shown'")
        found = await explained(w, tx_hash)
        assert (found["verdict"], found["answers"]["final"]) == ("not_credited", "no")
        assert "do not show it in its block" in found["reason"]


async def test_two_transfers_of_one_transaction_are_told_apart(
    database: FreshDatabase,
) -> None:
    """One reaches an invoice, one a stranger: each has gates of its own, ours lead."""
    async with world(database) as w:
        stranger = await w.chain.fresh_address()
        tx_hash = w.chain.submit([Move(stranger, 1), Move(w.assigned, 2)])
        await w.chain.mine(1 + w.chain.final_lag)
        await w.scan()
        found = await explained(w, tx_hash)
        assert [(each["to"], each["verdict"]) for each in found["transfers"]] == [
            (w.assigned, "credited"),
            (stranger, "not_credited"),
        ]
        assert found["verdict"] == "credited"


async def test_a_merchant_learns_nothing_of_another(database: FreshDatabase) -> None:
    """Chain facts only: no invoice, no merchant, no deposit, no journal, no node by name."""
    async with world(database) as w:
        tx_hash = await w.pay(w.assigned, DUE_UNITS)
        mine = await explained(w, tx_hash, "mer_1")
        assert (mine["verdict"], mine["answers"]["ledger_entry"]) == ("credited", "yes")
        theirs = await explained(w, tx_hash, "mer_other")
        assert theirs["answers"]["address_ours"] == "no"
        said = msgspec.json.encode(theirs).decode()
        for secret in ("mer_1", "inv_1", "dep_", "a.example", "journal "):
            assert secret not in said
        assert "a.example" not in msgspec.json.encode(mine).decode()


async def test_the_table_is_for_people(database: FreshDatabase) -> None:
    """A line per gate, and a block per transfer where there are several."""
    async with world(database) as w:
        tx_hash = await w.pay(w.assigned, DUE_UNITS)
        lines = table(await explainer(w).explain(tx_hash)).splitlines()
        assert lines[:2] == [f"ethereum {tx_hash}", "credited: every gate is open"]
        assert [line.split()[0] for line in lines[3:14]] == GATES
        tx_hash = w.chain.submit([Move(w.assigned, 1), Move(w.free, 2)])
        await w.chain.mine(1 + w.chain.final_lag)
        await w.scan()
        shown = table(await explainer(w).explain(tx_hash))
        assert shown.count("ledger_entry") == 2
        assert shown.count("seen_by_provider") == 1


async def test_a_text_that_is_no_hash_is_refused(database: FreshDatabase) -> None:
    """Before any node is asked."""
    async with world(database) as w:
        with pytest.raises(ValueError, match="64 hex digits"):
            await explained(w, "0x12")


async def test_the_order_of_transfers_tells_a_stranger_nothing(database: FreshDatabase) -> None:
    """Its own come first; whose the others are shows neither in the rows nor in their order."""
    async with world(database) as w:
        moves = [Move(f"0x{at:02x}" + "00" * 19, 1) for at in range(60)]
        tx = w.chain.submit([*moves, Move(w.assigned, 2)])
        await w.chain.mine(1 + w.chain.final_lag)
        await w.scan()
        own = await explained(w, tx, "mer_1")
        assert [own["transfers"][0]["position"], own["verdict"]] == [60, "credited"]
        other = await explained(w, tx, "mer_2")
        assert [each["position"] for each in other["transfers"]] == list(range(50))
